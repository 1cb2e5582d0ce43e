//! The memory limit as the contract tells it.

use serde_json::json as value;

use crate::bench::{Bench, Spec, json};

#[tokio::test]
async fn d2_a_memory_bomb_is_out_of_memory_with_the_calls_id() {
    let bench = Bench::new().await;
    let text = "def handler(e, c):\n  b = []\n  while True:\n    b.append(bytearray(1 << 24))\n";
    let mut up = bench.up(Spec::python(text)).await;
    let failure = up.dies("{}").await;
    assert_eq!(failure.error_type, "Runtime.OutOfMemory");
    let message =
        "RequestId: 00000000-0000-0000-0000-000000000001 Error: Runtime exited with error: signal: killed";
    assert_eq!(json(&failure), value!({"errorType": "Runtime.OutOfMemory", "errorMessage": message}));
    let report = up.log().pop().unwrap();
    assert!(report.ends_with("Status: error\tError Type: Runtime.OutOfMemory"), "{report}");
    let mut other = bench.up(Spec::python("def handler(e, c):\n  return 1\n")).await;
    assert_eq!(other.ask("{}").await.unwrap(), value!(1), "only that one was killed");
}
