//! The same functions, the same client, on a peer that runs Lambda without Docker: `ministack` from PyPI.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::json;

use crate::{
    guests::Guest,
    http::Client,
    lines::{Row, invoke_path, rate, root},
    measure::{Samples, micros},
    server::Server,
};

struct Peer {
    child: Child,
    address: SocketAddr,
    home: PathBuf,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn start() -> anyhow::Result<Option<Peer>> {
    let parts = std::env::var_os("ANYFN_PARTS").map_or_else(|| root().join("target/parts"), PathBuf::from);
    let program = parts.join("ministack/bin/ministack");
    if !program.exists() {
        eprintln!("left out: the peer ministack (run `cargo xtask setup` first)");
        return Ok(None);
    }
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let home = std::env::temp_dir().join(format!("anyfn-bench-peer-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let child = Command::new(program)
        .env("GATEWAY_PORT", port.to_string())
        .env("LAMBDA_EXECUTOR", "local")
        .env("HOME", &home)
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let peer = Peer { child, address: ([127, 0, 0, 1], port).into(), home };
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let up = Client::connect(peer.address).and_then(|mut c| c.send("GET", "/_ministack/health", "", b""));
        if up.is_ok() {
            return Ok(Some(peer));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    eprintln!("left out: the peer ministack (it did not answer within 60 s)");
    Ok(None)
}

/// Create, cold, warm and throughput through the Lambda API alone, on both.
struct Figures {
    create_ms: f64,
    cold_ms: f64,
    warm_ms: f64,
    rate: f64,
}

const SIGNED: &str = "content-type: application/json\r\nx-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n";

fn measure(address: SocketAddr, guest: &Guest, runs: usize) -> anyhow::Result<Figures> {
    let mut client = Client::connect(address)?;
    let (mut create, mut cold) = (Vec::new(), Vec::new());
    for n in 0..runs {
        let name = format!("peer{n}");
        let body = json!({
            "FunctionName": name, "Runtime": guest.runtime, "Handler": guest.handler, "Timeout": 30,
            "Role": "arn:aws:iam::000000000000:role/bench", "Code": { "ZipFile": guest.zip }
        });
        let begun = Instant::now();
        client.ok("POST", "/2015-03-31/functions", SIGNED, body.to_string().as_bytes())?;
        create.push(micros(begun.elapsed()) / 1e3);
        let begun = Instant::now();
        client.ok("POST", &invoke_path(&name), SIGNED, br#"{"name":"bench"}"#)?;
        cold.push(micros(begun.elapsed()) / 1e3);
    }
    let path = invoke_path("peer0");
    let warm = Samples::of(300, 20, || client.ok("POST", &path, SIGNED, br#"{"name":"bench"}"#).map(drop))?;
    Ok(Figures {
        create_ms: Samples::new(create).median(),
        cold_ms: Samples::new(cold).median(),
        warm_ms: warm.median() / 1e3,
        rate: rate(address, &path, 16)?,
    })
}

pub(crate) fn rows(binary: &Path, guests: &[Guest], runs: usize) -> anyhow::Result<Vec<Row>> {
    let Some(guest) = guests.first() else { return Ok(Vec::new()) };
    let Some(peer) = start()? else { return Ok(Vec::new()) };
    let theirs = measure(peer.address, guest, runs).context("the peer ministack")?;
    drop(peer);
    let server = Server::start(binary, &[])?;
    let ours = measure(server.address, guest, runs)?;
    let row = |what: &str, unit, ours, theirs| Row {
        what: format!("{what}, {}, Lambda API", guest.name),
        unit,
        median: ours,
        p99: None,
        beside: Some(("ministack".to_owned(), theirs)),
        target: None,
        samples: runs,
    };
    Ok(vec![
        row("CreateFunction", "ms", ours.create_ms, theirs.create_ms),
        row("cold invoke", "ms", ours.cold_ms, theirs.cold_ms),
        row("warm invoke", "ms", ours.warm_ms, theirs.warm_ms),
        row("invokes/s, 16 clients", "/s", ours.rate, theirs.rate),
    ])
}
