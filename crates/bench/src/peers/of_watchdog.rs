//! OpenFaaS' own `of-watchdog` in its HTTP mode: the process that stands in front of each function there.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Endpoint, on_path};
use crate::{
    bench::Bench,
    guests::{EVENT, Guest},
    process::{Process, free_port},
    wire,
};

/// In front of the same bare server.
pub(crate) fn watchdog(bench: &Bench, guest: &Guest) -> anyhow::Result<Endpoint> {
    let program = match bench.places.part("of-watchdog/bin/of-watchdog") {
        Ok(path) => path,
        Err(_) if on_path("of-watchdog").is_ok() => PathBuf::from("of-watchdog"),
        Err(why) => return Err(why),
    };
    let direct = super::direct(guest)?;
    let (port, metrics) = (free_port()?, free_port()?);
    let mut command = Command::new(program);
    // It starts a function process itself; ours listens already, so it is given one that only stays.
    command
        .env("mode", "http")
        .env("fprocess", "sleep 1000000")
        .env("upstream_url", format!("http://127.0.0.1:{}", direct.address.port()))
        .env("port", port.to_string())
        .env("metrics_port", metrics.to_string())
        .env("log_calls", "false")
        .env("max_inflight", "0")
        .current_dir(&bench.places.scratch)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let address = ([127, 0, 0, 1], port).into();
    let request =
        wire::request(&format!("127.0.0.1:{port}"), "POST", "/", "content-type: application/json\r\n", EVENT);
    let mut process = Process::start(&mut command)?;
    process.until_answers(address, &request, Duration::from_secs(20))?;
    Endpoint::checked(address, request, "/", vec![Box::new(process), Box::new(direct)])
}
