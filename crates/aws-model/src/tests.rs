//! The generated tables and types, driven as a client would.

use bytes::Bytes;
use http::{Request, Response};

use crate::{Api, Call, Rejection, ServiceError, Typed, Value, lambda, logs, sts};

fn accept(api: &Api, request: Request<&str>) -> Result<Call, Rejection> {
    let (parts, body) = request.into_parts();
    api.accept(&parts, Bytes::copy_from_slice(body.as_bytes()))
}

fn rest(method: &str, uri: &str, body: &'static str) -> Request<&'static str> {
    Request::builder().method(method).uri(uri).body(body).expect("a request")
}

fn target(target: &str, body: &'static str) -> Request<&'static str> {
    Request::builder().method("POST").uri("/").header("x-amz-target", target).body(body).expect("a request")
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).expect("UTF-8")
}

fn message(result: Result<Call, Rejection>) -> String {
    result.expect_err("a rejection").error.message
}

#[test]
fn every_operation_is_routed_to_itself() {
    let api = Api::new(&lambda::SERVICE);
    let mut routed = 0;
    for operation in lambda::SERVICE.operations {
        let uri = operation.uri.replace('{', "a").replace('}', "z");
        let (parts, ()) =
            Request::builder().method(operation.method).uri(uri).body(()).expect("a request").into_parts();
        let found = api.peek(&parts).expect("a route").operation.name;
        // A legacy twin: the same method and path below another date.
        assert_eq!(found, operation.name);
        routed += 1;
    }
    assert_eq!(routed, 56);
}

#[test]
fn create_function_comes_typed() {
    let api = Api::new(&lambda::SERVICE);
    let body = r#"{"FunctionName":"f","Runtime":"python3.13","Role":"arn:aws:iam::000000000000:role/r","Handler":"a.b",
        "Code":{"ZipFile":"UEs="},"MemorySize":256,"Environment":{"Variables":{"KEY":"secret"}},"Publish":true,"Other":1}"#;
    let call = accept(&api, rest("POST", "/2015-03-31/functions/", body)).expect("a call");
    assert_eq!(call.target.operation.name, "CreateFunction");
    let input: lambda::CreateFunctionRequest = call.input().expect("typed");
    assert_eq!(input.memory_size, Some(256));
    assert_eq!(input.publish, Some(true));
    assert_eq!(input.code.as_ref().and_then(|code| code.zip_file.clone()), Some(Bytes::from_static(b"PK")));
    let shown = format!("{input:?}");
    assert!(!shown.contains("secret") && shown.contains("***"), "{shown}");
    let again = lambda::CreateFunctionRequest::from_value(input.clone().into_value()).expect("typed");
    assert_eq!(again, input);
}

