use anyfn_web::Request;
use serde_json::{Value, json};

use super::world::{Answer, World};

const URL: &str = "/2021-10-31/functions/f/url";

/// A world with an address of `f`, and the address' id.
async fn addressed(settings: Value) -> (World, String) {
    let world = World::with_function("f").await;
    let created = world.ask("POST", URL, settings).await;
    assert_eq!(created.status, 201, "{created:?}");
    let url = created.json()["FunctionUrl"].as_str().unwrap().to_owned();
    let id = url.strip_prefix("http://127.0.0.1:4566/_url/").unwrap().strip_suffix('/').unwrap().to_owned();
    (world, id)
}

async fn visit(world: &World, id: &str, request: Request) -> Answer {
    let path = request.parts.uri.path().to_owned();
    World::read(world.aws.url(id, &path, request).await).await
}

fn post(answer: &Value) -> Request {
    let mut request = World::request("POST", "/p", json!({ "answer": answer }).to_string());
    request.parts.headers.insert("content-type", "application/json".parse().unwrap());
    request
}

#[tokio::test]
async fn an_address_gives_the_event_and_maps_the_answer() {
    let (world, id) = addressed(json!({"AuthType": "NONE"})).await;
    let event = visit(&world, &id, World::request("GET", "/a?x=1", "")).await;
    assert_eq!(event.status, 200);
    assert_eq!((&event.json()["rawPath"], &event.json()["rawQueryString"]), (&json!("/a"), &json!("x=1")));
    assert_eq!(event.json()["requestContext"]["apiId"], id);
    assert_eq!(event.json()["requestContext"]["requestId"], event.header("x-amzn-requestid"));
    let answer =
        visit(&world, &id, post(&json!({"statusCode": 418, "headers": {"x-a": "b"}, "body": "tea"}))).await;
    assert_eq!((answer.status, answer.header("x-a"), &answer.body[..]), (418, "b", &b"tea"[..]));
}

#[tokio::test]
async fn b8_a_function_cannot_break_the_answer_apart() {
    let (world, id) = addressed(json!({"AuthType": "NONE"})).await;
    for bad in [
        json!({"statusCode": 200, "headers": {"a": "b\r\nset-cookie: x"}}),
        json!({"statusCode": 200, "headers": {"transfer-encoding": "chunked"}}),
        json!({"statusCode": 999}),
    ] {
        let answer = visit(&world, &id, post(&bad)).await;
        assert_eq!(
            (answer.status, answer.json()),
            (502, json!({"message": "Internal Server Error"})),
            "{bad}"
        );
        assert!(answer.headers.get("set-cookie").is_none());
    }
}

#[tokio::test]
async fn b10_what_a_caller_says_of_proxies_does_not_reach_the_function() {
    let (world, id) = addressed(json!({"AuthType": "NONE"})).await;
    let mut request = World::request("GET", "/", "");
    for (name, value) in
        [("x-forwarded-for", "1.1.1.1"), ("x-amzn-trace-id", "Root=evil"), ("x-amz-cf-id", "x")]
    {
        request.parts.headers.insert(name, value.parse().unwrap());
    }
    let headers = visit(&world, &id, request).await.json()["headers"].clone();
    assert_eq!((&headers["x-forwarded-for"], headers.get("x-amz-cf-id")), (&json!("203.0.113.7"), None));
    assert!(headers["x-amzn-trace-id"].as_str().unwrap().starts_with("Root=1-6553f100-"));
}

#[tokio::test]
async fn an_address_with_iam_serves_keys_of_its_account() {
    let (world, id) = addressed(json!({"AuthType": "AWS_IAM"})).await;
    assert_eq!(visit(&world, &id, World::request("GET", "/", "")).await.status, 200);
    let mut stranger = World::request("GET", "/", "");
    stranger.caller.account = "999999999999".to_owned();
    let mut unsigned = World::request("GET", "/", "");
    unsigned.caller.key.0.clear();
    let mut admin_only = World::request("GET", "/", "");
    admin_only.caller.rights.invoke = false;
    for request in [stranger, unsigned, admin_only] {
        let answer = visit(&world, &id, request).await;
        assert_eq!((answer.status, answer.json()), (403, json!({"Message": "Forbidden"})));
    }
}

#[tokio::test]
async fn addresses_that_are_not_there_tell_nothing() {
    let (world, id) = addressed(json!({"AuthType": "NONE"})).await;
    for wrong in ["", "nope", "../x", &"a".repeat(65), &id.to_uppercase()] {
        let answer = visit(&world, wrong, World::request("GET", "/", "")).await;
        assert_eq!((answer.status, answer.json()), (403, json!({"Message": "Forbidden"})), "{wrong}");
    }
    assert_eq!(world.ask("DELETE", URL, Value::Null).await.status, 204);
    assert_eq!(visit(&world, &id, World::request("GET", "/", "")).await.status, 403);
    assert_eq!(world.ask("GET", URL, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_function_that_fails_or_is_off_has_its_own_status() {
    let (world, id) = addressed(json!({"AuthType": "NONE"})).await;
    let mut failing = World::request("POST", "/", r#"{"fail":1}"#);
    failing.parts.headers.insert("content-type", "application/json".parse().unwrap());
    assert_eq!(visit(&world, &id, failing).await.status, 502);
    let off = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(world.ask("PUT", "/2017-10-31/functions/f/concurrency", off).await.status, 200);
    assert_eq!(visit(&world, &id, World::request("GET", "/", "")).await.status, 429);
    let throttled = world.ask("POST", "/2015-03-31/functions/f/invocations", json!({})).await;
    assert_eq!((throttled.status, throttled.header("retry-after")), (429, "1"));
    assert_eq!(throttled.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test]
async fn cors_is_answered_here() {
    let cors = json!({"AllowOrigins": ["https://a.example"], "AllowMethods": ["POST"]});
    let (world, id) = addressed(json!({"AuthType": "AWS_IAM", "Cors": cors})).await;
    let mut preflight = World::request("OPTIONS", "/", "");
    preflight.caller.key.0.clear();
    preflight.parts.headers.insert("origin", "https://a.example".parse().unwrap());
    preflight.parts.headers.insert("access-control-request-method", "POST".parse().unwrap());
    let granted = visit(&world, &id, preflight).await;
    assert_eq!((granted.status, granted.header("access-control-allow-origin")), (200, "https://a.example"));
    let mut call = World::request("GET", "/", "");
    call.parts.headers.insert("origin", "https://a.example".parse().unwrap());
    assert_eq!(visit(&world, &id, call).await.header("access-control-allow-origin"), "https://a.example");
}
