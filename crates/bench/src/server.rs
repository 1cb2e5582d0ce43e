//! A server under test: started, watched, ended.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::http::Client;

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first `/healthz` that answered.
    pub(crate) ready: Duration,
    data: PathBuf,
}

impl Server {
    pub(crate) fn start(binary: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let data = std::env::temp_dir().join(format!("anyfn-bench-{}-{:x}", std::process::id(), unique()));
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["up", "--listen", "127.0.0.1:0", "--log", "error", "--data"])
            .arg(&data)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("anyfn ready http://").and_then(|a| a.parse().ok())
        else {
            let _ = child.kill();
            bail!("the server did not become ready: {line:?}");
        };
        Client::connect(address)?.ok("GET", "/healthz", "", b"")?;
        Ok(Self { child, address, ready: begun.elapsed(), data })
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address)
    }

    /// Resident KiB of the server and its helper, guests left out.
    pub(crate) fn rss_kib(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).context("VmRSS")?;
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).context("VmRSS")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn unique() -> u128 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos())
}
