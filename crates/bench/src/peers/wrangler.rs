//! `wrangler dev`, what Cloudflare's developers run at home.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Endpoint, workerd::WORKER};
use crate::{
    bench::Bench,
    guests::EVENT,
    process::{Process, free_port},
    wire,
};

pub(crate) fn dev(bench: &Bench) -> anyhow::Result<Endpoint> {
    let program = bench.places.part("wrangler/node_modules/.bin/wrangler")?;
    let (port, inspector) = (free_port()?, free_port()?);
    let home = bench.places.scratch.join(format!("wrangler-{port}"));
    fs::create_dir_all(&home)?;
    fs::write(home.join("worker.js"), WORKER)?;
    let config =
        "name = \"hello\"\nmain = \"worker.js\"\ncompatibility_date = \"2025-01-01\"\nsend_metrics = false\n";
    fs::write(home.join("wrangler.toml"), config)?;
    let mut command = Command::new(program);
    command
        .args(["dev", "--local", "--ip", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--inspector-port",
            &inspector.to_string(),
            "--show-interactive-dev-session=false",
            "--log-level",
            "error",
        ])
        .env("HOME", &home)
        .env("CI", "1")
        .env("WRANGLER_SEND_METRICS", "false")
        .current_dir(&home)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let request =
        wire::request(&format!("127.0.0.1:{port}"), "POST", "/", "content-type: application/json\r\n", EVENT);
    let address = ([127, 0, 0, 1], port).into();
    let mut process = Process::start(&mut command)?;
    process.until_answers(address, &request, Duration::from_secs(60))?;
    Endpoint::checked(address, request, "/", vec![Box::new(process)])
}
