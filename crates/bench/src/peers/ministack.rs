//! ministack: runs Lambda functions without Docker, by its `local` executor.

use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use super::Endpoint;
use crate::{
    bench::Bench,
    deploy::{self, SIGNED},
    guests::{EVENT, Guest},
    http::Client,
    process::{Process, free_port},
    wire,
};

pub(crate) struct Ministack {
    #[allow(dead_code, reason = "held for its end")]
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Ministack {
    pub(crate) fn start(bench: &Bench) -> anyhow::Result<Self> {
        let program = bench.places.part("ministack/bin/ministack")?;
        let port = free_port()?;
        let home = bench.places.scratch.join(format!("ministack-{port}"));
        fs::create_dir_all(&home)?;
        let mut command = Command::new(program);
        command
            .env("GATEWAY_PORT", port.to_string())
            .env("LAMBDA_EXECUTOR", "local")
            .env("HOME", &home)
            .current_dir(&home)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let address = ([127, 0, 0, 1], port).into();
        let mut process = Process::start(&mut command)?;
        let request = wire::request("127.0.0.1", "GET", "/_ministack/health", "", b"");
        process.until_answers(address, &request, Duration::from_secs(60))?;
        Ok(Self { process, address })
    }

    pub(crate) fn create(&self, guest: &Guest, name: &str) -> anyhow::Result<()> {
        deploy::create(&mut Client::connect(self.address)?, guest, name, None, SIGNED)
    }

    pub(crate) fn request(&self, name: &str) -> Vec<u8> {
        wire::request(&self.address.to_string(), "POST", &deploy::invoke_path(name), SIGNED, EVENT)
    }
}

pub(crate) fn invoke(bench: &Bench, guest: &Guest) -> anyhow::Result<Endpoint> {
    let stack = Ministack::start(bench)?;
    stack.create(guest, "warm")?;
    let (address, request) = (stack.address, stack.request("warm"));
    Endpoint::checked(address, request, &deploy::invoke_path("warm"), vec![Box::new(stack)])
}
