//! nginx as a reverse proxy with kept connections to the backend.

use std::{fs, path::PathBuf, process::Stdio};

use super::{Endpoint, Transport, bare, on_path};
use crate::{
    bench::Bench,
    guests::Guest,
    process::{Process, free_port},
    wire,
};

pub(crate) fn proxy(bench: &Bench, guest: &Guest, transport: Transport) -> anyhow::Result<Endpoint> {
    on_path("nginx")?;
    let (backend, keep) = backend(bench, guest, transport, "nginx")?;
    let upstream = match &backend {
        Backend::Port(port) => format!("127.0.0.1:{port}"),
        Backend::Socket(path) => format!("unix:{}", path.display()),
    };
    let port = free_port()?;
    let home = bench.places.scratch.join(format!("nginx-{port}"));
    fs::create_dir_all(&home)?;
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {}/{name};", home.display()))
        .collect();
    let pid = home.join("pid");
    let text = format!(
        "daemon off; user root; worker_processes auto; pid {}; error_log stderr error;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; {folders} keepalive_requests 1000000000;\n\
         upstream b {{ server {upstream}; keepalive 128; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
        pid.display()
    );
    let file = home.join("nginx.conf");
    fs::write(&file, text)?;
    let mut nginx = super::command("nginx");
    nginx.arg("-p").arg(&home).arg("-e").arg("stderr").arg("-c").arg(&file);
    started(nginx.stdout(Stdio::null()).stderr(Stdio::null()), port, keep)
}

/// The bare server on the transport that is compared.
pub(super) enum Backend {
    Port(u16),
    Socket(PathBuf),
}

pub(super) type Kept = Vec<Box<dyn std::any::Any>>;

pub(super) fn backend(
    bench: &Bench,
    guest: &Guest,
    transport: Transport,
    name: &str,
) -> anyhow::Result<(Backend, Kept)> {
    match transport {
        Transport::Tcp => {
            let direct = bare::direct_get(guest)?;
            Ok((Backend::Port(direct.address.port()), vec![Box::new(direct)]))
        }
        Transport::Unix => {
            let path = bench.places.scratch.join(format!("{name}-{}.sock", free_port()?));
            let path_text = path.display().to_string();
            let (process, _) = Process::announced(&mut guest.serve(&["--serve-unix", &path_text])?)?;
            Ok((Backend::Socket(path), vec![Box::new(process)]))
        }
    }
}

/// Waits for a proxy that listens on `port`.
pub(super) fn started(
    command: &mut std::process::Command,
    port: u16,
    mut keep: Kept,
) -> anyhow::Result<Endpoint> {
    let address = ([127, 0, 0, 1], port).into();
    let request = wire::request(&format!("127.0.0.1:{port}"), "GET", "/", "", b"");
    let mut process = Process::start(command)?;
    process.until_answers(address, &request, std::time::Duration::from_secs(10))?;
    // The proxy ends before its backend.
    keep.insert(0, Box::new(process));
    Endpoint::checked(address, request, "/", keep)
}
