//! `workerd`, Cloudflare's engine, with a module worker.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use super::Endpoint;
use crate::{
    bench::Bench,
    guests::EVENT,
    process::{Process, free_port},
    wire,
};

pub(super) const WORKER: &str = "export default { async fetch(request) { const event = await request.json(); return Response.json({ hello: event.name ?? 'world' }); } };\n";

pub(crate) fn worker(bench: &Bench) -> anyhow::Result<Endpoint> {
    let program = bench.places.part("wrangler/node_modules/.bin/workerd")?;
    let port = free_port()?;
    let home = bench.places.scratch.join(format!("workerd-{port}"));
    fs::create_dir_all(&home)?;
    fs::write(home.join("worker.js"), WORKER)?;
    let config = format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (services = [(name = \"main\", worker = .w)],\n\
         sockets = [(name = \"http\", address = \"127.0.0.1:{port}\", http = (), service = \"main\")]);\n\
         const w :Workerd.Worker = (modules = [(name = \"worker\", esModule = embed \"worker.js\")], compatibilityDate = \"2025-01-01\");\n"
    );
    fs::write(home.join("config.capnp"), config)?;
    let mut command = Command::new(program);
    command.args(["serve", "config.capnp"]).current_dir(&home).stdout(Stdio::null()).stderr(Stdio::null());
    let request =
        wire::request(&format!("127.0.0.1:{port}"), "POST", "/", "content-type: application/json\r\n", EVENT);
    let address = ([127, 0, 0, 1], port).into();
    let mut process = Process::start(&mut command)?;
    process.until_answers(address, &request, Duration::from_secs(20))?;
    Endpoint::checked(address, request, "/", vec![Box::new(process)])
}
