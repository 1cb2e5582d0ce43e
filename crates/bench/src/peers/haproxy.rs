//! HAProxy as a reverse proxy with kept connections to the backend.

use std::{fs, process::Stdio};

use super::{
    Endpoint, Transport,
    nginx::{Backend, backend, started},
    on_path,
};
use crate::{bench::Bench, guests::Guest, process::free_port};

pub(crate) fn proxy(bench: &Bench, guest: &Guest, transport: Transport) -> anyhow::Result<Endpoint> {
    on_path("haproxy")?;
    let (backend, keep) = backend(bench, guest, transport, "haproxy")?;
    let upstream = match &backend {
        Backend::Port(port) => format!("127.0.0.1:{port}"),
        Backend::Socket(path) => format!("unix@{}", path.display()),
    };
    let port = free_port()?;
    let text = format!(
        "global\n  maxconn 1000\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n\
         frontend f\n  bind 127.0.0.1:{port}\n  default_backend b\n\
         backend b\n  server s {upstream}\n"
    );
    let file = bench.places.scratch.join(format!("haproxy-{port}.cfg"));
    fs::write(&file, text)?;
    let mut haproxy = super::command("haproxy");
    haproxy.arg("-db").arg("-f").arg(&file);
    started(haproxy.stdout(Stdio::null()).stderr(Stdio::null()), port, keep)
}
