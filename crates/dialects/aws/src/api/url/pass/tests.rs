use anyfn_core::{ReplyBody, ReplyHead};
use anyfn_types::{InvocationId, TraceContext};
use bytes::Bytes;

use super::{Asked, head, response};

fn asked(text: &[(&'static str, &'static str)], account: Option<&'static str>) -> Vec<(String, String)> {
    let mut request = http::Request::get("/_url/x/below?q=1%20");
    for (name, value) in text {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let (body, trace) = (Bytes::new(), TraceContext::default());
    let asked = Asked {
        parts: &parts,
        body: &body,
        path: "/below",
        url_id: "x",
        peer: ([203, 0, 113, 9], 1).into(),
        scheme: "http",
        port: 80,
        id: InvocationId(1),
        trace: &trace,
        now: 0,
        account,
        key: None,
    };
    let head = head(&asked);
    assert_eq!((&*head.method, &*head.target), ("GET", "/below?q=1%20"));
    head.headers.into_iter().map(|(name, value)| (name, String::from_utf8(value.to_vec()).unwrap())).collect()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

#[test]
fn requests_keep_what_is_the_callers_and_lose_what_is_not() {
    let headers = asked(
        &[
            ("host", "f.example"),
            ("cookie", "a=1"),
            ("connection", "close, X-Gone"),
            ("x-gone", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
            ("x-anyfn-secret", "1"),
            ("authorization", "Bearer mine"),
        ],
        None,
    );
    assert_eq!(value(&headers, "host"), Some("f.example"));
    assert_eq!(value(&headers, "cookie"), Some("a=1"));
    assert_eq!(value(&headers, "authorization"), Some("Bearer mine"));
    assert_eq!(value(&headers, "x-forwarded-for"), Some("198.51.100.7, 203.0.113.9"));
    assert_eq!(value(&headers, "x-forwarded-proto"), Some("http"));
    assert_eq!(value(&headers, "x-forwarded-host"), Some("f.example"));
    for name in ["connection", "x-gone", "te", "upgrade", "x-anyfn-secret"] {
        assert_eq!(value(&headers, name), None, "{name}");
    }
    assert_eq!(
        value(&asked(&[("authorization", "AWS4…")], Some("1")), "authorization"),
        None,
        "a signature stays here"
    );
}

#[test]
fn answers_keep_their_status_headers_and_lengths() {
    let given = |status, length: &'static str, body: &'static str| {
        let headers =
            [("content-length", length), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("bad name", "x")];
        let headers =
            headers.map(|(name, value)| (name.to_owned(), Bytes::from_static(value.as_bytes()))).to_vec();
        response(ReplyHead { status, headers }, ReplyBody::Whole(Bytes::from_static(body.as_bytes())))
    };
    let answer = given(201, "4", "body");
    assert_eq!(
        (answer.status().as_u16(), answer.headers().get("content-length")),
        (201, None),
        "counted from the body"
    );
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.headers().len(), 2);
    assert_eq!(given(200, "99", "").headers()["content-length"], "99", "HEAD tells how long it would be");
    assert_eq!(given(304, "99", "").headers()["content-length"], "99");
    assert_eq!(given(204, "0", "").headers().get("content-length"), None);
}
