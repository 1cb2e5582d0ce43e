use bytes::BytesMut;
use http_body_util::BodyExt as _;

use super::{Found, find};
use crate::strict::Bounds;

const BOUNDS: Bounds = Bounds { bytes: 64 * 1024, headers: 100 };

fn kind(text: &str) -> &'static str {
    match find(&mut BytesMut::from(text), BOUNDS) {
        Found::Nothing => "nothing",
        Found::Body(_) => "body",
        Found::Request(..) => "request",
        Found::Other => "other",
    }
}

#[tokio::test]
async fn requests_are_taken_one_by_one() {
    let text = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\ncontent-length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut buffer = BytesMut::from(text);
    let Found::Request(request, last) = find(&mut buffer, BOUNDS) else { panic!("no request") };
    assert_eq!(
        (request.method().as_str(), request.uri().to_string(), last),
        ("POST", "/a?b=c".to_owned(), false)
    );
    let both: Vec<_> = request.headers().get_all("a").iter().collect();
    assert_eq!(both, ["1", "2"]);
    assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "body");
    let Found::Request(request, last) = find(&mut buffer, BOUNDS) else { panic!("no second request") };
    assert_eq!((request.method().as_str(), last), ("GET", true));
    assert!(matches!(find(&mut buffer, BOUNDS), Found::Nothing));
}

#[test]
fn b1_what_is_not_plain_goes_the_long_way_untouched() {
    let head = |more: &str| format!("POST / HTTP/1.1\r\nhost: x\r\n{more}\r\n");
    assert_eq!(kind(&head("content-length: 3\r\n")), "body");
    assert_eq!(kind(&head("")), "request");
    for text in [
        "GET / HTTP/1.1\r\nhost: x\r\n".to_owned(),
        "G".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET / HTTP/1.0\r\nhost: x\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        head("transfer-encoding: chunked\r\n"),
        head("content-length: 3\r\ncontent-length: 3\r\n"),
        head("content-length: 100000\r\n"),
        head("expect: 100-continue\r\n"),
        head("Upgrade: websocket\r\n"),
        head(" folded: x\r\n"),
        head("x: a\0b\r\n"),
    ] {
        let mut buffer = BytesMut::from(text.as_str());
        assert!(matches!(find(&mut buffer, BOUNDS), Found::Other), "{text:?}");
        assert_eq!(&buffer[..], text.as_bytes(), "all of it is left to the long way");
    }
}
