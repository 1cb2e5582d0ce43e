use http_body_util::BodyExt as _;
use serde_json::json;

use super::*;

async fn shown(extension: Extension, result: Value, below: &[&str]) -> (u16, String, String) {
    match shaped(extension, &result, below) {
        Err(fault) => (fault.status.as_u16(), String::new(), fault.text),
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let kind =
                parts.headers.get(CONTENT_TYPE).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
            let body = body.collect().await.unwrap().to_bytes();
            (parts.status.as_u16(), kind, String::from_utf8_lossy(&body).into_owned())
        }
    }
}

#[tokio::test]
async fn http_answers() {
    let html = "text/html; charset=utf-8";
    for (result, want) in [
        (json!({}), (204, "", "")),
        (json!({"body": ""}), (204, "", "")),
        (json!({"body": "<b>"}), (200, html, "<b>")),
        (json!({"body": {"a": 1}}), (200, "application/json", "{\"a\":1}")),
        (json!({"statusCode": 404, "body": "no"}), (404, html, "no")),
        (json!({"statusCode": 302, "headers": {"location": "/x"}}), (302, "", "")),
        (json!({"headers": {"content-type": "image/png"}, "body": "aGk="}), (200, "image/png", "hi")),
        (json!({"headers": {"Content-Type": "text/plain"}, "body": "aGk="}), (200, "text/plain", "aGk=")),
    ] {
        let (status, kind, body) = shown(Extension::Http, result.clone(), &[]).await;
        assert_eq!((status, kind.as_str(), body.as_str()), want, "{result}");
    }
    for wrong in [
        json!("text"),
        json!({"statusCode": "x"}),
        json!({"statusCode": 99}),
        json!({"statusCode": 101}),
        json!({"statusCode": 1e9}),
        json!({"headers": {"a b": 1}}),
        json!({"headers": {"a": "x\r\ny: z"}}),
        json!({"headers": {"content-type": "image/png"}, "body": "***"}),
    ] {
        assert_eq!(shown(Extension::Http, wrong.clone(), &[]).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn extensions_shape_the_result() {
    let result = json!({"html": "<p>", "text": "t", "svg": "<svg>", "deep": {"er": [1, "two"]}});
    for (action, below, status, body) in [
        ("a.html", &[][..], 200, "<p>"),
        ("a.text", &[], 200, "t"),
        ("a.svg", &[], 200, "<svg>"),
        ("a.json", &["deep"], 200, "{\"er\":[1,\"two\"]}"),
        ("a.text", &["deep", "none"], 404, "Response does not include requested property."),
        ("a.html", &["deep"], 400, "Response is not valid 'text/html'."),
    ] {
        let (extension, name) = Extension::split(action);
        assert_eq!(name, "a");
        let (got, _, text) = shown(extension, result.clone(), below).await;
        assert_eq!((got, text.as_str()), (status, body), "{action} {below:?}");
    }
    assert_eq!(Extension::split("a.b"), (Extension::Http, "a.b"));
    assert_eq!(Extension::split("a"), (Extension::Http, "a"));
}
