//! What is measured.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::json;

use crate::{
    Args,
    guests::{self, Guest},
    http::Client,
    measure::{Samples, micros},
    peer,
    server::Server,
};

/// One line of the table. Figures are in `unit`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) median: f64,
    pub(crate) p99: Option<f64>,
    /// What stands beside it, and its median.
    pub(crate) beside: Option<(String, f64)>,
    pub(crate) target: Option<&'static str>,
    pub(crate) samples: usize,
}

/// Between cold starts, as between the first calls of real functions; what the server prepares ahead may come to rest.
const REST: Duration = Duration::from_millis(100);
const WARM_CALLS: usize = 3000;
const EVENT: &[u8] = br#"{"name":"bench"}"#;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default()
}

pub(crate) fn all(args: &Args) -> anyhow::Result<Vec<Row>> {
    let binary = match &args.anyfn {
        Some(path) => path.clone(),
        None => build()?,
    };
    let guests = guests::all(&root())?;
    let mut rows = vec![start(&binary, args.runs)?];
    for guest in &guests {
        eprintln!("measuring {} ({})", guest.name, guest.runtime);
        rows.push(cold(&binary, guest, args.runs)?);
        rows.extend(warm(&binary, guest)?);
    }
    if let Some(guest) = guests.first() {
        rows.push(throughput(&binary, guest)?);
        rows.extend(memory(&binary, guest)?);
    }
    if !args.no_peer {
        rows.extend(peer::rows(&binary, &guests, args.runs)?);
    }
    Ok(rows)
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", "anyfn", "--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    let path = lines.filter_map(|l| l["executable"].as_str().map(PathBuf::from)).next_back();
    path.context("cargo built no server")
}

/// The version's deploy through the native API; a new version each time, so that the next call is a cold start.
pub(crate) fn deploy(client: &mut Client, guest: &Guest, name: &str) -> anyhow::Result<serde_json::Value> {
    let body = json!({
        "zip": guest.zip, "runtime": guest.runtime, "handler": guest.handler, "timeout_ms": 30000, "url": true
    });
    let answer =
        client.ok("PUT", &format!("/_anyfn/v1/functions/{name}"), "", body.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer)?)
}

pub(crate) fn invoke_path(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}

fn start(binary: &Path, runs: usize) -> anyhow::Result<Row> {
    let mut values = Vec::new();
    for _ in 0..runs {
        values.push(micros(Server::start(binary, &[])?.ready) / 1e3);
    }
    let samples = Samples::new(values);
    Ok(Row {
        what: "server start to first answer".into(),
        unit: "ms",
        median: samples.median(),
        p99: Some(samples.at(0.99)),
        beside: None,
        target: Some("≤ 300 ms"),
        samples: samples.count(),
    })
}

fn cold(binary: &Path, guest: &Guest, runs: usize) -> anyhow::Result<Row> {
    let server = Server::start(binary, &[])?;
    let mut client = server.client()?;
    let mut values = Vec::new();
    for n in 0..runs + 2 {
        // A function of its own each time: the end of the one before is not part of this start.
        let name = format!("cold{n}");
        deploy(&mut client, guest, &name)?;
        thread::sleep(REST);
        let begun = Instant::now();
        client.ok("POST", &invoke_path(&name), "", EVENT)?;
        if n >= 2 {
            values.push(micros(begun.elapsed()) / 1e3);
        }
    }
    let samples = Samples::new(values);
    let target = match guest.name {
        "python" => "≤ 60 ms",
        "node" => "≤ 80 ms",
        _ => "≤ 15 ms",
    };
    Ok(Row {
        what: format!("cold start, {} hello: request in to answer out", guest.name),
        unit: "ms",
        median: samples.median(),
        p99: Some(samples.at(0.99)),
        beside: Some(("the bare process to its first answer".into(), bare_start(guest, runs)? / 1e3)),
        target: Some(target),
        samples: samples.count(),
    })
}

/// Microseconds from the start of the bare server to its first answer.
fn bare_start(guest: &Guest, runs: usize) -> anyhow::Result<f64> {
    let mut values = Vec::new();
    for _ in 0..runs.min(20) {
        let begun = Instant::now();
        let direct = Direct::start(guest)?;
        direct.client()?.ok("POST", "/", "", EVENT)?;
        values.push(micros(begun.elapsed()));
    }
    Ok(Samples::new(values).median())
}

/// The same handler behind a bare HTTP server.
struct Direct {
    child: std::process::Child,
    port: u16,
}

