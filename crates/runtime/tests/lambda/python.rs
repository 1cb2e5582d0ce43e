//! The Python bootstrap: handlers, errors, the context, the module path.

use anyfn_types::TraceContext;
use serde_json::{Value, json as value};

use crate::bench::{Bench, Spec, json, whole};

#[tokio::test]
async fn a_handler_answers_and_keeps_its_state() {
    let bench = Bench::new().await;
    let text = "n = 0\ndef handler(event, context):\n  global n\n  n += 1\n  return {'n': n, 'got': event}\n";
    let mut up = bench.up(Spec::python(text)).await;
    assert_eq!(up.ask(r#"{"a": 1}"#).await.unwrap(), value!({"n": 1, "got": {"a": 1}}));
    assert_eq!(up.ask("[]").await.unwrap(), value!({"n": 2, "got": []}));
    up.guest.retire("spindown").await;
}

#[tokio::test]
async fn large_events_and_answers_pass_and_too_large_answers_are_refused() {
    let bench = Bench::new().await;
    let text =
        "def handler(event, context):\n  return 'x' * event if isinstance(event, int) else len(event)\n";
    let mut spec = Spec::python(text);
    spec.limits.payload_bytes = 3_000_000;
    let mut up = bench.up(spec).await;
    let event = format!("\"{}\"", "y".repeat(2_900_000));
    assert_eq!(up.ask(&event).await.unwrap(), value!(2_900_000));
    assert_eq!(up.ask("2900000").await.unwrap().as_str().unwrap().len(), 2_900_000);
    let failure = up.ask("3000000").await.unwrap_err();
    assert_eq!(failure.error_type, "Function.ResponseSizeTooLarge");
    assert_eq!(
        json(&failure)["errorMessage"],
        "Response payload size (3000002 bytes) exceeded maximum allowed payload size (3000000 bytes)."
    );
    assert_eq!(up.ask("1").await.unwrap(), value!("x"), "the guest goes on");
}

#[tokio::test]
async fn the_context_has_every_field() {
    let bench = Bench::new().await;
    let text = r"
import os
def handler(event, c):
  return [c.aws_request_id, c.function_name, c.function_version, c.invoked_function_arn, c.memory_limit_in_mb,
    c.log_group_name, c.log_stream_name[10:20], 0 < c.get_remaining_time_in_millis() <= 20000, c.identity.cognito_identity_id,
    c.client_context.client.app_title, c.client_context.custom, c.tenant_id, os.environ['_X_AMZN_TRACE_ID']]
";
    let mut up = bench.up(Spec::python(text)).await;
    let mut call = up.call("{}");
    call.client_context = Some(r#"{"client":{"app_title":"t"},"custom":{"k":"v"}}"#.to_owned());
    let trace_id = "0123456789abcdef0123456789abcdef".to_owned();
    call.trace = Some(TraceContext { trace_id, parent_id: "53995c3f42cd8ad8".to_owned(), sampled: true });
    let reply = up.guest.invoke(&call, up.deadline()).await.unwrap();
    let expected = value!([
        "00000000-0000-0000-0000-000000000001",
        "hello",
        "$LATEST",
        "arn:aws:lambda:eu-west-1:123456789012:function:hello",
        "512",
        "/aws/lambda/hello",
        "/[$LATEST]",
        true,
        null,
        "t",
        {"k": "v"},
        null,
        "Root=1-01234567-89abcdef0123456789abcdef;Parent=53995c3f42cd8ad8;Sampled=1"
    ]);
    assert_eq!(whole(reply).unwrap(), expected);
}

#[tokio::test]
async fn an_exception_is_the_callers_answer_in_lambdas_shape() {
    let bench = Bench::new().await;
    let mut up = bench.up(Spec::python("def handler(event, context):\n  raise ValueError('no')\n")).await;
    let failure = up.ask("{}").await.unwrap_err();
    assert!(failure.handled_by_runtime);
    assert_eq!(failure.error_type, "ValueError");
    let trace = "  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('no')\n";
    assert_eq!(
        json(&failure),
        value!({
            "errorMessage": "no", "errorType": "ValueError", "requestId": "00000000-0000-0000-0000-000000000001",
            "stackTrace": [trace],
        })
    );
    let log = up.log();
    let line = log.iter().find(|line| line.starts_with("[ERROR]")).unwrap();
    assert!(
        line.starts_with("[ERROR] ValueError: no\nTraceback (most recent call last):\n\u{a0}\u{a0}File "),
        "{line}"
    );
}

#[tokio::test]
async fn what_cannot_be_marshalled_is_said_so_and_decimals_are_numbers() {
    let bench = Bench::new().await;
    let text = "from decimal import Decimal\ndef handler(e, c):\n  return {'d': Decimal('1.10'), 'u': 'ü'} if e else object()\n";
    let mut up = bench.up(Spec::python(text)).await;
    let failure = up.ask("0").await.unwrap_err();
    assert_eq!(failure.error_type, "Runtime.MarshalError");
    assert_eq!(
        json(&failure)["errorMessage"],
        "Unable to marshal response: Object of type object is not JSON serializable"
    );
    let reply = up.try_invoke("1").await.unwrap();
    let Ok(anyfn_core::ReplyBody::Whole(body)) = reply.result else { panic!("no answer") };
    assert_eq!(body, r#"{"d": 1.10, "u": "\u00fc"}"#, "the form of Python 3.11 on Lambda");
    assert!(up.guest.settled().await);
    assert_eq!(up.ask("{").await.unwrap_err().error_type, "Runtime.UnmarshalError");
}

#[tokio::test]
async fn init_failures_have_lambdas_types_and_texts() {
    let bench = Bench::new().await;
    let cases = [
        (
            "gone.handler",
            "",
            "Runtime.ImportModuleError",
            "Unable to import module 'gone': No module named 'gone'",
        ),
        ("app.gone", "", "Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'"),
        (
            "app",
            "",
            "Runtime.MalformedHandlerName",
            "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "sys.exit",
            "",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
        (
            "app.handler",
            "def (",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        ("app.handler", "raise KeyError('k')", "KeyError", "'k'"),
        (
            "app.handler",
            "import boto_that_is_not",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'boto_that_is_not'",
        ),
    ];
    for (handler, text, error_type, message) in cases {
        let failure = bench.fails(Spec::new("python3.11", handler, &[("app.py", text)])).await;
        assert_eq!(failure.error_type, error_type);
        assert_eq!(json(&failure)["errorMessage"], message);
        assert_eq!(json(&failure)["errorType"], error_type);
        assert!(failure.handled_by_runtime);
    }
}

#[tokio::test]
async fn a_process_that_ends_during_init_is_an_exit_error() {
    let bench = Bench::new().await;
    let failure = bench.fails(Spec::python("import os\nos._exit(7)\n")).await;
    assert_eq!(failure.error_type, "Runtime.ExitError");
    assert_eq!(json(&failure)["errorMessage"], "Error: Runtime exited with error: exit status 7");
    assert!(!failure.handled_by_runtime);
}

#[tokio::test]
async fn a_process_that_ends_during_a_call_is_an_exit_error() {
    let bench = Bench::new().await;
    let id = "RequestId: 00000000-0000-0000-0000-000000000001 Error: ";
    let cases = [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("exit(4)", "Runtime exited with error: exit status 4"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ];
    for (what, text) in cases {
        let mut up = bench.up(Spec::python(&format!("import os, sys\ndef handler(e, c):\n  {what}\n"))).await;
        let failure = up.dies("{}").await;
        assert_eq!(failure.error_type, "Runtime.ExitError");
        assert_eq!(
            json(&failure),
            value!({"errorType": "Runtime.ExitError", "errorMessage": format!("{id}{text}")})
        );
        assert!(up.log().contains(&format!("{id}{text}\nRuntime.ExitError")), "{:?}", up.log());
    }
}

#[tokio::test]
async fn modules_come_from_the_package_then_from_layers_and_never_from_the_host() {
    let bench = Bench::new().await;
    let text = r"
import sys, mine, shared, site_only
def handler(event, context):
  try:
    import pip
    host = True
  except ImportError:
    host = False
  return [mine.w, shared.w, site_only.w, sys.path[:3], host, 'site' in sys.modules]
";
    let mut spec = Spec::new("python3.11", "a/b.handler", &[("a/b.py", text), ("mine.py", "w = 'task'")]);
    spec.layers = vec![
        ("python/mine.py", "w = 'layer'".to_owned()),
        ("python/shared.py", "w = 'layer'".to_owned()),
        ("python/lib/python3.11/site-packages/shared.py", "w = 'site'".to_owned()),
        ("python/lib/python3.11/site-packages/site_only.py", "w = 'site'".to_owned()),
    ];
    let mut up = bench.up(spec).await;
    let paths = value!(["/var/task", "/opt/python/lib/python3.11/site-packages", "/opt/python"]);
    assert_eq!(up.ask("{}").await.unwrap(), value!(["task", "site", "site", paths, false, false]));
}

#[tokio::test]
async fn the_environment_is_lambdas_and_reserved_names_stay_the_platforms() {
    let bench = Bench::new().await;
    let text = "import os\ndef handler(event, context):\n  return dict(os.environ, cwd=os.getcwd())\n";
    let mut spec = Spec::python(text);
    spec.env = vec![("MINE", "1"), ("_HANDLER", "x.y"), ("AWS_REGION", "mars"), ("TZ", "Europe/Berlin")];
    let env = bench.up(spec).await.ask("{}").await.unwrap();
    let expected = [
        ("MINE", "1"),
        ("_HANDLER", "app.handler"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("TZ", "Europe/Berlin"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_LAMBDA_FUNCTION_NAME", "hello"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("cwd", "/var/task"),
    ];
    for (name, text) in expected {
        assert_eq!(env[name], text, "{name}");
    }
    assert_eq!(env["_LAMBDA_TELEMETRY_LOG_FD"], Value::Null, "the bootstrap keeps it to itself");
}

#[tokio::test]
async fn a_wrapper_script_starts_the_runtime() {
    let bench = Bench::new().await;
    let text = "import os\ndef handler(event, context):\n  return os.environ['WRAPPED']\n";
    let mut spec = Spec::python(text);
    spec.env = vec![("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper")];
    spec.layers = vec![("wrapper", "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n".to_owned())];
    assert_eq!(bench.up(spec).await.ask("{}").await.unwrap(), value!("yes"));
}

#[tokio::test]
async fn a_guest_that_writes_nonsense_to_its_link_is_lost_and_nobody_else() {
    let bench = Bench::new().await;
    let texts = ["b'\\xff' * 64", "b'\\x01\\0\\0\\0\\x63'", "b'\\0\\0\\0\\0\\0'", "b'\\x01\\0\\0\\0\\x15'"];
    for text in texts {
        let text = format!("import os, time\ndef handler(e, c):\n  os.write(3, {text})\n  time.sleep(60)\n");
        let failure = bench.up(Spec::python(&text)).await.dies("{}").await;
        assert_eq!(failure.error_type, "Runtime.Unknown");
    }
}

#[tokio::test]
async fn an_idle_guest_that_ends_is_noticed() {
    let bench = Bench::new().await;
    let text = "import os, threading\ngo = threading.Event()\ndef end():\n  go.wait()\n  os._exit(1)\n\
                threading.Thread(target=end, daemon=True).start()\ndef handler(e, c):\n  threading.Timer(0.05, go.set).start()\n";
    let mut up = bench.up(Spec::python(text)).await;
    up.ask("{}").await.unwrap();
    let anyfn_core::ports::GuestEvent::Gone = up.guest.idle().await;
    assert!(!up.guest.settled().await);
}

#[tokio::test]
async fn every_python_of_the_host_is_served_by_the_same_bootstrap() {
    let bench = Bench::searching(&[std::env::home_dir().unwrap().join(".pyenv/versions")]).await;
    let text = "import sys, logging\ndef handler(e, c):\n  logging.getLogger().error('said')\n  return list(sys.version_info[:2])\n";
    for (runtime, minor) in
        [("python3.8", 8), ("python3.9", 9), ("python3.10", 10), ("python3.12", 12), ("python3.13", 13)]
    {
        if !bench.has(runtime) {
            println!("SKIPPED: no {runtime} on this host");
            continue;
        }
        let mut spec = Spec::python(text);
        spec.runtime = runtime;
        let mut up = bench.up(spec).await;
        assert_eq!(up.ask("{}").await.unwrap(), value!([3, minor]));
        assert!(up.log().iter().any(|line| line.starts_with("[ERROR]\t") && line.ends_with("\tsaid")));
    }
}

#[tokio::test]
async fn json_is_read_and_written_as_the_standard_package_does() {
    let bench = Bench::new().await;
    let text = r"
import sys
early = 'json' in sys.modules
def handler(event, context):
  import json
  case = event['case']
  value = eval(case, {'nan': float('nan'), 'inf': float('inf')})
  return {'early': early, 'mine': value, 'theirs': json.dumps(value, ensure_ascii=True)}
";
    let mut up = bench.up(Spec::python(text)).await;
    let cases = [
        "[1, -2, 1.0, 1e300, 2**70, True, None]",
        "'quote \" back \\\\ tab \\t nul \\0 ü \\U0001f600'",
        "{1: 'a', None: 'b', True: 'c', 1.5: 'd'}",
        "[(), [], {}, ('a',)]",
        "[inf, -inf]",
    ];
    for case in cases {
        let event = value!({"case": case}).to_string();
        let call = up.call(&format!(" \n{event}\t "));
        let deadline = up.deadline();
        let reply = up.guest.invoke(&call, deadline).await.unwrap();
        let Ok(anyfn_core::ReplyBody::Whole(body)) = reply.result else { panic!("no answer for {case}") };
        assert!(up.guest.settled().await);
        let body = std::str::from_utf8(&body).unwrap();
        let (mine, theirs) = body.split_once(", \"theirs\": ").unwrap();
        let theirs: String = serde_json::from_str(theirs.strip_suffix('}').unwrap()).unwrap();
        assert_eq!(mine, format!("{{\"early\": {}, \"mine\": {theirs}", crate::isolation::FORKED));
    }
    for body in ["", "{", "[1,]", "1 2", "nul", "\"\u{1}\""] {
        let failure = up.ask(body).await.unwrap_err();
        assert_eq!(failure.error_type, "Runtime.UnmarshalError", "{body}");
        let message = json(&failure)["errorMessage"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("Unable to unmarshal input: ") && message.contains("(char "),
            "{message}"
        );
    }
}
