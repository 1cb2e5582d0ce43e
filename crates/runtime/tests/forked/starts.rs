//! Which way instances start, and what happens when one way does not do.

use anyfn_runtime::Forking;
use anyfn_types::{Tier, VersionId};
use serde_json::json as value;

use crate::bench::{Bench, Spec};

const ECHO: &str = "def handler(e, c):\n  return e\n";

#[tokio::test]
async fn a_version_is_forked_once_its_template_is_up_and_then_from_a_spare() {
    let bench = Bench::new().await;
    assert_eq!(bench.bring_up(Spec::python(ECHO)).await.unwrap().ask("1").await.unwrap(), value!(1));
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 0), "nobody waits for a template");
    bench.warm("python3.11", None).await;
    assert_eq!(bench.bring_up(Spec::python(ECHO)).await.unwrap().ask("2").await.unwrap(), value!(2));
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 1));
    bench.until_spares(1).await;
    assert_eq!(bench.bring_up(Spec::python(ECHO)).await.unwrap().ask("3").await.unwrap(), value!(3));
    assert_eq!((bench.starts("plain"), bench.starts("fork"), bench.starts("spare")), (1, 1, 1));
}

#[tokio::test]
async fn what_asks_for_a_process_or_cannot_be_forked_is_started_plainly() {
    let bench = Bench::new().await;
    bench.warm("python3.11", None).await;
    let mut process = Spec::python(ECHO);
    process.tier = Some(Tier::Process);
    let mut flags = Spec::python(ECHO);
    flags.env = vec![("PYTHONHASHSEED", "1")];
    let mut wrapper = Spec::python(ECHO);
    wrapper.env = vec![("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper")];
    wrapper.layers = vec![("wrapper", "#!/bin/sh\nexec \"$@\"\n".to_owned())];
    for (at, spec) in [process, flags, wrapper].into_iter().enumerate() {
        assert_eq!(bench.bring_up(spec).await.unwrap().ask("1").await.unwrap(), value!(1));
        assert_eq!((bench.starts("plain"), bench.starts("fork")), (at as u64 + 1, 0));
    }
}

#[tokio::test]
async fn the_operators_floor_holds_for_all() {
    let bench = Bench::with(&[], Forking { floor: Some(Tier::Process), ..Forking::default() }).await;
    bench.warm("python3.11", None).await;
    let mut spec = Spec::python(ECHO);
    spec.tier = Some(Tier::Fork);
    bench.bring_up(spec).await.unwrap();
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 0));
}

#[tokio::test]
async fn a_module_of_the_functions_own_wins_over_a_loaded_one() {
    let bench = Bench::new().await;
    bench.warm("python3.11", None).await;
    let text = "import json, uuid, decimal\ndef handler(e, c):\n  return [getattr(decimal, 'mine', None), hasattr(uuid, 'uuid4')]\n";
    let spec = || {
        let mut spec = Spec::new(
            "python3.11",
            "app.handler",
            &[
                ("app.py", text),
                ("decimal.py", "mine = 'yes'\nclass Decimal: pass\n"),
                ("uuid/data.txt", "no module"),
            ],
        );
        spec.version = Some(VersionId(7));
        spec
    };
    let expected = value!(["yes", true]);
    assert_eq!(bench.bring_up(spec()).await.unwrap().ask("1").await.unwrap(), expected);
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (1, 1), "the child declined");
    assert_eq!(bench.bring_up(spec()).await.unwrap().ask("1").await.unwrap(), expected);
    assert_eq!((bench.starts("plain"), bench.starts("fork")), (2, 1), "and was not asked again");
}

#[tokio::test]
async fn a_forked_init_that_dies_by_a_signal_is_done_again_plainly_once_and_for_all() {
    let bench = Bench::new().await;
    bench.warm("python3.11", None).await;
    // Dies where modules are loaded that a plain start has not.
    let text = "import os, sys\nif 'tokenize' in sys.modules:\n  os.kill(os.getpid(), 11)\ndef handler(e, c):\n  return e\n";
    let spec = || {
        let mut spec = Spec::python(text);
        spec.version = Some(VersionId(8));
        spec
    };
    for plain in 1..3 {
        assert_eq!(bench.bring_up(spec()).await.unwrap().ask("1").await.unwrap(), value!(1));
        assert_eq!((bench.starts("plain"), bench.starts("fork")), (plain, 1));
    }
}

#[tokio::test]
async fn a_template_that_dies_fails_no_call_and_comes_back() {
    let bench = Bench::new().await;
    bench.warm("python3.11", None).await;
    let mut before = bench.bring_up(Spec::python(ECHO)).await.unwrap();
    bench.kill_templates();
    assert_eq!(before.ask("1").await.unwrap(), value!(1), "its children live on");
    let mut after = bench.bring_up(Spec::python(ECHO)).await.unwrap();
    assert_eq!(after.ask("2").await.unwrap(), value!(2));
    bench.warm("python3.11", None).await;
    let plain = bench.starts("plain");
    assert_eq!(bench.bring_up(Spec::python(ECHO)).await.unwrap().ask("3").await.unwrap(), value!(3));
    assert_eq!(bench.starts("plain"), plain, "forked again");
}
