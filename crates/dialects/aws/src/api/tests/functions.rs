use anyfn_policy::Rights;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::world::{ACCOUNT, World, function};

const F: &str = "/2015-03-31/functions";

fn arn(tail: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{tail}")
}

#[tokio::test]
async fn a_function_is_created_becomes_active_runs_and_goes() {
    let world = World::new().await;
    let created = world.create("hello").await;
    assert_eq!((created.status, &created.json()["State"]), (201, &json!("Pending")));
    assert_eq!(created.json()["StateReasonCode"], "Creating");
    assert_eq!(created.json().get("LastUpdateStatus"), None);
    let active = world.settled("hello").await;
    assert_eq!((&active["State"], &active["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));

    let mut request = World::request("POST", &format!("{F}/hello/invocations"), r#"{"answer":[1]}"#);
    request.parts.headers.insert("x-amz-log-type", "Tail".parse().unwrap());
    let answer = world.send(request).await;
    assert_eq!(
        (answer.status, &answer.body[..], answer.header("content-type")),
        (200, &b"[1]"[..], "application/json")
    );
    assert_eq!(answer.header("x-amz-executed-version"), "$LATEST");
    assert_eq!(answer.header("x-amz-log-result"), STANDARD.encode("tail"));
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);

    let failed = world.ask("POST", &format!("{F}/hello/invocations"), json!({"fail": 1})).await;
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, "Unhandled"));
    assert_eq!(failed.json()["errorType"], "E");

    assert_eq!(world.ask("DELETE", &format!("{F}/hello"), Value::Null).await.status, 204);
    let gone = world.ask("GET", &format!("{F}/hello"), Value::Null).await.error();
    let text = format!("Function not found: {}", arn("hello"));
    assert_eq!(gone, (404, "ResourceNotFoundException".into(), text));
}

#[tokio::test]
async fn kinds_of_invocation_have_their_own_status() {
    let world = World::with_function("f").await;
    for (kind, status) in [("Event", 202), ("DryRun", 204), ("RequestResponse", 200)] {
        let mut request = World::request("POST", &format!("{F}/f/invocations"), "{}");
        request.parts.headers.insert("x-amz-invocation-type", kind.parse().unwrap());
        assert_eq!(world.send(request).await.status, status, "{kind}");
    }
    let old = world.ask("POST", "/2014-11-13/functions/f/invoke-async/", json!({})).await;
    assert_eq!(old.status, 202);
}

#[tokio::test]
async fn a_runtime_that_is_not_here_fails_the_function_with_a_reason() {
    let world = World::new().await;
    let mut body = function("f");
    body["Runtime"] = json!("ruby3.2");
    assert_eq!(world.ask("POST", F, body).await.status, 201);
    let failed = world.settled("f").await;
    assert_eq!((&failed["State"], &failed["StateReasonCode"]), (&json!("Failed"), &json!("InvalidRuntime")));
    assert_eq!(failed["StateReason"], "ruby is not here");
    let publish = world.ask("POST", &format!("{F}/f/versions"), json!({})).await;
    assert_eq!(publish.error().1, "ResourceConflictException");
}

#[tokio::test]
async fn what_cannot_be_created_is_said_in_aws_words() {
    let world = World::with_function("taken").await;
    let invalid = "InvalidParameterValueException";
    let cases: [(&str, Value, &str, &str); 9] = [
        ("/FunctionName", json!("taken"), "ResourceConflictException", "Function already exist: taken"),
        (
            "/Code",
            json!({"ZipFile": STANDARD.encode("bad")}),
            invalid,
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            "/Code",
            json!({"ZipFile": STANDARD.encode("big")}),
            invalid,
            "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 bytes.",
        ),
        ("/Code", json!({}), invalid, "Please provide a source for function code."),
        (
            "/Code",
            json!({"S3Bucket": "bucket", "S3Key": "k"}),
            invalid,
            "Code from S3 is not served yet: send the code as a zip file (ZipFile).",
        ),
        (
            "/Code",
            json!({"ImageUri": "x"}),
            invalid,
            "Container images are not served yet: send the code as a zip file (ZipFile).",
        ),
        (
            "/Handler",
            Value::Null,
            invalid,
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ),
        (
            "/Layers",
            json!([format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:x:1")]),
            invalid,
            &format!("Layer version arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:x:1 does not exist."),
        ),
        (
            "/MemorySize",
            json!(10_241),
            "ValidationException",
            "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
        ),
    ];
    for (field, value, code, text) in cases {
        let mut body = function("new");
        body[&field[1..]] = value;
        let (_, got, message) = world.ask("POST", F, body).await.error();
        assert_eq!((got.as_str(), message.as_str()), (code, text), "{field}");
    }
    let mut body = function("new");
    body["Runtime"] = json!("cobol");
    let (status, code, message) = world.ask("POST", F, body).await.error();
    assert_eq!((status, code.as_str()), (400, invalid));
    assert!(message.starts_with("Value cobol at 'runtime' failed to satisfy constraint: "), "{message}");
    assert!(message.ends_with("] or be a valid ARN"), "{message}");
    let listed = world.ask("GET", F, Value::Null).await.json();
    assert_eq!(listed["Functions"].as_array().unwrap().len(), 1, "nothing else was created");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_guards_by_revision() {
    let world = World::with_function("f").await;
    let before = world.settled("f").await;
    let path = format!("{F}/f/configuration");
    let stale = world.ask("PUT", &path, json!({"RevisionId": "old", "Timeout": 9})).await;
    assert_eq!((stale.status, stale.error().1.as_str()), (412, "PreconditionFailedException"));
    let change = json!({"RevisionId": before["RevisionId"], "Timeout": 9, "Environment": {"Variables": {"AB": "c"}},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:q"}, "LoggingConfig": {"LogFormat": "JSON"}});
    let changed = world.ask("PUT", &path, change).await;
    assert_eq!((changed.status, &changed.json()["LastUpdateStatus"]), (200, &json!("InProgress")));
    let after = world.settled("f").await;
    assert_eq!((&after["Timeout"], &after["Handler"]), (&json!(9), &json!("m.h")));
    assert_eq!(after["DeadLetterConfig"]["TargetArn"], "arn:aws:sqs:eu-west-1:123456789012:q");
    let logging = json!({"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/f"});
    assert_eq!(after["LoggingConfig"], logging);
    assert_ne!(after["RevisionId"], before["RevisionId"]);
    world.ask("PUT", &path, json!({"DeadLetterConfig": {"TargetArn": ""}, "Environment": {}})).await;
    let last = world.settled("f").await;
    assert_eq!((last.get("DeadLetterConfig"), &last["Environment"]), (None, &json!({"Variables": {}})));
}

#[tokio::test]
async fn a_dry_run_of_new_code_changes_nothing() {
    let world = World::with_function("f").await;
    let before = world.settled("f").await;
    let body = json!({"ZipFile": STANDARD.encode("PK2"), "DryRun": true});
    let tried = world.ask("PUT", &format!("{F}/f/code"), body).await.json();
    assert_ne!(tried["CodeSha256"], before["CodeSha256"]);
    assert_eq!(world.settled("f").await, before);
}

#[tokio::test]
async fn a_package_can_be_fetched_where_the_answer_says() {
    let world = World::with_function("f").await;
    let got = world.ask("GET", &format!("{F}/f"), Value::Null).await.json();
    assert_eq!(got["Code"]["RepositoryType"], "S3");
    let location =
        got["Code"]["Location"].as_str().unwrap().strip_prefix("http://127.0.0.1:4566").unwrap().to_owned();
    let fetch = |path: String| {
        let aws = &world.aws;
        async move { World::read(aws.code(World::request("GET", &path, "")).await).await }
    };
    let package = fetch(location.clone()).await;
    assert_eq!((package.status, &package.body[..]), (200, &b"PK"[..]));
    let path = location.split_once('?').unwrap().0.to_owned();
    assert_eq!(fetch(path).await.status, 403);
}

#[tokio::test]
async fn names_may_be_arns_and_qualifiers_must_agree() {
    let world = World::with_function("f").await;
    let encoded = arn("f").replace(':', "%3A");
    for name in ["f", "f:$LATEST", "123456789012:function:f", &encoded] {
        assert_eq!(world.ask("GET", &format!("{F}/{name}"), Value::Null).await.status, 200, "{name}");
    }
    let both = world.ask("GET", &format!("{F}/f:1?Qualifier=2"), Value::Null).await.error();
    assert_eq!(
        both.2,
        "The derived qualifier from the function name does not match the specified qualifier."
    );
}

#[tokio::test]
async fn f9_a_key_that_may_only_invoke_does_nothing_else() {
    let world = World::with_function("f").await;
    let ask = |method: &'static str, path: String, rights: Rights| {
        let mut request = World::request(method, &path, Bytes::new());
        request.caller.rights = rights;
        world.send(request)
    };
    let only_invoke = Rights { invoke: true, admin: false };
    assert_eq!(ask("POST", format!("{F}/f/invocations"), only_invoke).await.status, 200);
    let denied = ask("DELETE", format!("{F}/f"), only_invoke).await.error();
    let text = "User: arn:aws:iam::123456789012:root is not authorized to perform: lambda:DeleteFunction";
    assert_eq!(denied, (403, "AccessDeniedException".into(), text.into()));
    let only_admin = Rights { invoke: false, admin: true };
    assert_eq!(ask("POST", format!("{F}/f/invocations"), only_admin).await.status, 403);
}

#[tokio::test]
async fn f3_another_account_sees_nothing() {
    let world = World::with_function("f").await;
    let mut request = World::request("GET", &format!("{F}/f"), "");
    request.caller.account = "999999999999".to_owned();
    let (status, code, text) = world.send(request).await.error();
    assert_eq!((status, code.as_str()), (404, "ResourceNotFoundException"));
    assert_eq!(text, "Function not found: arn:aws:lambda:eu-west-1:999999999999:function:f");
}

#[tokio::test]
async fn requests_that_are_for_nobody_are_refused_in_their_own_protocol() {
    let world = World::new().await;
    let mut request = World::request("GET", "/", "");
    request.service = Some("s3".to_owned());
    let answer = world.send(request).await;
    assert_eq!(answer.status, 501);
    assert!(String::from_utf8_lossy(&answer.body).contains("<Code>NotImplementedException</Code>"));
    let unknown = world.ask("GET", "/2015-03-31/nothing", Value::Null).await;
    assert_eq!((unknown.status, unknown.error().1.as_str()), (404, "UnknownOperationException"));
    let sts = World::request("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15");
    let mut sts = sts;
    sts.parts.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let who = world.send(sts).await;
    assert!(String::from_utf8_lossy(&who.body).contains("<Arn>arn:aws:iam::123456789012:root</Arn>"));
}