#[test]
fn violations_are_counted_and_worded_as_aws_words_them() {
    let api = Api::new(&lambda::SERVICE);
    let body = r#"{"FunctionName":"f","Role":"nope","Code":{},"MemorySize":1,"PackageType":"Tar","Layers":[""],
        "Environment":{"Variables":{"1":"v"}}}"#;
    let found = message(accept(&api, rest("POST", "/2015-03-31/functions", body)));
    assert!(found.starts_with("5 validation errors detected: "), "{found}");
    for sentence in [
        "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
        "Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
        "Value 'Tar' at 'packageType' failed to satisfy constraint: Member must satisfy enum value set: [Zip, Image]",
        "Value 'nope' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
        "Value '[]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1, ",
    ] {
        assert!(found.contains(sentence), "{sentence}\nnot in\n{found}");
    }
    let found = message(accept(&api, rest("POST", "/2015-03-31/functions", "{\"Code\":{}}")));
    assert_eq!(
        found,
        "2 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; \
         Value null at 'role' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn alias_names_must_not_be_numbers() {
    let api = Api::new(&lambda::SERVICE);
    let alias = |body| accept(&api, rest("POST", "/2015-03-31/functions/f/aliases", body));
    assert!(alias(r#"{"Name":"live","FunctionVersion":"1"}"#).is_ok());
    let found = message(alias(r#"{"Name":"12","FunctionVersion":"1"}"#));
    assert!(found.contains("pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"), "{found}");
}

#[test]
fn modelled_errors_carry_their_members() {
    let api = Api::new(&lambda::SERVICE);
    let call = accept(&api, rest("GET", "/2015-03-31/functions/f", "")).expect("a call");
    let error = lambda::error::RESOURCE_NOT_FOUND.say("Function not found: f");
    let response = api.answer(call.target, Err(error), "id-1");
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    assert_eq!(response.headers()["x-amzn-requestid"], "id-1");
    assert_eq!(text(&response), r#"{"Message":"Function not found: f","Type":"User"}"#);

    let error = lambda::error::TOO_MANY_REQUESTS
        .say("Rate Exceeded.")
        .with("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded")
        .with("retryAfterSeconds", "1");
    let response = api.answer(call.target, Err(error), "id-2");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"1".parse().expect("text"))
    );
    assert_eq!(
        text(&response),
        r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}"#
    );
}

#[test]
fn unknown_operations_answer_per_protocol() {
    let (lambda, logs, sts) = (Api::new(&lambda::SERVICE), Api::new(&logs::SERVICE), Api::new(&sts::SERVICE));
    let rejection = accept(&lambda, rest("GET", "/nowhere", "")).expect_err("no route");
    assert_eq!(lambda.reject(&rejection, "i").status(), 404);
    let rejection = accept(&logs, target("Logs_20140328.Nothing", "{}")).expect_err("no target");
    let response = logs.reject(&rejection, "i");
    assert_eq!(
        (response.status().as_u16(), text(&response)),
        (400, r#"{"__type":"UnknownOperationException"}"#)
    );
    let request = rest("POST", "/", "Action=Nothing&Version=2011-06-15");
    let rejection = accept(&sts, request).expect_err("no action");
    let response = sts.reject(&rejection, "i");
    assert_eq!(response.status(), 400);
    let body = "<Error><Type>Sender</Type><Code>InvalidAction</Code>\
        <Message>Could not find operation Nothing for version 2011-06-15</Message></Error><RequestId>i</RequestId>";
    assert!(text(&response).contains(body), "{}", text(&response));
}

#[test]
fn sts_speaks_xml() {
    let api = Api::new(&sts::SERVICE);
    let call =
        accept(&api, rest("POST", "/", "Action=GetCallerIdentity&Version=2011-06-15")).expect("a call");
    let output = sts::GetCallerIdentityResponse {
        account: Some("000000000000".to_owned()),
        arn: Some("arn:aws:iam::000000000000:root".to_owned()),
        user_id: None,
    };
    let response = api.answer(call.target, Ok(output.into_value()), "i");
    assert_eq!(response.headers()["content-type"], "text/xml");
    assert_eq!(
        text(&response),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Account>000000000000</Account><Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>i</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
}

#[test]
fn logs_events_are_named_by_their_place() {
    let api = Api::new(&logs::SERVICE);
    let body = r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1,"message":""}]}"#;
    let rejection = accept(&api, target("Logs_20140328.PutLogEvents", body)).expect_err("too short");
    assert_eq!(rejection.error.code, "InvalidParameterException");
    assert!(
        text(&api.reject(&rejection, "i"))
            .starts_with(r#"{"__type":"InvalidParameterException","message":"1 val"#)
    );
    assert_eq!(
        rejection.error.message,
        "1 validation error detected: Value '' at 'logEvents.1.member.message' failed to satisfy constraint: \
         Member must have length greater than or equal to 1"
    );
}

#[test]
fn d8_hostile_bodies_are_refused() {
    let api = Api::new(&logs::SERVICE);
    let bomb: &'static str = "[".repeat(1_000_000).leak();
    let objects: &'static str = "{\"a\":".repeat(1_000_000).leak();
    for body in [
        bomb,
        objects,
        "{\"limit\":1e999}",
        "{\"limit\":1,\"limit\":2}",
        "{",
        "[]",
        "{\"limit\":\"x\"}",
        "\u{0}",
    ] {
        let rejection = accept(&api, target("Logs_20140328.DescribeLogGroups", body)).expect_err("refused");
        assert_eq!((rejection.error.code.as_ref(), rejection.error.status), ("SerializationException", 400));
        assert!(api.reject(&rejection, "i").body().len() < 1000);
    }
}

#[test]
fn streams_are_framed() {
    let api = Api::new(&lambda::SERVICE);
    let uri = "/2021-11-15/functions/f/response-streaming-invocations";
    let call = accept(&api, rest("POST", uri, "raw \u{1} body")).expect("a call");
    assert_eq!(call.input.get("Payload"), Some(&Value::Blob(Bytes::from_static(b"raw \x01 body"))));
    let head = lambda::InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some("3".to_owned()),
        ..Default::default()
    };
    let response = api.answer(call.target, Ok(head.into_value()), "i");
    assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
    assert_eq!(response.headers()["x-amz-executed-version"], "3");
    assert!(response.body().is_empty());

    let chunk = lambda::InvokeResponseStreamUpdate { payload: Some(Bytes::from_static(b"hi")) };
    let frame = api.event(call.target, "PayloadChunk", &chunk.into_value()).expect("a frame");
    let done = lambda::InvokeWithResponseStreamCompleteEvent {
        error_code: Some("Unhandled".to_owned()),
        ..Default::default()
    };
    let last = api.event(call.target, "InvokeComplete", &done.into_value()).expect("a frame");
    let mut stream = bytes::BytesMut::from(&[frame, last].concat()[..]);
    let read =
        |stream: &mut _| anyfn_wire::eventstream::Message::decode(stream).expect("whole").expect("a frame");
    let first = read(&mut stream);
    assert_eq!(first.header(":event-type"), Some("PayloadChunk"));
    assert_eq!(first.header(":content-type"), Some("application/octet-stream"));
    assert_eq!(first.payload, "hi");
    let second = read(&mut stream);
    assert_eq!(second.header(":event-type"), Some("InvokeComplete"));
    assert_eq!(second.payload, r#"{"ErrorCode":"Unhandled"}"#);
    assert!(api.event(call.target, "Nothing", &Value::empty()).is_err());
}

struct One;

impl lambda::Handler<&'static str> for One {
    async fn get_function(
        &self,
        cx: &'static str,
        input: lambda::GetFunctionRequest,
    ) -> Result<lambda::GetFunctionResponse, ServiceError> {
        let configuration = lambda::FunctionConfiguration {
            function_name: input.function_name,
            description: Some(cx.to_owned()),
            ..Default::default()
        };
        Ok(lambda::GetFunctionResponse { configuration: Some(configuration), ..Default::default() })
    }
}

#[tokio::test]
async fn dispatch_calls_the_method_of_the_operation() {
    let api = Api::new(&lambda::SERVICE);
    let call = accept(
        &api,
        rest("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af", ""),
    )
    .expect("a call");
    let target = call.target;
    let result = lambda::dispatch(&One, "me", call).await;
    let response = api.answer(target, result, "i");
    assert_eq!(
        text(&response),
        r#"{"Configuration":{"Description":"me","FunctionName":"arn:aws:lambda:eu-west-1:123456789012:function:f"}}"#
    );
    let call = accept(&api, rest("DELETE", "/2015-03-31/functions/f", "")).expect("a call");
    let error = lambda::dispatch(&One, "me", call).await.expect_err("not written");
    assert_eq!((error.code.as_ref(), error.status), ("NotImplementedException", 501));
}

/// A value with every member set; lists and maps have one element.
fn full(service: &anyfn_wire::schema::Service, id: anyfn_wire::schema::ShapeId, depth: usize) -> Value {
    use anyfn_wire::schema::Kind;
    match &service.shape(id).kind {
        Kind::Structure(structure) if structure.document => Value::from([("any", true)]),
        Kind::Structure(structure) if depth < 8 => {
            let member =
                |m: &anyfn_wire::schema::Member| (m.name.to_owned(), full(service, m.shape, depth + 1));
            Value::Map(structure.members.iter().map(member).collect())
        }
        Kind::Structure(_) => Value::empty(),
        Kind::List(item) => Value::List(vec![full(service, item.shape, depth + 1)]),
        Kind::Map(_, item) => Value::from([("key", full(service, item.shape, depth + 1))]),
        Kind::String => Value::from("text"),
        Kind::Bool => Value::Bool(true),
        Kind::Int | Kind::Long => Value::Int(7),
        Kind::Float => Value::Float(0.5),
        Kind::Blob => Value::Blob(Bytes::from_static(b"blob")),
        Kind::Timestamp(_) => Value::Timestamp(crate::Timestamp::from_millis(1)),
    }
}

struct Nothing;

impl lambda::Handler<()> for Nothing {}
impl logs::Handler<()> for Nothing {}
impl sts::Handler<()> for Nothing {}

/// Every input's struct takes what its schema allows: else the answer would be `SerializationException`.
#[tokio::test]
async fn every_input_fits_its_struct() {
    let mut seen = 0;
    for service in [&lambda::SERVICE, &logs::SERVICE, &sts::SERVICE] {
        for operation in service.operations {
            let target = crate::Target { operation, protocol: service.protocols[0] };
            let input = operation.input.map_or_else(Value::empty, |id| full(service, id, 0));
            let call = Call { target, input };
            let result = match service.name {
                "lambda" => lambda::dispatch(&Nothing, (), call).await,
                "logs" => logs::dispatch(&Nothing, (), call).await,
                _ => sts::dispatch(&Nothing, (), call).await,
            };
            let error = result.expect_err("nothing is served");
            assert_eq!(error.code, "NotImplementedException", "{}", operation.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 56 + 15 + 1);
}

/// An answer with every member set survives its struct unchanged.
#[test]
fn a_full_configuration_survives_its_struct() {
    let service = &lambda::SERVICE;
    let operation = service.operation("GetFunctionConfiguration").expect("an operation");
    let value = full(service, operation.output.expect("an output"), 0);
    let typed = lambda::FunctionConfiguration::from_value(value.clone()).expect("typed");
    assert_eq!(typed.into_value(), value);
}

/// Which patterns of the models are enforced only in part. Codegen prints them; this keeps the list from growing unseen.
#[test]
fn all_but_three_patterns_are_exact() {
    let mut weaker = Vec::new();
    for shape in [&lambda::SERVICE, &logs::SERVICE, &sts::SERVICE].iter().flat_map(|service| service.shapes) {
        if !shape.pattern.is_empty() {
            let pattern = anyfn_wire::Pattern::new(shape.pattern).expect(shape.name);
            if pattern.is_relaxed() {
                weaker.push(shape.name);
            }
        }
    }
    assert_eq!(weaker, ["CollectionName", "FunctionUrlFunctionName", "S3Bucket"]);
}
