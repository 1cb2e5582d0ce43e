use serde_json::json as value;

use crate::bench::{Bench, Spec};

#[tokio::test]
async fn a_handler_answers_and_keeps_its_state() {
    let bench = Bench::new();
    let text = "n = 0\ndef handler(event, context):\n  global n\n  n += 1\n  return {'n': n, 'got': event}\n";
    let mut up = bench.up(Spec::python(text)).await;
    assert_eq!(up.ask(r#"{"a": 1}"#).await.unwrap(), value!({"n": 1, "got": {"a": 1}}));
    assert_eq!(up.ask("[]").await.unwrap(), value!({"n": 2, "got": []}));
    up.guest.retire("spindown").await;
}
