use super::*;

/// At every length but the last there is more to come, and then it is whole.
fn whole(text: &str) -> Answer {
    for length in 0..text.len() {
        assert_eq!(answer(&text.as_bytes()[..length]).unwrap(), None, "at {length}");
    }
    answer(format!("{text}HTTP/1.1 500").as_bytes()).unwrap().unwrap()
}

#[test]
fn an_answer_with_a_length_ends_there() {
    let found = whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!((found.status, found.body.as_slice(), found.length), (200, &b"hello"[..], 43));
    assert!(!found.close);
}

#[test]
fn a_chunked_answer_ends_after_its_trailers() {
    let text =
        "HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\nT: 1\r\n\r\n";
    let found = whole(text);
    assert_eq!((found.status, found.body.as_slice(), found.length), (201, &b"abcde"[..], text.len()));
}

#[test]
fn the_end_of_the_connection_is_told() {
    assert!(whole("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").close);
    assert!(answer(b"HTTP/1.0 200 OK\r\n\r\nabc").unwrap().unwrap().unbounded);
}

#[test]
fn what_is_no_http_is_an_error() {
    assert!(answer(b"SSH-2.0-x\r\n\r\n").is_err());
    assert!(answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n").is_err());
    assert!(answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n").is_err());
}

#[test]
fn a_request_is_whole() {
    let text = String::from_utf8(request("h:1", "POST", "/p", "a: b\r\n", b"{}")).unwrap();
    assert_eq!(text, "POST /p HTTP/1.1\r\nhost: h:1\r\ncontent-length: 2\r\na: b\r\n\r\n{}");
}

#[test]
fn a_function_that_failed_is_no_success() {
    let found = whole("HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\ncontent-length: 2\r\n\r\n{}");
    assert!(!found.is_success());
    assert_eq!(found.told(), "200 (the function failed) {}");
    assert!(whole("HTTP/1.1 202 OK\r\ncontent-length: 0\r\n\r\n").is_success());
}
