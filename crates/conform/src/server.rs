//! The server's own binary: started on a free port with an empty folder, stopped as an operator would, its log read.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{case::ServerWish, leftovers, place};

/// A cold build's first start on a busy machine.
const START: Duration = Duration::from_secs(30);
/// The server's own drain, and a little.
const STOP: Duration = Duration::from_secs(45);

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) pid: u32,
    pub(crate) data: PathBuf,
    home: TempDir,
    child: Child,
    /// Kept open: the server prints to it.
    _stdout: BufReader<tokio::process::ChildStdout>,
}

impl Server {
    pub(crate) async fn start(binary: &Path, wish: &ServerWish) -> Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("anyfn-conform-")
            .tempdir()
            .context("make a folder for a server")?;
        let data = home.path().join("data");
        let log = File::create(home.path().join("stderr")).context("make the server's log")?;
        let mut command = Command::new(binary);
        command.args(["up", "--listen", "127.0.0.1:0", "--data"]).arg(&data).args(&wish.flags);
        command.env_clear().envs(place::clean_environment());
        if wish.empty_home {
            command.env("HOME", home.path().join("home"));
            fs::create_dir(home.path().join("home")).context("make an empty home")?;
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("start {}", binary.display()))?;
        let pid = child.id().context("the server ended at once")?;
        let mut stdout = BufReader::new(child.stdout.take().context("the server's output")?);
        let mut line = String::new();
        let read = timeout(START, stdout.read_line(&mut line)).await;
        let url = match read {
            Ok(Ok(_)) => line.strip_prefix("anyfn ready ").map(|url| url.trim().to_owned()),
            _ => None,
        };
        let Some(url) = url else {
            bail!(
                "the server did not become ready: `{}`\n{}",
                line.trim(),
                tail(&home.path().join("stderr"), 20)
            );
        };
        Ok(Self { url, pid, data, home, child, _stdout: stdout })
    }

    /// Asks it to end and gives everything that is wrong with how it ended.
    pub(crate) async fn stop(mut self, allowed: &[String]) -> Result<Vec<String>> {
        let watch = leftovers::Watch::new(self.pid, &self.data);
        let mut wrong = Vec::new();
        let pid = Pid::from_raw(i32::try_from(self.pid)?).context("a process id")?;
        if let Some(status) = self.child.try_wait()? {
            wrong.push(format!("the server had ended before it was asked to: {status}"));
        } else {
            kill_process(pid, Signal::TERM).context("ask the server to end")?;
            match timeout(STOP, self.child.wait()).await {
                Ok(status) => {
                    let status = status?;
                    if !status.success() {
                        wrong.push(format!("the server ended with {status}"));
                    }
                }
                Err(_) => {
                    let _ = kill_process_group(pid, Signal::KILL);
                    wrong.push(format!("the server did not end within {} s", STOP.as_secs()));
                }
            }
        }
        wrong.extend(watch.left().await.into_iter().map(|what| format!("left behind: {what}")));
        let log = fs::read_to_string(self.home.path().join("stderr")).unwrap_or_default();
        wrong.extend(faults(&log, allowed).into_iter().map(|line| format!("the server's log: {line}")));
        Ok(wrong)
    }

    pub(crate) fn log_tail(&self, lines: usize) -> String {
        tail(&self.home.path().join("stderr"), lines)
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.home.path().join("stderr")
    }
}

/// Lines that a healthy server does not write.
fn faults(log: &str, allowed: &[String]) -> Vec<String> {
    let bad = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
    let listed = |line: &&str| allowed.iter().any(|text| line.contains(text.as_str()));
    log.lines().filter(bad).filter(|line| !listed(line)).map(str::to_owned).collect()
}

pub(crate) fn tail(file: &Path, lines: usize) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    let from = all.len().saturating_sub(lines);
    all[from..].iter().map(|line| format!("    {}\n", line.chars().take(400).collect::<String>())).collect()
}

#[cfg(test)]
mod tests;
