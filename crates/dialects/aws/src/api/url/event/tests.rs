use expect_test::expect;
use http::Request;

use super::*;

fn ask(request: http::request::Builder, body: &'static [u8], account: Option<&str>) -> Value {
    let (parts, body) = request.body(Bytes::from_static(body)).unwrap().into_parts();
    let trace = TraceContext {
        trace_id: "5759e988bd862e3fe1be46a994272793".into(),
        parent_id: "53995c3f42cd8ad8".into(),
        sampled: true,
    };
    let path = parts.uri.path().strip_prefix("/_url/abc").unwrap_or("/").to_owned();
    let asked = Asked {
        parts: &parts,
        body: &body,
        path: &path,
        url_id: "abc",
        peer: "[::ffff:203.0.113.7]:55000".parse().unwrap(),
        scheme: "http",
        port: 4566,
        id: InvocationId(7),
        trace: &trace,
        now: 1_584_039_838_123,
        account,
        key: account.map(|_| "AKIDEXAMPLE"),
    };
    serde_json::from_slice(&event(&asked)).unwrap()
}

#[test]
fn a_whole_event() {
    let request = Request::post("/_url/abc/my%20path/x?a=1&b=%20x+y&a=2&c")
        .header("host", "127.0.0.1:4566")
        .header("User-Agent", "curl/8")
        .header("Content-Type", "application/json; charset=utf-8")
        .header("Accept", "a")
        .header("accept", "b")
        .header("Cookie", "k=v; n=w");
    let event = ask(request, b"{\"x\":1}", None);
    expect![[r#"
        {
          "version": "2.0",
          "routeKey": "$default",
          "rawPath": "/my%20path/x",
          "rawQueryString": "a=1&b=%20x+y&a=2&c",
          "cookies": [
            "k=v",
            "n=w"
          ],
          "headers": {
            "user-agent": "curl/8",
            "content-type": "application/json; charset=utf-8",
            "accept": "a,b",
            "host": "127.0.0.1:4566",
            "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http"
          },
          "queryStringParameters": {
            "a": "1,2",
            "b": " x y",
            "c": ""
          },
          "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "127.0.0.1:4566",
            "domainPrefix": "abc",
            "http": {
              "method": "POST",
              "path": "/my%20path/x",
              "protocol": "HTTP/1.1",
              "sourceIp": "203.0.113.7",
              "userAgent": "curl/8"
            },
            "requestId": "00000000-0000-0000-0000-000000000007",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1584039838123
          },
          "body": "{\"x\":1}",
          "isBase64Encoded": false
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&event).unwrap());
}

#[test]
fn bodies_are_text_or_base64_by_their_type() {
    let cases: [(&str, &'static [u8], &str, bool); 7] = [
        ("text/plain", b"hi", "hi", false),
        ("application/vnd.api+json", b"{}", "{}", false),
        ("image/png", b"hi", "aGk=", true),
        ("application/x-www-form-urlencoded", b"a=1", "YT0x", true),
        ("text/plain", b"\xff", "/w==", true),
        ("", b"hi", "aGk=", true),
        ("APPLICATION/XML", b"<a/>", "<a/>", false),
    ];
    for (kind, body, text, encoded) in cases {
        let event = ask(Request::post("/_url/abc/").header("content-type", kind), body, None);
        assert_eq!(
            (event["body"].as_str(), event["isBase64Encoded"].as_bool()),
            (Some(text), Some(encoded)),
            "{kind}"
        );
    }
    let zipped =
        Request::post("/_url/abc/").header("content-type", "text/plain").header("content-encoding", "gzip");
    assert_eq!(ask(zipped, b"hi", None)["isBase64Encoded"], true);
}

#[test]
fn an_empty_request_has_neither_body_nor_cookies_nor_parameters() {
    let event = ask(Request::get("/_url/abc"), b"", None);
    for absent in ["body", "cookies", "queryStringParameters"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    assert_eq!(event["rawPath"], "");
}

#[test]
fn b10_spoofed_headers_of_the_platform_are_stripped() {
    let request = Request::get("/_url/abc/")
        .header("X-Forwarded-For", "1.2.3.4")
        .header("X-Forwarded-Host", "evil")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "for=1.2.3.4")
        .header("X-Real-IP", "1.2.3.4")
        .header("X-Amzn-Trace-Id", "Root=evil")
        .header("X-Amzn-Oidc-Identity", "root")
        .header("X-Amz-Security-Token", "t")
        .header("anyfn-outcome", "returned")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "keep-alive")
        .header("authorization", "AWS4-HMAC-SHA256 secret");
    let event = ask(request, b"", Some("123456789012"));
    let headers: Vec<_> =
        event["headers"].as_object().unwrap().iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        headers,
        [
            "x-amzn-trace-id=\"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1\"",
            "x-forwarded-for=\"203.0.113.7\"",
            "x-forwarded-port=\"4566\"",
            "x-forwarded-proto=\"http\"",
        ]
    );
    assert_eq!(event["requestContext"]["accountId"], "123456789012");
    assert_eq!(event["requestContext"]["authorizer"]["iam"]["accessKey"], "AKIDEXAMPLE");
}
