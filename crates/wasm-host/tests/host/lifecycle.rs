//! Host processes and handles come and go.

use crate::bench::{Bench, Spec, guest};

#[tokio::test(flavor = "multi_thread")]
async fn state_never_survives_a_call() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    for _ in 0..20 {
        assert_eq!(up.get("/count").await.text(), "1");
    }
}
