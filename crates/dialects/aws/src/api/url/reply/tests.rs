use super::*;

fn show(payload: &'static str) -> String {
    match read(&Bytes::from_static(payload.as_bytes())) {
        Ok((head, body)) => {
            let headers: Vec<_> = head
                .headers
                .iter()
                .map(|(k, v)| format!("{k}={}", String::from_utf8_lossy(v.as_bytes())))
                .collect();
            format!("{} {} {:?}", head.status.as_u16(), headers.join(";"), String::from_utf8_lossy(&body))
        }
        Err(error) => format!("502 {}", error.public),
    }
}

#[test]
fn answers_are_read_or_inferred() {
    let cases = [
        (
            r#"{"statusCode":201,"headers":{"A":"b","n":1},"body":"hi"}"#,
            r#"201 a=b;n=1;content-type=application/json "hi""#,
        ),
        (r#"{"statusCode":"404"}"#, r#"404 content-type=application/json """#),
        (
            r#"{"statusCode":200,"headers":{"Content-Type":"text/html"},"cookies":["a=1","b=2"],"body":null}"#,
            r#"200 content-type=text/html;set-cookie=a=1;set-cookie=b=2 """#,
        ),
        (
            r#"{"statusCode":200,"body":"aGk=","isBase64Encoded":true}"#,
            r#"200 content-type=application/json "hi""#,
        ),
        (
            r#"{"statusCode":200,"headers":{"content-length":"999"},"body":"x"}"#,
            r#"200 content-type=application/json "x""#,
        ),
        (r#"{"hello":"world"}"#, r#"200 content-type=application/json "{\"hello\":\"world\"}""#),
        (r#""plain""#, r#"200 content-type=application/json "plain""#),
        ("[1]", r#"200 content-type=application/json "[1]""#),
        ("null", r#"200 content-type=application/json "null""#),
        ("not json", r#"200 content-type=application/json "not json""#),
    ];
    for (payload, wanted) in cases {
        assert_eq!(show(payload), wanted, "{payload}");
    }
}

#[test]
fn b8_what_would_break_the_answer_is_refused() {
    let cases = [
        (
            r#"{"statusCode":200,"headers":{"a":"b\r\nSet-Cookie: x=1"}}"#,
            "502 the value of the header a cannot be sent",
        ),
        (r#"{"statusCode":200,"headers":{"a\r\nb":"c"}}"#, "502 \"a\\r\\nb\" is no name of a header"),
        (r#"{"statusCode":200,"headers":{"":"c"}}"#, "502 \"\" is no name of a header"),
        (
            r#"{"statusCode":200,"headers":{"Transfer-Encoding":"chunked"}}"#,
            "502 a function may not set the header transfer-encoding",
        ),
        (
            r#"{"statusCode":200,"headers":{"Connection":"close"}}"#,
            "502 a function may not set the header connection",
        ),
        (
            r#"{"statusCode":200,"multiValueHeaders":{"te":["x"]}}"#,
            "502 a function may not set the header te",
        ),
        (
            r#"{"statusCode":200,"cookies":["a=1\nb"]}"#,
            "502 the value of the header set-cookie cannot be sent",
        ),
        (r#"{"statusCode":999}"#, "502 `statusCode` is 999"),
        (r#"{"statusCode":99}"#, "502 `statusCode` is 99"),
        (r#"{"statusCode":101}"#, "502 `statusCode` is 101"),
        (r#"{"statusCode":-1}"#, "502 `statusCode` is -1"),
        (r#"{"statusCode":200.5}"#, "502 `statusCode` is 200.5"),
        (r#"{"statusCode":{}}"#, "502 `statusCode` is {}"),
        (r#"{"statusCode":200,"headers":[]}"#, "502 `headers` is no object"),
        (r#"{"statusCode":200,"headers":{"a":{"b":1}}}"#, "502 a header's value is no text"),
        (r#"{"statusCode":200,"body":{"a":1}}"#, "502 `body` is no text"),
    ];
    for (payload, wanted) in cases {
        assert_eq!(show(payload), wanted, "{payload}");
    }
}

#[test]
fn preludes_are_read() {
    let head = read_prelude(
        br#"{"statusCode":206,"headers":{"content-type":"text/event-stream"},"cookies":["a=1"]}"#,
    )
    .unwrap();
    assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(head.headers.len(), 2);
    assert!(read_prelude(b"[]").is_err());
    assert_eq!(read_prelude(b"{}").unwrap().status, StatusCode::OK);
    assert_eq!(prelude_end(b"{}\0\0\0\0\0\0\0\0body"), Some(2));
    assert_eq!(prelude_end(b"{}\0\0\0\0\0\0\0"), None);
}
