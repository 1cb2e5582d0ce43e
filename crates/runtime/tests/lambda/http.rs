//! The Runtime API over HTTP, with custom runtimes written in a few lines of Python.

use anyfn_core::{Frame, ReplyBody};
use serde_json::json as value;

use crate::bench::{Bench, Spec, collect, json};

/// A client of the Runtime API. `call(method, path, body, headers)` gives status, headers and body.
const CLIENT: &str = r"#!/usr/bin/python3 -IS
import http.client, json, os, sys
link = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def call(method, path, body=None, headers={}):
    link.request(method, '/2018-06-01/runtime' + path, body, headers)
    answer = link.getresponse()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
def next():
    status, headers, body = call('GET', '/invocation/next')
    assert status == 200, status
    return headers['lambda-runtime-aws-request-id'], headers, json.loads(body)
def status_type(answer):
    return [answer[0], json.loads(answer[2]).get('errorType')]
";

fn provided(text: &str) -> Spec {
    let mut spec = Spec::new("provided.al2023", "my.handler", &[]);
    spec.files.push(("bootstrap", format!("{CLIENT}{text}")));
    spec
}

#[tokio::test]
async fn a_custom_runtime_answers() {
    let bench = Bench::new().await;
    let text = r"
while True:
    id, headers, event = next()
    about = {k: v for k, v in headers.items() if k.startswith('lambda-runtime')}
    assert call('POST', f'/invocation/{id}/response', json.dumps([event, about]))[0] == 202
";
    let mut up = bench.up(provided(text)).await;
    let mut call = up.call(r#"{"a":1}"#);
    call.client_context = Some("{}".to_owned());
    let deadline = up.deadline();
    let answer = crate::bench::whole(up.guest.invoke(&call, deadline).await.unwrap()).unwrap();
    assert_eq!(answer[0], value!({"a": 1}));
    let about = answer[1].as_object().unwrap();
    let mut names: Vec<_> = about.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["aws-request-id", "client-context", "deadline-ms", "invoked-function-arn"];
    assert_eq!(names, expected.map(|name| format!("lambda-runtime-{name}")));
    assert_eq!(
        about["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:eu-west-1:123456789012:function:hello"
    );
    assert!(up.guest.settled().await);
    assert_eq!(up.ask("2").await.unwrap()[0], value!(2));
}

#[tokio::test]
async fn wrong_calls_are_refused_in_lambdas_words_and_change_nothing() {
    let bench = Bench::new().await;
    let text = r"
seen = []
seen.append(status_type(call('POST', '/invocation/none/response', '1')))
seen.append(call('GET', '/restore/next')[0])
seen.append(call('GET', '/nothing')[0])
link.request('GET', '/2018-06-01/ping'); seen.append(link.getresponse().read().decode())
id, _, event = next()
seen.append(status_type(call('GET', '/invocation/next')))
seen.append(status_type(call('POST', '/invocation/other/response', '1')))
seen.append(status_type(call('POST', '/invocation/other/error', '{}')))
seen.append(status_type(call('POST', '/init/error', '{}')))
assert call('POST', f'/invocation/{id}/response', json.dumps(seen))[0] == 202
second = status_type(call('POST', f'/invocation/{id}/response', '1'))
id, _, event = next()
call('POST', f'/invocation/{id}/response', json.dumps(second))
next()
";
    let mut up = bench.up(provided(text)).await;
    let expected = value!([
        [400, "InvalidRequestID"],
        404,
        404,
        "pong",
        [403, "InvalidStateTransition"],
        [400, "InvalidRequestID"],
        [400, "InvalidRequestID"],
        [403, "InvalidStateTransition"],
    ]);
    assert_eq!(up.ask("{}").await.unwrap(), expected);
    assert_eq!(up.ask("{}").await.unwrap(), value!([403, "InvalidStateTransition"]));
}

#[tokio::test]
async fn errors_pass_verbatim_with_their_type() {
    let bench = Bench::new().await;
    let text = r"
for kind in [{'Lambda-Runtime-Function-Error-Type': 'My.Type'}, {}]:
    id, _, event = next()
    call('POST', f'/invocation/{id}/error', '{ \'errorMessage\':\'m\', \'errorType\': \'Body.Type\'}'.replace(chr(39), chr(34)), kind)
next()
";
    let mut up = bench.up(provided(text)).await;
    let failure = up.ask("{}").await.unwrap_err();
    assert_eq!(failure.error_type, "My.Type");
    assert_eq!(failure.payload, r#"{ "errorMessage":"m", "errorType": "Body.Type"}"#);
    assert!(failure.handled_by_runtime);
    assert_eq!(up.ask("{}").await.unwrap_err().error_type, "Body.Type");
    let init = provided("call('POST', '/init/error', '{\"errorType\":\"Init.Bad\"}')\nnext()\n");
    assert_eq!(bench.fails(init).await.error_type, "Init.Bad");
}

#[tokio::test]
async fn a_too_large_answer_is_413_and_the_runtime_goes_on() {
    let bench = Bench::new().await;
    let text = r"
id, _, event = next()
first = status_type(call('POST', f'/invocation/{id}/response', 'x' * 200001))
id, _, event = next()
call('POST', f'/invocation/{id}/response', json.dumps(first))
next()
";
    let mut spec = provided(text);
    spec.limits.payload_bytes = 200_000;
    let mut up = bench.up(spec).await;
    let failure = up.ask("{}").await.unwrap_err();
    assert_eq!(failure.error_type, "Function.ResponseSizeTooLarge");
    assert_eq!(
        json(&failure)["errorMessage"],
        "Response payload size (200001 bytes) exceeded maximum allowed payload size (200000 bytes)."
    );
    assert_eq!(up.ask("{}").await.unwrap(), value!([413, "RequestEntityTooLarge"]));
}

const STREAMER: &str = r"
import base64, socket
def send(id, chunks, trailers, end=True):
    raw = socket.create_connection(('127.0.0.1', 9001))
    raw.sendall((f'POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n'
      'Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n'
      'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n').encode())
    for chunk in chunks:
        raw.sendall(b'%x\r\n%s\r\n' % (len(chunk), chunk))
    if end:
        raw.sendall(b'0\r\n' + ''.join(f'{k}: {v}\r\n' for k, v in trailers.items()).encode() + b'\r\n')
        status = raw.recv(4096).split()[1]
    raw.close()
id, _, _ = next()
send(id, [b'one', b'two'], {})
id, _, _ = next()
send(id, [b'one'], {'Lambda-Runtime-Function-Error-Type': 'Mid.Stream', 'Lambda-Runtime-Function-Error-Body': base64.b64encode(b'{}').decode()})
id, _, _ = next()
send(id, [b'one'], {}, end=False)
# Until the server has seen that the connection is gone.
answer = call('GET', '/invocation/next')
while answer[0] == 403:
    answer = call('GET', '/invocation/next')
id = answer[1]['lambda-runtime-aws-request-id']
call('POST', f'/invocation/{id}/response', '1', {'Lambda-Runtime-Function-Response-Mode': 'bogus'})
next()
";

#[tokio::test]
async fn streams_over_http_end_break_and_are_cut() {
    let bench = Bench::new().await;
    let mut up = bench.up(provided(STREAMER)).await;
    let mut ends = Vec::new();
    for _ in 0..3 {
        let reply = up.try_invoke("{}").await.unwrap();
        let Ok(ReplyBody::Stream { content_type, mut frames }) = reply.result else { panic!("no stream") };
        assert_eq!(content_type.as_deref(), Some("text/x"));
        let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
        assert!(settled);
        let last = match last {
            Some(Frame::Failed(failure)) => failure.error_type,
            other => format!("{other:?}"),
        };
        ends.push((String::from_utf8(bytes).unwrap(), last));
    }
    let expected = [("onetwo", "Some(End)"), ("one", "Mid.Stream"), ("one", "Runtime.TruncatedResponse")];
    assert_eq!(ends, expected.map(|(bytes, last)| (bytes.to_owned(), last.to_owned())));
    assert_eq!(up.ask("{}").await.unwrap_err().error_type, "Runtime.InvalidResponseModeHeader");
}

#[tokio::test]
async fn a_package_without_an_entry_point_says_so() {
    let bench = Bench::new().await;
    let failure = bench.fails(Spec::new("provided.al2023", "x", &[("other", "")])).await;
    assert_eq!(failure.error_type, "Runtime.InvalidEntrypoint");
    let text = "Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
    assert_eq!(json(&failure)["errorMessage"], text);
    let failure = bench.fails(Spec::new("provided", "x", &[("bootstrap", "echo")])).await;
    assert_eq!(json(&failure)["errorMessage"], "Error: fork/exec /var/task/bootstrap: permission denied");
}

#[tokio::test]
async fn a_command_replaces_the_managed_runtime() {
    let bench = Bench::new().await;
    let mut spec = Spec::new("python3.11", "my.handler", &[]);
    let text = "\nid, _, event = next()\ncall('POST', f'/invocation/{id}/response', json.dumps(sys.argv[1:]))\nnext()\n";
    spec.files.push(("client.py", format!("{CLIENT}{text}")));
    spec.command = vec!["python", "client.py", "one"];
    assert_eq!(bench.up(spec).await.ask("{}").await.unwrap(), value!(["one"]));
}

#[tokio::test]
async fn a_custom_runtime_that_hangs_or_ends_is_told_as_such() {
    let bench = Bench::new().await;
    let mut spec = provided("next()\nimport time\ntime.sleep(600)\n");
    spec.timeout = std::time::Duration::from_millis(800);
    assert_eq!(bench.up(spec).await.dies("{}").await.error_type, "Sandbox.Timedout");
    let failure = bench.up(provided("next()\nsys.exit(6)\n")).await.dies("{}").await;
    let text =
        "RequestId: 00000000-0000-0000-0000-000000000001 Error: Runtime exited with error: exit status 6";
    assert_eq!(json(&failure)["errorMessage"], text);
    // An answer that was given before the end counts.
    let text = "id, _, _ = next()\ncall('POST', f'/invocation/{id}/response', '7')\n";
    let mut up = bench.up(provided(text)).await;
    let reply = up.try_invoke("{}").await.unwrap();
    assert_eq!(crate::bench::whole(reply).unwrap(), value!(7));
    assert!(!up.guest.settled().await, "it never asked for another call");
}
