//! External and internal extensions, as small Python scripts.

use serde_json::json as value;

use crate::bench::{Bench, Spec, json};

const CLIENT: &str = r"#!/usr/bin/python3 -IS
import http.client, json, os, sys
me = os.path.basename(sys.argv[0])
def call(method, path, body=None, headers={}):
    link = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    link.request(method, '/2020-01-01/extension' + path, body, headers)
    answer = link.getresponse()
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), json.loads(answer.read())
def register(events, name=me, **more):
    return call('POST', '/register', json.dumps({'events': events}), dict({'Lambda-Extension-Name': name}, **more))
def next(id):
    return call('GET', '/event/next', headers={'Lambda-Extension-Identifier': id})[2]
def say(*what):
    print(me, *what, flush=True)
";

fn extension(text: &str) -> String {
    format!("{CLIENT}{text}")
}

const FOLLOWER: &str = r"
status, headers, about = register(['INVOKE', 'SHUTDOWN'], **{'Lambda-Extension-Accept-Feature': 'accountId'})
say('registered', status, json.dumps(about, sort_keys=True))
say('task root', os.environ.get('LAMBDA_TASK_ROOT'), os.environ['AWS_LAMBDA_FUNCTION_NAME'])
while True:
    event = next(headers['lambda-extension-identifier'])
    say('told', event['eventType'], event.get('requestId'), event.get('shutdownReason'))
    if event['eventType'] == 'SHUTDOWN':
        sys.exit(0)
    say('after', event['requestId'])
";

#[tokio::test]
async fn an_extension_sees_each_call_and_the_end() {
    let bench = Bench::new().await;
    let mut spec = Spec::python("def handler(e, c):\n  print('handler')\n  return 1\n");
    spec.layers = vec![("extensions/follower", extension(FOLLOWER))];
    let mut up = bench.up(spec).await;
    assert_eq!(up.ask("{}").await.unwrap(), value!(1));
    up.ask("{}").await.unwrap();
    let [one, two] = [1, 2].map(|n| format!("00000000-0000-0000-0000-00000000000{n}"));
    let lines = up.shared_lines();
    up.guest.retire("idle too long").await;
    let log: Vec<String> = lines.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect();
    let said: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("follower ")).collect();
    let about = r#"{"accountId": "123456789012", "functionName": "hello", "functionVersion": "$LATEST", "handler": "app.handler"}"#;
    let expected = [
        format!("registered 200 {about}"),
        "task root None hello".to_owned(),
        format!("told INVOKE {one} None"),
        format!("after {one}"),
        format!("told INVOKE {two} None"),
        format!("after {two}"),
        "told SHUTDOWN None spindown".to_owned(),
    ];
    assert_eq!(said, expected);
    // The second call came only after the extension had finished with the first.
    let at = |text: String| log.iter().position(|line| *line == text).unwrap();
    assert!(at(format!("follower after {one}")) < at(format!("START RequestId: {two} Version: $LATEST")));
}

