//! The plain way of Invoke beside the general one.

use serde_json::json;

use super::world::World;
use crate::api::lambda::invoke::plain::name;

#[tokio::test]
async fn the_plain_way_answers_like_the_general_one() {
    let world = World::with_function("f").await;
    let path = "/2015-03-31/functions/f/invocations";
    for body in
        [json!({"answer": [1]}).to_string(), json!({"fail": 1}).to_string(), "no json".into(), String::new()]
    {
        for path in [path, "/2015-03-31/functions/none/invocations"] {
            let mut answers = Vec::new();
            for general in [false, true] {
                let mut request = World::request("POST", path, body.clone());
                if general {
                    request.parts.headers.insert("x-amz-invocation-type", "RequestResponse".parse().unwrap());
                }
                assert_eq!(name(&request.parts).is_none(), general);
                let answer = world.send(request).await;
                let mut headers: Vec<_> = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| !matches!(name.as_str(), "x-amzn-requestid" | "x-amzn-trace-id"))
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect();
                headers.sort_by(|a, b| a.0.cmp(&b.0));
                let count = answer.headers.len();
                answers.push((answer.status, headers, count, answer.body));
            }
            assert_eq!(answers[0], answers[1], "{path} {body}");
        }
    }
}

#[test]
fn whatever_is_more_goes_the_general_way() {
    let parts = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let mut request = World::request(method, path, "");
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.parts.headers.insert(name, value.parse().unwrap());
        }
        request.parts
    };
    let plain = "/2015-03-31/functions/f-_1/invocations";
    assert_eq!(
        name(&parts("POST", plain, &[("x-amz-date", "d"), ("content-type", "application/json")])),
        Some("f-_1")
    );
    let long = format!("/2015-03-31/functions/{}/invocations", "f".repeat(65));
    for path in [
        "/2015-03-31/functions/f:1/invocations",
        "/2015-03-31/functions/f.x/invocations",
        "/2015-03-31/functions/%66/invocations",
        "/2015-03-31/functions//invocations",
        "/2015-03-31/functions/f/invocations/",
        "/2015-03-31/functions/f/invocations?Qualifier=1",
        "/2014-11-13/functions/f/invoke-async",
        long.as_str(),
    ] {
        assert_eq!(name(&parts("POST", path, &[])), None, "{path}");
    }
    assert_eq!(name(&parts("GET", plain, &[])), None);
    for header in
        ["x-amz-log-type", "x-amz-client-context", "x-amz-tenant-id", "x-amz-target", "smithy-protocol"]
    {
        assert_eq!(name(&parts("POST", plain, &[(header, "x")])), None, "{header}");
    }
}
