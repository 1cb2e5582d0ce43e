//! A function in Python, made by componentize-py: eighteen megabytes, and still a fresh instance for each call.

use crate::bench::{Bench, Spec, guest};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(slow), ignore = "compiling an interpreter takes long")]
async fn a_python_component_answers_and_forgets() {
    let Some(bytes) = guest("python.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    for _ in 0..3 {
        assert_eq!(up.get("/").await.text(), "Hello from Python, call 1");
    }
}
