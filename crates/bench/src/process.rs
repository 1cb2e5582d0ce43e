//! Programs beside the server: started in a process group of their own, and gone with the value.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::http::Client;

pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    /// What it gets to end by itself.
    grace: Duration,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.with_context(|| format!("start {name}"))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self { child, group, grace: Duration::from_secs(3) })
    }

    /// More time for one that has something to put in order.
    pub(crate) fn allow(&mut self, grace: Duration) {
        self.grace = grace;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Of a program that prints the port on which it listens.
    pub(crate) fn announced(command: &mut Command) -> anyhow::Result<(Self, SocketAddr)> {
        let mut process = Self::start(command.stdout(Stdio::piped()))?;
        let line = process.line()?;
        let port: u16 = line.trim().parse().with_context(|| format!("a port, not {line:?}"))?;
        Ok((process, ([127, 0, 0, 1], port).into()))
    }

    /// The first line of its standard output, which must be piped.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(line)
    }

    /// Asks until the answer is a success.
    pub(crate) fn until_answers(
        &mut self,
        address: SocketAddr,
        request: &[u8],
        patience: Duration,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        let mut last = String::from("nothing was asked");
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} before it answered");
            }
            match Client::patient(address, patience).and_then(|mut client| client.raw(request)) {
                Ok(answer) if answer.is_success() => return Ok(()),
                Ok(answer) => last = answer.told(),
                Err(error) => last = format!("{error:#}"),
            }
            thread::sleep(Duration::from_millis(2));
        }
        bail!("no answer within {} s ({last})", patience.as_secs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // The program itself tells its own children, in its order.
            let _ = kill_process(group, Signal::TERM);
            let until = Instant::now() + self.grace;
            while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Microseconds from the start of a program to the first line it prints. It ends before this returns.
pub(crate) fn to_first_line(words: &[String]) -> anyhow::Result<f64> {
    let (program, rest) = words.split_first().context("a command")?;
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {program}"))?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
    let micros = begun.elapsed().as_secs_f64() * 1e6;
    let ended = child.wait_with_output()?;
    if line.trim().is_empty() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!(
            "it ended with {} and printed nothing: {}",
            ended.status,
            said.trim().lines().last().unwrap_or_default()
        );
    }
    Ok(micros)
}
