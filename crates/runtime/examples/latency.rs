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

use bench::{Bench, Spec};

const CALLS: usize = 3000;
const STARTS: usize = 10;

/// The middle and the 99th of a hundred, in microseconds.
fn spread(mut times: Vec<u128>) -> String {
    times.sort_unstable();
    format!("p50 {} µs, p99 {} µs", times[times.len() / 2], times[times.len() * 99 / 100])
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bench = Bench::new().await;
    let cases = [
        ("python", (|| Spec::python("def handler(e, c):\n  return 1\n")) as fn() -> Spec),
        ("node", || Spec::node("exports.handler = async () => 1;")),
    ];
    for (name, spec) in cases {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let began = bench.base.clock.now();
            let up = bench.up(spec()).await;
            starts.push(began.elapsed().as_micros());
            up.guest.retire("spindown").await;
        }
        println!("{name} cold: {}", spread(starts));
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
