//! Commands: the event on standard input, the answer from standard output.

use crate::bench::{Bench, Spec, guest};

async fn answers(name: &str, exit: &str) {
    let Some(bytes) = guest(name) else { return };
    let bench = Bench::new().await;
    let mut spec = Spec::new(bytes);
    spec.env = vec![("GREETING", "Salut")];
    let mut up = bench.start(spec).await;
    let got = up.event(br#"{"a":1}"#).await;
    assert_eq!(got.text(), r#"{"greeting":"Salut","event":{"a":1}}"#);
    assert_eq!(got.status, None, "a command does not speak HTTP");
    assert!(got.tail.unwrap().contains("event of 7 bytes\n"));
    let got = up.event(br#"{"do":"long"}"#).await;
    assert_eq!(got.text().len(), (1 << 20) + 2);
    let got = up.event(br#"{"do":"fail"}"#).await;
    let (kind, text) = got.failure();
    assert_eq!(kind, "Runtime.ExitError");
    assert!(text.ends_with(exit), "{text}");
    assert!(got.tail.unwrap().contains("failing as asked\n"));
    let (kind, text) = up.event(br#"{"do":"flood"}"#).await.failure();
    assert_eq!((kind.as_str(), text.contains("6291556 bytes")), ("Function.ResponseSizeTooLarge", true));
    assert_eq!(up.event(b"1").await.text(), r#"{"greeting":"Salut","event":1}"#);
}

/// `wasi:cli/exit` knows success and failure only, so the code is 1 whatever the program said.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_run_is_a_command() {
    answers("command.wasm", "the function ended with code 1\"}").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_with_start_is_a_command() {
    answers("command-p1.wasm", "the function ended with code 3\"}").await;
}