impl Direct {
    fn start(guest: &Guest) -> anyhow::Result<Self> {
        let (program, rest) = guest.direct.split_first().context("a command")?;
        let mut child = Command::new(program).args(rest).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self { child, port: line.trim().parse().context("its port")? })
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::connect(([127, 0, 0, 1], self.port).into())
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The three ways in turn, call by call, so that the machine's drift meets all alike.
fn warm(binary: &Path, guest: &Guest) -> anyhow::Result<Vec<Row>> {
    let server = Server::start(binary, &[])?;
    let mut api = server.client()?;
    let described = deploy(&mut api, guest, "warm")?;
    let url = described["url"].as_str().context("the function's address")?.to_owned();
    let url_path =
        url.split_once("/_url/").map(|(_, id)| format!("/_url/{id}")).context("the address' path")?;
    let (direct, mut through_url) = (Direct::start(guest)?, server.client()?);
    let mut bare = direct.client()?;
    let path = invoke_path("warm");
    let (mut a, mut u, mut d) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..WARM_CALLS + 200 {
        let timed =
            |work: &mut dyn FnMut() -> anyhow::Result<Vec<u8>>, into: &mut Vec<f64>| -> anyhow::Result<()> {
                let begun = Instant::now();
                work()?;
                if n >= 200 {
                    into.push(micros(begun.elapsed()));
                }
                Ok(())
            };
        timed(&mut || bare.ok("POST", "/", "", EVENT), &mut d)?;
        timed(&mut || api.ok("POST", &path, "", EVENT), &mut a)?;
        timed(
            &mut || through_url.ok("POST", &url_path, "content-type: application/json\r\n", EVENT),
            &mut u,
        )?;
    }
    let (a, u, d) = (Samples::new(a), Samples::new(u), Samples::new(d));
    let row = |what: String, samples: &Samples, target| Row {
        what,
        unit: "µs",
        median: samples.median(),
        p99: Some(samples.at(0.99)),
        beside: Some(("the same handler, bare HTTP server".into(), d.median())),
        target,
        samples: samples.count(),
    };
    let overhead = Row {
        what: format!("warm overhead of the API, {}", guest.name),
        unit: "µs",
        median: a.median() - d.median(),
        p99: None,
        beside: None,
        target: Some("≤ 300 µs"),
        samples: a.count(),
    };
    Ok(vec![
        row(format!("warm invoke through the API, {}", guest.name), &a, None),
        row(format!("warm invoke through a function URL, {}", guest.name), &u, None),
        overhead,
    ])
}

/// Sixteen clients for five seconds.
pub(crate) fn rate(address: std::net::SocketAddr, path: &str, clients: usize) -> anyhow::Result<f64> {
    let (done, until) = (AtomicU64::new(0), Instant::now() + Duration::from_secs(5));
    let failed = AtomicU64::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let Ok(mut client) = Client::connect(address) else { return };
                while Instant::now() < until {
                    match client.ok("POST", path, "", EVENT) {
                        Ok(_) => done.fetch_add(1, Ordering::Relaxed),
                        Err(_) => failed.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
    });
    if failed.load(Ordering::Relaxed) > 0 {
        bail!("{} calls failed under load", failed.load(Ordering::Relaxed));
    }
    #[allow(clippy::cast_precision_loss, reason = "a count for people")]
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

fn throughput(binary: &Path, guest: &Guest) -> anyhow::Result<Row> {
    let server = Server::start(binary, &[])?;
    deploy(&mut server.client()?, guest, "rate")?;
    let path = invoke_path("rate");
    rate(server.address, &path, 16)?;
    let here = rate(server.address, &path, 16)?;
    let direct = Direct::start(guest)?;
    let bare = rate(([127, 0, 0, 1], direct.port).into(), "/", 16)?;
    Ok(Row {
        what: format!("invokes/s, 16 clients, {}", guest.name),
        unit: "/s",
        median: here,
        p99: None,
        beside: Some(("one bare HTTP server".into(), bare)),
        target: None,
        samples: 1,
    })
}

fn memory(binary: &Path, guest: &Guest) -> anyhow::Result<Vec<Row>> {
    let server = Server::start(binary, &[])?;
    let mut client = server.client()?;
    let idle = server.rss_kib()?;
    let functions = 500;
    for n in 0..functions {
        deploy(&mut client, guest, &format!("m{n}"))?;
    }
    let deployed = server.rss_kib()?;
    let instances = 20;
    for n in 0..instances {
        client.ok("POST", &invoke_path(&format!("m{n}")), "", EVENT)?;
    }
    let running = server.rss_kib()?;
    let row = |what: &str, unit, median, target| Row {
        what: what.to_owned(),
        unit,
        median,
        p99: None,
        beside: None,
        target,
        samples: 1,
    };
    Ok(vec![
        row("server RSS, idle", "MiB", idle / 1024.0, Some("≤ 50 MB")),
        row("server RSS per idle function (of 500)", "KiB", (deployed - idle) / f64::from(functions), None),
        row("server RSS per idle instance (of 20)", "KiB", (running - deployed) / f64::from(instances), None),
    ])
}
