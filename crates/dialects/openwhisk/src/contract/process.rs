//! One action's process: lines in, lines out, what it prints, how it ends.

use std::{io, os::fd::OwnedFd, path::Path, time::Duration};

use anyfn_base::{Clock, Instant};
use anyfn_core::ports::{BringUp, Exit, ExitKind, ProcessSpec, Sandbox};
use anyfn_types::Error;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::{
    plan::{self, Plan, Speech},
    printed::{Printed, Stream},
};

const READ: usize = 16 * 1024;
/// Reads of one drain, so that a flood cannot hold an answer back.
const DRAIN_READS: usize = 256;
/// How long the end of a process that closed its answers may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(crate) struct Process {
    clock: Clock,
    pub(crate) sandbox: Box<dyn Sandbox>,
    pub(crate) printed: Printed,
    input: Sender,
    /// What has not gone in yet.
    pending: Bytes,
    answers: Option<Receiver>,
    buffer: BytesMut,
    streams: [Option<Receiver>; 2],
    /// It will not answer any more.
    closed: bool,
    exit: Option<Exit>,
}

/// What a process does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Line(Bytes),
    /// A line that is longer than it may be; the rest of it is not read.
    TooLong(u64),
    /// It ended, or closed its answers.
    Ended(Exit),
    Late,
}

fn broken(source: io::Error) -> Error {
    Error::internal("guest_setup_failed", source)
}

async fn readable(pipe: Option<&Receiver>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.readable().await,
        None => std::future::pending().await,
    }
}

impl Process {
    pub(crate) async fn start(
        clock: Clock,
        with: &BringUp,
        (plan, launchers): (&Plan, &Path),
        env: Vec<(String, String)>,
        mut printed: Printed,
    ) -> Result<Self, Error> {
        let (their_input, input) = io::pipe().map_err(broken)?;
        let (answers, their_answers) = io::pipe().map_err(broken)?;
        let (out, their_out) = io::pipe().map_err(broken)?;
        let (err, their_err) = io::pipe().map_err(broken)?;
        let mut fds: Vec<(OwnedFd, i32)> =
            vec![(their_input.into(), 0), (their_out.into(), 1), (their_err.into(), 2)];
        if plan.speech != Speech::Http {
            fds.push((their_answers.into(), 3));
        }
        let receiver = |pipe: io::PipeReader| Receiver::from_owned_fd(OwnedFd::from(pipe)).map_err(broken);
        let sandbox = with.isolation.create(plan::sandbox(with, plan, launchers)).await?;
        let spec = ProcessSpec { argv: plan.argv.clone(), env, cwd: "/var/task".to_owned(), fds };
        let spawned = sandbox.spawn(spec).await;
        let mut exit = None;
        if let Err(error) = spawned {
            // What the platform starts of its own is there; what a package brings may be for another machine.
            if plan.speech == (Speech::Lines { launcher: true }) {
                return Err(error);
            }
            printed.say(
                "The executable could not be started: is it one of this machine, with its executable bit?",
            );
            exit = Some(Exit { process: None, kind: ExitKind::Code(127), out_of_memory: false });
        }
        Ok(Self {
            clock,
            sandbox,
            printed,
            input: Sender::from_owned_fd(OwnedFd::from(input)).map_err(broken)?,
            pending: Bytes::new(),
            answers: (plan.speech != Speech::Http).then(|| receiver(answers)).transpose()?,
            buffer: BytesMut::new(),
            streams: [Some(receiver(out)?), Some(receiver(err)?)],
            closed: false,
            exit,
        })
    }

    /// Goes in while `hear` is waited for.
    pub(crate) fn say(&mut self, line: Bytes) {
        self.pending = line;
    }

