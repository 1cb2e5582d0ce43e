use anyfn_base::Clock;

use super::{Framed, Heads, http_date};

fn write(status: u16, headers: &[(&str, &str)], exact: Option<u64>, flags: (bool, bool)) -> (String, Framed) {
    let mut response = http::Response::builder().status(status).header("date", "D");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let (parts, ()) = response.body(()).unwrap().into_parts();
    let mut heads = Heads::default();
    let framed = heads.write(&parts, exact, flags, &Clock::simulated(0));
    (String::from_utf8(heads.out).unwrap(), framed)
}

#[test]
fn dates_are_as_rfc_9110_has_them() {
    assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(http_date(1_709_164_800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

#[test]
fn bodies_are_framed_in_one_way_only() {
    let long = [("content-length", "99")];
    let lying = [("content-length", "99"), ("transfer-encoding", "chunked"), ("connection", "keep-alive")];
    let table = [
        (200, &[][..], Some(3), false, Framed::Length(3), "content-length: 3\r\n"),
        (200, &[], Some(0), false, Framed::Nothing, "content-length: 0\r\n"),
        (200, &[], None, false, Framed::Chunked, "transfer-encoding: chunked\r\n"),
        (200, &long, None, false, Framed::Length(99), "content-length: 99\r\n"),
        (200, &lying, Some(3), false, Framed::Length(3), "content-length: 3\r\n"),
        (200, &long, Some(0), true, Framed::Nothing, "content-length: 99\r\n"),
        (200, &[], Some(5), true, Framed::Nothing, "content-length: 5\r\n"),
        (304, &long, Some(0), false, Framed::Nothing, "content-length: 99\r\n"),
        (204, &long, Some(0), false, Framed::Nothing, ""),
    ];
    for (status, headers, exact, asked_head, framed, line) in table {
        let (text, got) = write(status, headers, exact, (asked_head, false));
        assert_eq!(got, framed, "{status} {headers:?}");
        let (before, _) = text.split_once("date: D\r\n").unwrap();
        assert!(before.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.ends_with(&format!("date: D\r\n{line}\r\n")), "{text}");
    }
    assert!(write(200, &[], Some(0), (false, true)).0.contains("\r\nconnection: close\r\n"));
}
