//! The Node.js bootstrap.

use anyfn_core::{Frame, ReplyBody};
use serde_json::json as value;

use crate::bench::{Bench, Spec, collect, json};

#[tokio::test]
async fn async_and_callback_handlers_answer_and_keep_their_state() {
    let bench = Bench::new().await;
    let cases = [
        "exports.handler = async (event) => ({ n: ++n, event });",
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, { n: ++n, event }), 1); };",
        "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; \
         setInterval(() => {}, 1000); callback(null, { n: ++n, event }); };",
        "exports.handler = (event, context) => { context.succeed({ n: ++n, event }); };",
        "exports.handler = (event, context) => { context.done(null, { n: ++n, event }); };",
        "exports.handler = (event) => new Promise((done) => setTimeout(() => done({ n: ++n, event }), 1));",
    ];
    for text in cases {
        let mut up = bench.up(Spec::node(&format!("let n = 0;\n{text}\n"))).await;
        assert_eq!(up.ask(r#"{"a":1}"#).await.unwrap(), value!({"n": 1, "event": {"a": 1}}), "{text}");
        assert_eq!(up.ask("[]").await.unwrap(), value!({"n": 2, "event": []}), "{text}");
    }
}

#[tokio::test]
async fn a_callback_waits_for_the_event_loop_and_a_forgotten_one_answers_null() {
    let bench = Bench::new().await;
    let text = "let late = false;\nexports.handler = (event, context, callback) => {\n\
                if (event === 1) return;\n  callback(null, 'early');\n  setTimeout(() => { late = true; console.log('late work'); }, 30);\n};\n";
    let mut up = bench.up(Spec::node(text)).await;
    assert_eq!(up.ask("0").await.unwrap(), value!("early"));
    let log = up.log();
    let at = |text: &str| log.iter().position(|line| line.contains(text)).unwrap();
    assert!(at("late work") < at("END"), "{log:#?}");
    assert_eq!(up.ask("1").await.unwrap(), value!(null));
}

#[tokio::test]
async fn errors_have_lambdas_shape() {
    let bench = Bench::new().await;
    let cases = [
        ("exports.handler = async () => { throw new TypeError('no'); };", "TypeError", "no"),
        ("exports.handler = () => { throw new RangeError('far'); };", "RangeError", "far"),
        ("exports.handler = (e, c, callback) => callback(new Error('said'));", "Error", "said"),
        ("exports.handler = (e, c, callback) => callback('text');", "string", "text"),
        ("exports.handler = (e, c) => c.fail();", "string", "handled"),
        (
            "exports.handler = async () => { const o = {}; o.o = o; return o; };",
            "Error",
            "Unable to stringify response body",
        ),
    ];
    for (text, error_type, message) in cases {
        let mut up = bench.up(Spec::node(text)).await;
        let failure = up.ask("{}").await.unwrap_err();
        assert_eq!(
            (failure.error_type.as_str(), &json(&failure)["errorMessage"]),
            (error_type, &value!(message))
        );
        assert!(json(&failure)["trace"].is_array());
        assert!(
            up.log().iter().any(|line| line.contains("\tERROR\tInvoke Error \t{\"errorType\":")),
            "{:#?}",
            up.log()
        );
    }
}

#[tokio::test]
async fn a_promise_that_never_settles_is_an_error_and_not_a_hang() {
    let bench = Bench::new().await;
    let mut up =
        bench.up(Spec::node("exports.handler = async () => { await new Promise(() => {}); };")).await;
    assert_eq!(up.ask("{}").await.unwrap_err().error_type, "Runtime.NodeJsExit");
    assert_eq!(up.ask("{}").await.unwrap_err().error_type, "Runtime.NodeJsExit", "the guest goes on");
}

#[tokio::test]
async fn uncaught_errors_are_answered_and_end_the_instance() {
    let bench = Bench::new().await;
    let cases = [
        ("setTimeout(() => { throw new TypeError('late'); }, 1);", "TypeError", "late"),
        ("Promise.reject(new Error('lost'));", "Runtime.UnhandledPromiseRejection", "Error: lost"),
    ];
    for (what, error_type, message) in cases {
        let text = format!("exports.handler = (e, c, cb) => {{ {what} setTimeout(() => {{}}, 5000); }};");
        let mut up = bench.up(Spec::node(&text)).await;
        let reply = up.try_invoke("{}").await.unwrap();
        let failure = reply.result.unwrap_err();
        assert_eq!(
            (failure.error_type.as_str(), &json(&failure)["errorMessage"]),
            (error_type, &value!(message))
        );
        assert!(!up.guest.settled().await, "the process is gone");
    }
    let mut up = bench.up(Spec::node("exports.handler = async () => process.exit(5);")).await;
    let text =
        "RequestId: 00000000-0000-0000-0000-000000000001 Error: Runtime exited with error: exit status 5";
    assert_eq!(json(&up.dies("{}").await)["errorMessage"], text);
}

#[tokio::test]
async fn init_failures_have_lambdas_types_and_texts() {
    let bench = Bench::new().await;
    let cases = [
        ("gone.handler", "", "Runtime.ImportModuleError", "Error: Cannot find module 'gone'"),
        ("index.gone", "", "Runtime.HandlerNotFound", "index.gone is undefined or not exported"),
        (
            "index.handler",
            "exports.handler = 1;",
            "Runtime.HandlerNotFound",
            "index.handler is not a function",
        ),
        ("index", "", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "../index.handler",
            "",
            "Runtime.MalformedHandlerName",
            "'../index.handler' is not a valid handler name.",
        ),
        (
            "index.handler",
            "exports.handler = (",
            "Runtime.UserCodeSyntaxError",
            "SyntaxError: Unexpected end of input",
        ),
        (
            "index.handler",
            "require('missing-one')",
            "Runtime.ImportModuleError",
            "Error: Cannot find module 'missing-one'",
        ),
        ("index.handler", "throw new RangeError('r')", "RangeError", "r"),
    ];
    for (handler, text, error_type, message) in cases {
        let failure = bench.fails(Spec::new("nodejs20.x", handler, &[("index.js", text)])).await;
        assert_eq!(failure.error_type, error_type, "{handler} {text}");
        let got = json(&failure)["errorMessage"].as_str().unwrap().to_owned();
        assert!(got.starts_with(message), "{got}");
    }
}

#[tokio::test]
async fn modules_are_found_as_packages_and_layers_have_them() {
    let bench = Bench::new().await;
    let esm = "export const deep = { handler: async () => 'esm' };";
    let cjs = "const d = require('dep'); const l = require('own'); exports.handler = async () => [d, l, require('only')];";
    let package = ("package.json", r#"{"type":"module"}"#);
    let cases = [
        ("index.deep.handler", vec![("index.mjs", esm)], value!("esm")),
        ("src/a/index.deep.handler", vec![("src/a/index.js", esm), package], value!("esm")),
        (
            "index.handler",
            vec![("index.cjs", "exports.handler = async () => 'cjs';"), package],
            value!("cjs"),
        ),
        (
            "index.handler",
            vec![("index.js", cjs), ("node_modules/own/index.js", "module.exports = 'task';")],
            value!(["layer", "task", "by release"]),
        ),
        (
            "lib.handler",
            vec![("node_modules/lib/index.js", "exports.handler = async () => 'lib';")],
            value!("lib"),
        ),
    ];
    for (handler, files, expected) in cases {
        let mut spec = Spec::new("nodejs20.x", handler, &files);
        spec.layers = vec![
            ("nodejs/node_modules/dep/index.js", "module.exports = 'layer';".to_owned()),
            ("nodejs/node_modules/own/index.js", "module.exports = 'layer';".to_owned()),
            ("nodejs/node20/node_modules/only/index.js", "module.exports = 'by release';".to_owned()),
        ];
        assert_eq!(bench.up(spec).await.ask("{}").await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_answer_can_be_streamed() {
    let bench = Bench::new().await;
    let text = r"
exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
  if (event.http) out = awslambda.HttpResponseStream.from(out, { statusCode: 201 });
  else out.setContentType('text/plain');
  for (let i = 0; i < event.n; i += 1) out.write('x'.repeat(1000));
  if (event.fail) throw new TypeError('torn');
  if (event.open) return;
  out.end('last');
});";
    let mut up = bench.up(Spec::node(text)).await;
    let (head, bytes, last) = stream(&mut up, r#"{"n": 300}"#).await;
    assert_eq!((head.as_deref(), bytes.len(), last), (Some("text/plain"), 300_004, Some(Frame::End)));
    let (head, bytes, last) = stream(&mut up, r#"{"n": 0, "http": true}"#).await;
    assert_eq!(head.as_deref(), Some("application/vnd.awslambda.http-integration-response"));
    assert_eq!(
        (bytes.as_slice(), last),
        (&b"{\"statusCode\":201}\0\0\0\0\0\0\0\0last"[..], Some(Frame::End))
    );
    let (_, bytes, last) = stream(&mut up, r#"{"n": 1, "fail": true}"#).await;
    let Some(Frame::Failed(failure)) = last else { panic!("no failure: {last:?}") };
    assert_eq!((bytes.len(), failure.error_type.as_str()), (1000, "TypeError"));
    let (_, _, last) = stream(&mut up, r#"{"n": 1, "open": true}"#).await;
    assert!(matches!(last, Some(Frame::Failed(_))));
    let failure = up.ask(r#"{"n": 0, "fail": true}"#).await.unwrap_err();
    assert_eq!(failure.error_type, "TypeError", "before the first byte it is an error like any other");
    let reports = up.log().iter().filter(|line| line.starts_with("REPORT")).count();
    assert_eq!(reports, 5);
}

async fn stream(up: &mut crate::bench::Up, body: &str) -> (Option<String>, Vec<u8>, Option<Frame>) {
    let reply = up.try_invoke(body).await.unwrap();
    assert!(reply.billing.is_none(), "it still runs");
    let Ok(ReplyBody::Stream { content_type, mut frames }) = reply.result else { panic!("no stream") };
    let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
    assert!(settled);
    (content_type, bytes, last)
}

#[tokio::test]
async fn d7_a_stream_over_the_limit_is_cut_and_the_instance_freed() {
    let bench = Bench::new().await;
    let text = "exports.handler = awslambda.streamifyResponse(async (e, out) => { for (;;) out.write(Buffer.alloc(65536)); });";
    let mut spec = Spec::node(text);
    spec.limits.stream_bytes = 1_000_000;
    let mut up = bench.up(spec).await;
    let reply = up.try_invoke("{}").await.unwrap();
    let Ok(ReplyBody::Stream { mut frames, .. }) = reply.result else { panic!("no stream") };
    let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
    assert!(!settled);
    assert!(bytes.len() <= 1_000_000);
    let Some(Frame::Failed(failure)) = last else { panic!("no failure") };
    assert_eq!(failure.error_type, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn node_24_takes_no_callbacks() {
    let bench = Bench::new().await;
    let mut spec = Spec::node("exports.handler = async (event, context) => [typeof context.done, event];");
    spec.runtime = "nodejs24.x";
    assert_eq!(bench.up(spec).await.ask("1").await.unwrap(), value!(["undefined", 1]));
    let mut spec = Spec::node("exports.handler = (event, context, callback) => callback(null, 1);");
    spec.runtime = "nodejs24.x";
    assert_eq!(bench.fails(spec).await.error_type, "Runtime.CallbackHandlerDeprecated");
}
