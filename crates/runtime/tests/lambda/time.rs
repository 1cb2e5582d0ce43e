//! Deadlines, init phases that are too long, and pausing.

use std::time::Duration;

use anyfn_core::{Frame, ReplyBody};
use serde_json::json as value;

use crate::bench::{Bench, Spec, collect, json};

const ID: &str = "00000000-0000-0000-0000-000000000001";

#[tokio::test]
async fn a_call_over_its_deadline_is_a_timeout_and_costs_the_instance() {
    let bench = Bench::new().await;
    for mut spec in [
        Spec::python("import time\ndef handler(e, c):\n  print('begun')\n  time.sleep(600)\n"),
        Spec::node("exports.handler = async () => { console.log('begun'); for (;;); };"),
    ] {
        spec.timeout = Duration::from_millis(1000);
        let mut up = bench.up(spec).await;
        let failure = up.dies("{}").await;
        let message = format!("RequestId: {ID} Error: Task timed out after 1.00 seconds");
        assert_eq!(json(&failure), value!({"errorType": "Sandbox.Timedout", "errorMessage": message}));
        assert_eq!(failure.error_type, "Sandbox.Timedout");
        let log = up.log();
        let at = |text: &str| {
            log.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {log:#?}"))
        };
        assert!(at("begun") < at(&format!("Z {ID} Task timed out after 1.00 seconds")));
        assert!(at("Task timed out") < at("END RequestId"));
        assert!(log.last().unwrap().ends_with("\tStatus: timeout"), "{log:#?}");
        up.guest.retire("timeout").await;
    }
}

#[tokio::test]
async fn an_init_phase_over_its_time_starts_again_within_the_call() {
    let bench = Bench::new().await;
    let text = "import time\nprint('loading')\ntime.sleep(1)\ndef handler(e, c):\n  return 'up'\n";
    let mut spec = Spec::python(text);
    spec.init_timeout = Duration::from_millis(600);
    let mut up = bench.up(spec).await;
    assert_eq!(up.ask("{}").await.unwrap(), value!("up"));
    let log = up.log();
    assert_eq!(log.iter().filter(|line| *line == "loading").count(), 2);
    assert_eq!(
        log.iter()
            .filter(|line| line.starts_with("INIT_REPORT") && line.ends_with("Status: timeout"))
            .count(),
        1
    );
}

#[tokio::test]
async fn an_init_phase_that_never_ends_is_the_calls_timeout() {
    let bench = Bench::new().await;
    let mut spec = Spec::python("import time\ntime.sleep(600)\n");
    spec.init_timeout = Duration::from_millis(200);
    spec.timeout = Duration::from_millis(400);
    let mut up = bench.up(spec).await;
    let failure = up.dies("{}").await;
    assert_eq!(failure.error_type, "Sandbox.Timedout");
    assert!(json(&failure)["errorMessage"].as_str().unwrap().ends_with("Task timed out after 0.40 seconds"));
}

#[tokio::test]
async fn a_paused_guest_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let mut up =
        bench.up(Spec::python("n = 0\ndef handler(e, c):\n  global n\n  n += 1\n  return n\n")).await;
    assert_eq!(up.ask("{}").await.unwrap(), value!(1));
    up.guest.pause().await.unwrap();
    up.guest.resume().await.unwrap();
    assert_eq!(up.ask("{}").await.unwrap(), value!(2));
    up.guest.pause().await.unwrap();
    up.guest.retire("spindown").await;
}

#[tokio::test]
async fn a_stream_over_its_deadline_breaks_with_a_timeout() {
    let bench = Bench::new().await;
    let text = "exports.handler = awslambda.streamifyResponse(async (event, out) => { out.write('some'); await new Promise(() => \
                setInterval(() => {}, 1000)); });";
    let mut spec = Spec::node(text);
    spec.timeout = Duration::from_millis(1000);
    let mut up = bench.up(spec).await;
    let reply = up.try_invoke("{}").await.unwrap();
    let Ok(ReplyBody::Stream { mut frames, .. }) = reply.result else { panic!("no stream") };
    let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
    assert!(!settled);
    assert_eq!(bytes, b"some");
    let Some(Frame::Failed(failure)) = last else { panic!("no failure") };
    assert_eq!(failure.error_type, "Sandbox.Timedout");
    assert!(up.log().last().unwrap().ends_with("\tStatus: timeout"));
}

#[tokio::test]
async fn b5_a_reader_that_never_reads_holds_the_guest_only_until_its_deadline() {
    let bench = Bench::new().await;
    let text = "exports.handler = awslambda.streamifyResponse(async (event, out) => { for (;;) out.write(Buffer.alloc(65536)); });";
    let mut spec = Spec::node(text);
    spec.timeout = Duration::from_millis(1000);
    let mut up = bench.up(spec).await;
    let reply = up.try_invoke("{}").await.unwrap();
    assert!(!up.guest.settled().await, "the frames were never read");
    let Ok(ReplyBody::Stream { mut frames, .. }) = reply.result else { panic!("no stream") };
    let (bytes, last) = collect(&mut frames).await;
    assert!(bytes.len() <= 17 * 70_000, "what waits is bounded: {}", bytes.len());
    assert_eq!(last, None, "the channel was full, so the stream is cut and not ended");
}
