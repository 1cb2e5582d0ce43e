//! Figures, not tests: `cargo test --release -p anyfn-wasm-host --test host -- --ignored --nocapture figures`.
//! Everything that is compared runs in one process run, turn by turn, because machines are not quiet.

use std::{convert::Infallible, time::Duration};

use anyfn_base::{Base, Clock, TaskKind};
use anyfn_core::ports::Guest;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::{
    bench::{Bench, Spec, Up, get, guest},
    lifecycle::hosts,
};

const ROUNDS: usize = 20;
const CALLS: usize = 250;
const TICKS_PER_S: f64 = 100.0;

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn micros(clock: &Clock, since: anyfn_base::Instant) -> f64 {
    (clock.now() - since).as_secs_f64() * 1e6
}

/// User and system time of a process, in seconds.
fn cpu(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_S
}

/// Proportional memory of a process, in KiB.
fn pss(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A hyper server with a native handler, on a thread of its own, over a socket of the kind that a host has.
fn native() -> UnixStream {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    ours.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let io = TokioIo::new(UnixStream::from_std(theirs).unwrap());
            let hello = hyper::service::service_fn(|_request| async {
                let body = Full::new(Bytes::from_static(b"Hello, world!\n"));
                Ok::<_, Infallible>(
                    http::Response::builder().header("content-type", "text/plain").body(body).unwrap(),
                )
            });
            let _closed = hyper::server::conn::http1::Builder::new().serve_connection(io, hello).await;
        });
    });
    UnixStream::from_std(ours).unwrap()
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn connect(base: &Base) -> Sender {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(native())).await.unwrap();
    base.tasks.spawn(TaskKind::Background, "native", async move { drop(connection.await) });
    sender
}

async fn native_call(sender: &mut Sender) {
    sender.ready().await.unwrap();
    let request = http::Request::get("/hello").header("host", "example.com").body(Full::default()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "Hello, world!\n");
}

async fn quiet(up: &mut Up) {
    let mut call = up.invocation(Some(get("/hello")), b"");
    call.want_log_tail = false;
    up.call(&call, Duration::from_secs(20)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a test"]
async fn figures() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::with(|options| (options.workers, options.calls) = (1, 901)).await;
    let clock = bench.base.clock.clone();
    let mut up = bench.start(Spec::new(bytes.clone())).await;
    let pid = hosts(901)[0].0;
    println!("host process, nothing called: {:.1} MiB PSS", pss(pid) / 1024.0);
    one_connection(&bench, &mut up).await;
    many(&bench, &up, pid).await;
    cold(&bench, &clock, &bytes).await;
    idle(&bench, &bytes, pid).await;
}

async fn one_connection(bench: &Bench, up: &mut Up) {
    let clock = &bench.base.clock;
    let mut sender = connect(&bench.base).await;
    let (mut native_us, mut wasm_us) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..CALLS {
            let begun = clock.now();
            native_call(&mut sender).await;
            native_us.push(micros(clock, begun));
        }
        for _ in 0..CALLS {
            let begun = clock.now();
            quiet(up).await;
            wasm_us.push(micros(clock, begun));
        }
    }
    let least = |all: &[f64]| all.iter().copied().fold(f64::MAX, f64::min);
    let (native_min, wasm_min) = (least(&native_us), least(&wasm_us));
    let (native_us, wasm_us) = (median(native_us), median(wasm_us));
    println!(
        "one connection, p50 (min): native hyper {native_us:.1} ({native_min:.1}) us, guest port {wasm_us:.1} ({wasm_min:.1}) us, ratio {:.2} ({:.2})",
        wasm_us / native_us,
        wasm_min / native_min
    );
}

async fn many(bench: &Bench, up: &Up, pid: i32) {
    const AT_ONCE: usize = 32;
    const EACH: usize = 2000;
    let mut ups = Vec::new();
    for _ in 0..AT_ONCE {
        let guest = bench.up(up.with.clone()).await.unwrap();
        ups.push(Up { base: bench.base.clone(), guest, lines: up.lines.clone(), with: up.with.clone() });
    }
    let (begun, before) = (bench.base.clock.now(), cpu(pid));
    let calls = ups.iter_mut().map(|up| async move {
        for _ in 0..EACH {
            quiet(up).await;
        }
    });
    futures_util::future::join_all(calls).await;
    let (took, used) = (micros(&bench.base.clock, begun) / 1e6, cpu(pid) - before);
    let total = (AT_ONCE * EACH) as f64;
    println!(
        "{AT_ONCE} at once on one worker: {:.0} calls/s wall, host CPU {:.1} us per call = {:.0} calls/s per core",
        total / took,
        used / total * 1e6,
        total / used
    );
    println!("host process after that: {:.1} MiB PSS", pss(pid) / 1024.0);
}

/// A version that was compiled before, in a host that runs: load, link, first answer.
async fn cold(bench: &Bench, clock: &Clock, bytes: &[u8]) {
    let mut all = Vec::new();
    for _ in 0..30 {
        let (with, lines) = bench.deploy(Spec::new(bytes.to_vec()));
        bench.prepare(&with).await.unwrap();
        let begun = clock.now();
        let guest = bench.up(with.clone()).await.unwrap();
        let mut up = Up { base: bench.base.clone(), guest, lines, with };
        quiet(&mut up).await;
        all.push(micros(clock, begun));
    }
    let least = all.iter().copied().fold(f64::MAX, f64::min);
    println!("cold, compiled code on disk to first answer: p50 {:.0} us, min {least:.0} us", median(all));
}

async fn idle(bench: &Bench, bytes: &[u8], pid: i32) {
    const HANDLES: usize = 20_000;
    let own = i32::try_from(std::process::id()).unwrap();
    let (with, _) = bench.deploy(Spec::new(bytes.to_vec()));
    let (host, server) = (pss(pid), pss(own));
    let mut handles: Vec<Box<dyn Guest>> = Vec::new();
    for _ in 0..HANDLES {
        handles.push(bench.up(with.clone()).await.unwrap());
    }
    let each = (pss(pid) - host + pss(own) - server) / HANDLES as f64;
    println!(
        "{HANDLES} idle handles of one version: {each:.2} KiB each, host and server together = {:.0} per GiB",
        1048576.0 / each
    );
    const FUNCTIONS: usize = 300;
    let (host, server) = (pss(pid), pss(own));
    for _ in 0..FUNCTIONS {
        let (with, _) = bench.deploy(Spec::new(bytes.to_vec()));
        handles.push(bench.up(with).await.unwrap());
    }
    let each = (pss(pid) - host + pss(own) - server) / FUNCTIONS as f64;
    println!(
        "{FUNCTIONS} idle functions of their own code each: {each:.1} KiB each = {:.0} per GiB",
        1048576.0 / each
    );
}
