//! A server under test: started, watched, ended.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{http::Client, machine, process::Process};

pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first `/healthz` that answered.
    pub(crate) ready: Duration,
    data: Data,
}

/// A folder for the server's data that goes away.
pub(crate) struct Data(PathBuf);

impl Data {
    pub(crate) fn new(scratch: &Path) -> anyhow::Result<Self> {
        let unique = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        let folder = scratch.join(format!("data-{unique:x}"));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Where its server says what is wrong; it outlives the folder.
    fn complaints(&self) -> anyhow::Result<fs::File> {
        let path = self.0.with_file_name(COMPLAINTS);
        fs::File::options().create(true).append(true).open(&path).with_context(|| path.display().to_string())
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const COMPLAINTS: &str = "complaints.log";

/// What the servers complained about since the last time, line by line; their farewells are none.
pub(crate) fn complaints(scratch: &Path) -> Vec<String> {
    let path = scratch.join(COMPLAINTS);
    let text = fs::read(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    let text = String::from_utf8_lossy(&text);
    text.lines().filter(|line| !line.starts_with("draining")).map(str::to_owned).collect()
}

/// The names that `--set` takes.
pub(crate) fn settings(binary: &Path) -> anyhow::Result<BTreeSet<String>> {
    let output = Command::new(binary).args(["up", "--list-limits"]).output().context("ask for the limits")?;
    let listed: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&output.stdout).context("read the limits")?;
    Ok(listed.into_iter().map(|(name, _)| name).collect())
}

impl Server {
    /// `set`: `NAME=VALUE` each.
    pub(crate) fn start(binary: &Path, data: Data, set: &[String]) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut command = Command::new(binary);
        command.args(["up", "--listen", "127.0.0.1:0", "--log", "error", "--data"]).arg(&data.0);
        command.args(set.iter().flat_map(|pair| ["--set", pair.as_str()])).stdout(Stdio::piped());
        command.stderr(data.complaints()?);
        let mut process = Process::start(&mut command)?;
        process.allow(Duration::from_secs(40));
        let line = process.line()?;
        let Some(address) = line.trim().strip_prefix("anyfn ready http://").and_then(|a| a.parse().ok())
        else {
            bail!("the server did not become ready: {line:?}");
        };
        Client::connect(address)?.ok("GET", "/healthz", "", b"")?;
        Ok(Self { process, address, ready: begun.elapsed(), data })
    }

    /// Ends the server and keeps its data.
    pub(crate) fn end(self) -> Data {
        drop(self.process);
        self.data
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address)
    }

    /// Server and helper, without guests.
    pub(crate) fn own_processes(&self) -> Vec<u32> {
        machine::same_program(self.process.id())
    }

    /// What the server and its helper started and is no part of them: templates, sandboxes, functions.
    pub(crate) fn guest_processes(&self) -> Vec<u32> {
        let own = self.own_processes();
        machine::tree(self.process.id()).into_iter().filter(|id| !own.contains(id)).collect()
    }

    pub(crate) fn own_pss_kib(&self) -> anyhow::Result<f64> {
        machine::pss_kib(&self.own_processes())
    }

    /// All series of one metric added up; None if the server has no such metric.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<Option<f64>> {
        let text = self.client()?.ok("GET", "/metrics", "", b"")?;
        Ok(sum_of(&String::from_utf8_lossy(&text), name))
    }
}

fn sum_of(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
        rest.strip_prefix(' ')?.trim().parse::<f64>().ok()
    });
    values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or_default() + value))
}

#[cfg(test)]
mod tests;