#[tokio::test]
async fn what_an_extension_may_not_do_is_refused() {
    let bench = Bench::new().await;
    let text = r"
import uuid
kind = lambda answer: [answer[0], answer[2].get('errorType')]
say(json.dumps(kind(register(['NOPE']))))
say(json.dumps(kind(register(['INVOKE'], name=''))))
say(json.dumps(kind(call('POST', '/register', '{', {'Lambda-Extension-Name': me}))))
say(json.dumps(kind(call('GET', '/event/next'))))
say(json.dumps(kind(call('GET', '/event/next', headers={'Lambda-Extension-Identifier': 'x'}))))
say(json.dumps(kind(call('GET', '/event/next', headers={'Lambda-Extension-Identifier': str(uuid.uuid4())}))))
say(json.dumps(kind(register(['SHUTDOWN'], name='inner'))))
status, headers, about = register([])
id = {'Lambda-Extension-Identifier': headers['lambda-extension-identifier']}
say(json.dumps(kind(register([]))))
say(json.dumps(kind(call('POST', '/init/error', '{}', id))))
link = http.client.HTTPConnection('127.0.0.1:9001')
for path in ['/2020-08-15/logs', '/2022-07-01/telemetry']:
    link.request('PUT', path, '{}', id)
    answer = link.getresponse()
    say(json.dumps(kind([answer.status, 0, json.loads(answer.read())])))
next(id['Lambda-Extension-Identifier'])
";
    let mut spec = Spec::python("def handler(e, c):\n  return 1\n");
    spec.layers = vec![("extensions/wrong", extension(text))];
    let mut up = bench.up(spec).await;
    up.ask("{}").await.unwrap();
    let log = up.log();
    let said: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("wrong ")).collect();
    let expected = [
        r#"[403, "Extension.InvalidEventType"]"#,
        r#"[403, "Extension.InvalidExtensionName"]"#,
        r#"[403, "InvalidRequestFormat"]"#,
        r#"[403, "Extension.MissingExtensionIdentifier"]"#,
        r#"[403, "Extension.InvalidExtensionIdentifier"]"#,
        r#"[403, "Extension.UnknownExtensionIdentifier"]"#,
        r#"[403, "Extension.InvalidEventType"]"#,
        r#"[403, "Extension.InvalidExtensionState"]"#,
        r#"[403, "Extension.MissingHeader"]"#,
        r#"[202, "Logs.NotSupported"]"#,
        r#"[202, "Telemetry.NotSupported"]"#,
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn an_extension_that_fails_ends_the_init_phase() {
    let bench = Bench::new().await;
    let reports = "status, headers, _ = register([])\n\
                   call('POST', '/init/error', '{}', {'Lambda-Extension-Identifier': headers['lambda-extension-identifier'], \
                   'Lambda-Extension-Function-Error-Type': 'My.Bad'})\nsys.exit(9)\n";
    let cases = [
        ("sys.exit(3)\n", "Extension.Crash", "Error: exit status 3"),
        (reports, "Extension.InitError", "Error: exit status 9"),
    ];
    for (text, error_type, message) in cases {
        let mut spec = Spec::python("def handler(e, c):\n  return 1\n");
        spec.layers = vec![("extensions/bad", extension(text))];
        let failure = bench.fails(spec).await;
        assert_eq!(
            (failure.error_type.as_str(), &json(&failure)["errorMessage"]),
            (error_type, &value!(message))
        );
    }
}

#[tokio::test]
async fn an_internal_extension_registers_while_the_runtime_starts() {
    let bench = Bench::new().await;
    let text = r"
import threading, queue
status, headers, _ = register(['INVOKE'], name='inner')
seen = queue.Queue()
def follow():
    while True:
        seen.put(next(headers['lambda-extension-identifier'])['requestId'])
threading.Thread(target=follow, daemon=True).start()
def handler(event, context):
    late = register(['INVOKE'], name='late')
    return [status, seen.get() == context.aws_request_id, late[2]['errorType']]
";
    let mut up = bench.up(Spec::python(&extension(text))).await;
    let expected = value!([200, true, "Extension.RegistrationClosed"]);
    assert_eq!(up.ask("{}").await.unwrap(), expected);
    assert_eq!(up.ask("{}").await.unwrap(), expected);
}

#[tokio::test]
async fn an_extension_that_never_comes_back_costs_the_instance() {
    let bench = Bench::new().await;
    let text = "status, headers, _ = register(['INVOKE'])\nnext(headers['lambda-extension-identifier'])\nimport time\ntime.sleep(600)\n";
    let mut spec = Spec::python("def handler(e, c):\n  return 1\n");
    spec.layers = vec![("extensions/slow", extension(text))];
    spec.timeout = std::time::Duration::from_millis(700);
    let mut up = bench.up(spec).await;
    let reply = up.try_invoke("{}").await.unwrap();
    assert_eq!(crate::bench::whole(reply).unwrap(), value!(1), "the answer does not wait for extensions");
    assert!(!up.guest.settled().await);
}

#[tokio::test]
async fn with_an_extension_the_runtime_hears_of_its_end_and_has_its_last_word() {
    let bench = Bench::new().await;
    let python = "import signal, sys\ndef end(*_):\n  print('last word')\n  sys.exit(0)\nsignal.signal(signal.SIGTERM, end)\n\
                  def handler(e, c):\n  return 1\n";
    let node = "process.on('SIGTERM', () => { console.log('last word'); process.exit(0); });\nexports.handler = async () => 1;";
    for mut spec in [Spec::python(python), Spec::node(node)] {
        spec.layers = vec![("extensions/follower", extension(FOLLOWER))];
        let mut up = bench.up(spec).await;
        assert_eq!(up.ask("{}").await.unwrap(), value!(1));
        let lines = up.shared_lines();
        up.guest.retire("failure").await;
        let log: Vec<String> = lines.0.lock().unwrap().iter().map(|(_, line)| line.clone()).collect();
        let at = |text: &str| {
            log.iter().position(|line| line.ends_with(text)).unwrap_or_else(|| panic!("{text}: {log:#?}"))
        };
        assert!(at("last word") < at("told SHUTDOWN None failure"));
    }
}
