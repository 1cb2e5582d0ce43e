//! What a cold start and a warm call cost over real sandboxes, as root: `cargo run --example latency`. A call is measured
//! from `invoke` to its answer; the floor is one wake of the guest and one of the server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    reason = "a bench prints and gives up"
)]

#[path = "../tests/lambda/bench.rs"]
mod bench;
#[path = "../tests/sandboxed/isolation.rs"]
mod isolation;

use anyfn_runtime::Forking;
use bench::{Bench, Spec};

const CALLS: usize = 3000;
const STARTS: usize = 15;

/// The middle and the 99th of a hundred, in microseconds.
fn spread(mut times: Vec<u128>) -> String {
    times.sort_unstable();
    format!("p50 {} µs, p99 {} µs", times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Cold starts and their first calls, by way: from nothing, from a template, from a child that waits.
async fn starts(name: &str, set: Option<&str>, spec: impl Fn() -> Spec) {
    let plain = Bench::providing(&[], Forking { on: false, ..Forking::default() }, true).await;
    let forks = Bench::providing(&[], Forking { spares_max: 0, ..Forking::default() }, true).await;
    let spares = Bench::providing(&[], Forking { spares_max: 1, ..Forking::default() }, true).await;
    for (way, bench) in [("plain", plain), ("fork", forks), ("spare", spares)] {
        if way != "plain" {
            bench.warm(spec().runtime, set).await;
            // Learns its set, and is asked whether it suits.
            for _ in 0..3 {
                bench.bring_up(spec()).await.unwrap().guest.retire("spindown").await;
            }
        }
        let (mut ups, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            if way == "spare" {
                bench.until_spares(1).await;
                bench.base.clock.sleep(std::time::Duration::from_millis(50)).await;
            }
            let began = bench.base.clock.now();
            let mut up = bench.bring_up(spec()).await.unwrap();
            ups.push(began.elapsed().as_micros());
            up.try_invoke("{}").await.unwrap();
            answers.push(began.elapsed().as_micros());
            assert!(up.guest.settled().await);
            up.guest.retire("spindown").await;
        }
        let made: Vec<_> =
            ["plain", "fork", "spare"].map(|how| format!("{how} {}", bench.starts(how))).into();
        println!("{name} {way}: up {}; first answer {} ({})", spread(ups), spread(answers), made.join(", "));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let version = Some(anyfn_types::VersionId(1));
    let boto3 =
        "import boto3\ns3 = boto3.client('s3', region_name='eu-west-1')\ndef handler(e, c):\n  return 1\n";
    starts("python", None, || Spec { version, ..Spec::python("def handler(e, c):\n  return 1\n") }).await;
    starts("python+boto3", Some("boto3"), || Spec { version, ..Spec::python(boto3) }).await;
    starts("node", None, || Spec { version, ..Spec::node("exports.handler = async () => 1;") }).await;
    warm().await;
}

/// Calls to an instance that is up.
async fn warm() {
    let bench = Bench::new().await;
    let cases = [
        ("python", (|| Spec::python("def handler(e, c):\n  return 1\n")) as fn() -> Spec),
        ("node", || Spec::node("exports.handler = async () => 1;")),
    ];
    for (name, spec) in cases {
        let mut up = bench.up(spec()).await;
        let (mut answers, mut rests) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            let began = bench.base.clock.now();
            up.try_invoke("{}").await.unwrap();
            answers.push(began.elapsed().as_micros());
            assert!(up.guest.settled().await);
            rests.push(began.elapsed().as_micros());
        }
        println!("{name} warm: answer {}; settled {}", spread(answers), spread(rests));
    }
}