    /// The next thing that happens; an answer of more than `limit` bytes is not waited for. Cancel-safe.
    pub(crate) async fn hear(&mut self, deadline: Option<Instant>, limit: usize) -> Said {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1).freeze();
                self.drain();
                return if end > limit { Said::TooLong(end as u64) } else { Said::Line(line.slice(..end)) };
            }
            if self.buffer.len() > limit {
                return Said::TooLong(self.buffer.len() as u64);
            }
            if let Some(exit) = self.exit {
                return Said::Ended(exit);
            }
            if self.closed {
                let exit = self.exit_soon().await;
                self.last_words(exit);
                continue;
            }
            let late = async {
                match deadline {
                    Some(deadline) => self.clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = readable(self.answers.as_ref()) => self.read_answers(),
                _ = readable(self.streams[0].as_ref()) => self.read_stream(Stream::Out, false),
                _ = readable(self.streams[1].as_ref()) => self.read_stream(Stream::Err, false),
                _ = self.input.writable(), if !self.pending.is_empty() => self.write_pending(),
                exit = self.sandbox.next_exit() => self.last_words(exit),
                () = late => return Said::Late,
            }
        }
    }

    fn read_answers(&mut self) {
        let Some(pipe) = &self.answers else { return };
        self.buffer.reserve(READ);
        match pipe.try_read_buf(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => {
                self.answers = None;
                self.closed = true;
            }
            Ok(_) => {}
        }
    }

    /// It closed its answers; how it ends, which should follow at once, says why.
    async fn exit_soon(&self) -> Option<Exit> {
        let closed = Exit { process: None, kind: ExitKind::Code(0), out_of_memory: false };
        tokio::select! {
            exit = self.sandbox.next_exit() => exit,
            () = self.clock.sleep(LAST_WORDS) => Some(closed),
        }
    }

    fn write_pending(&mut self) {
        match self.input.try_write(&self.pending) {
            Ok(written) => self.pending.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It does not listen any more; its end is the next thing to hear of.
            Err(_) => self.pending = Bytes::new(),
        }
    }

    /// Reads once as the reactor says, or all that is there whatever the reactor knows.
    fn read_stream(&mut self, stream: Stream, all: bool) {
        let slot = &mut self.streams[stream as usize];
        let mut buffer = Vec::with_capacity(READ);
        for _ in 0..if all { DRAIN_READS } else { 1 } {
            let Some(pipe) = slot.as_ref() else { return };
            buffer.clear();
            let read = if all {
                rustix::io::read(pipe, rustix::buffer::spare_capacity(&mut buffer)).map_err(io::Error::from)
            } else {
                pipe.try_read_buf(&mut buffer)
            };
            match read {
                Ok(0) => *slot = None,
                Ok(_) => self.printed.feed(stream, &buffer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => *slot = None,
            }
        }
    }

    /// It said something that nobody asked for.
    pub(crate) fn spoke(&mut self) -> bool {
        if let Some(pipe) = &self.answers {
            let mut buffer = [0; 64];
            if let Ok(read) = rustix::io::read(pipe, &mut buffer) {
                self.buffer.extend_from_slice(&buffer[..read]);
            }
        }
        !self.buffer.is_empty()
    }

    /// Takes what was printed so far.
    pub(crate) fn drain(&mut self) {
        self.read_stream(Stream::Out, true);
        self.read_stream(Stream::Err, true);
    }

    /// It ended; what it said before still counts.
    fn last_words(&mut self, exit: Option<Exit>) {
        let gone = Exit { process: None, kind: ExitKind::Signal(9), out_of_memory: false };
        let exit = exit.unwrap_or(gone);
        let mut rest = Vec::with_capacity(READ);
        for _ in 0..DRAIN_READS {
            let Some(pipe) = &self.answers else { break };
            rest.clear();
            match rustix::io::read(pipe, rustix::buffer::spare_capacity(&mut rest)) {
                Ok(0) | Err(_) => break,
                Ok(_) => self.buffer.extend_from_slice(&rest),
            }
        }
        self.drain();
        self.exit = Some(exit);
    }

    pub(crate) async fn destroy(mut self) {
        self.drain();
        if let Err(error) = self.sandbox.destroy().await {
            tracing::warn!(?error, "a sandbox was not given back whole");
        }
    }
}
