//! The example that is committed as text and as bytes.

use crate::bench::{Bench, Spec};

const TEXT: &str = include_str!("../../../../examples/hello-wasm/hello.wat");
const BYTES: &[u8] = include_bytes!("../../../../examples/hello-wasm/hello.wasm");

#[tokio::test(flavor = "multi_thread")]
async fn the_example_is_what_its_text_says_and_answers() {
    assert!(wat::parse_str(TEXT).unwrap() == BYTES, "hello.wasm is not hello.wat assembled");
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(BYTES.to_vec())).await;
    let long = format!("\"{}\"", "x".repeat(10_000));
    for event in ["{}", "{\"name\": \"Ada\"}", long.as_str()] {
        let got = up.event(event.as_bytes()).await;
        assert_eq!(got.text(), format!("{{\"message\":\"Hello from WebAssembly\",\"event\":{event}}}"));
        assert!(got.tail.unwrap().contains("\nan event came\n"));
    }
}
