//! Which way instances start.

use serde_json::json as value;

use crate::bench::{Bench, Spec};

#[tokio::test]
async fn a_version_is_forked_once_its_template_is_up() {
    let bench = Bench::new().await;
    let text = "def handler(e, c):\n  return e\n";
    assert_eq!(bench.bring_up(Spec::python(text)).await.unwrap().ask("1").await.unwrap(), value!(1));
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 0), "nobody waits for a template");
    bench.warm("python3.11", None).await;
    assert_eq!(bench.bring_up(Spec::python(text)).await.unwrap().ask("2").await.unwrap(), value!(2));
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 1));
}
