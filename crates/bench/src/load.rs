//! Our own load generator: one thread, one epoll, any number of connections.
//!
//! Open: requests leave at times fixed beforehand, and each is measured from the time at which it *should* have left, so a
//! server that stalls is charged for everyone who came meanwhile (no coordinated omission). Closed: each connection sends
//! its next request when its answer is there.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};

use crate::wire;

/// When requests leave.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many a second, evenly.
    Open(f64),
    Closed,
}

impl Pace {
    /// Time of request `n`, counted from 0, after the beginning. None: as soon as a connection is free.
    pub(crate) fn at(self, n: u64) -> Option<Duration> {
        match self {
            Self::Open(rate) => Some(Duration::from_secs_f64(n as f64 / rate)),
            Self::Closed => None,
        }
    }

    /// How many leave within `span`; None if that depends on the server.
    pub(crate) fn count(self, span: Duration) -> Option<u64> {
        match self {
            Self::Open(rate) => Some((rate * span.as_secs_f64()).round() as u64),
            Self::Closed => None,
        }
    }
}

/// One run.
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) span: Duration,
    /// Sent in turn.
    pub(crate) requests: &'a [Vec<u8>],
    /// Each only once: the run ends early when all are sent.
    pub(crate) once: bool,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Requests that should have left.
    pub(crate) due: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// Of the first that failed.
    pub(crate) first_failure: Option<String>,
    pub(crate) elapsed: Duration,
    /// Nanoseconds from the intended time to the whole answer, of those that succeeded.
    pub(crate) latency: Histogram<u64>,
}

impl Outcome {
    /// Successes a second.
    pub(crate) fn rate(&self) -> f64 {
        self.ok as f64 / self.elapsed.as_secs_f64()
    }

    /// In percent of those due.
    pub(crate) fn success(&self) -> f64 {
        100.0 * self.ok as f64 / self.due.max(1) as f64
    }

    fn fail(&mut self, why: impl FnOnce() -> String) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(why);
    }
}

struct Connection {
    stream: TcpStream,
    /// What was not written yet.
    unsent: Vec<u8>,
    buffer: Vec<u8>,
    /// Of the request that is on its way.
    intended: Option<Instant>,
}

struct Run<'a> {
    load: &'a Load<'a>,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    next: u64,
    limit: u64,
    outcome: Outcome,
}

/// How long answers may be outstanding after the last request was due.
const DRAIN: Duration = Duration::from_secs(10);

pub(crate) fn run(load: &Load<'_>) -> anyhow::Result<Outcome> {
    let mut run = Run::new(load)?;
    let begun = Instant::now();
    let end = begun + load.span;
    let mut events = Vec::with_capacity(load.connections);
    loop {
        run.release(begun, end)?;
        let busy = run.connections.len() - run.idle.len();
        let over = run.next >= run.limit || (run.load.pace.at(0).is_none() && Instant::now() >= end);
        if (over && busy == 0) || Instant::now() > end + DRAIN {
            break;
        }
        run.wait(begun, &mut events)?;
    }
    run.outcome.elapsed = begun.elapsed();
    Ok(run.finish())
}

impl<'a> Run<'a> {
    fn new(load: &'a Load<'a>) -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let stream = connect(load.address)?;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
            connections.push(Connection { stream, unsent: Vec::new(), buffer: Vec::new(), intended: None });
        }
        let mut limit = load.pace.count(load.span).unwrap_or(u64::MAX);
        if load.once {
            limit = limit.min(load.requests.len() as u64);
        }
        let latency = Histogram::new_with_bounds(1000, 600_000_000_000, 3).context("a histogram")?;
        let (elapsed, first_failure) = (Duration::ZERO, None);
        Ok(Self {
            load,
            epoll,
            idle: (0..connections.len()).collect(),
            connections,
            next: 0,
            limit,
            outcome: Outcome { due: 0, ok: 0, failed: 0, first_failure, elapsed, latency },
        })
    }

    /// Sends what is due on connections that are free.
    fn release(&mut self, begun: Instant, end: Instant) -> anyhow::Result<()> {
        let mut now = Instant::now();
        while self.next < self.limit {
            let intended = match self.load.pace.at(self.next) {
                Some(at) => begun + at,
                None if now < end => now,
                None => break,
            };
            if intended > now {
                break;
            }
            let Some(index) = self.idle.pop_front() else { break };
            let request = &self.load.requests[(self.next % self.load.requests.len() as u64) as usize];
            let connection = &mut self.connections[index];
            connection.intended = Some(intended);
            connection.unsent.extend_from_slice(request);
            self.next += 1;
            if let Err(error) = connection.flush() {
                self.broken(index, &format!("send: {error}"))?;
            }
            now = Instant::now();
        }
        Ok(())
    }

    /// Until something can be read, or the next request is due.
    fn wait(&mut self, begun: Instant, events: &mut Vec<epoll::Event>) -> anyhow::Result<()> {
        let due = self.load.pace.at(self.next).filter(|_| self.next < self.limit && !self.idle.is_empty());
        let until = due
            .map_or(Duration::from_millis(50), |at| (begun + at).saturating_duration_since(Instant::now()));
        // epoll counts milliseconds on older kernels; poll counts nanoseconds everywhere.
        let timeout = Timespec { tv_sec: until.as_secs() as i64, tv_nsec: i64::from(until.subsec_nanos()) };
        if poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&timeout))? == 0 {
            return Ok(());
        }
        events.clear();
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&zero))?;
        for event in events.iter() {
            let index = event.data.u64() as usize;
            if let Err(error) = self.progress(index) {
                self.broken(index, &format!("{error:#}"))?;
            }
        }
        Ok(())
    }

    fn progress(&mut self, index: usize) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        connection.flush()?;
        let ended = connection.fill()?;
        let Some(intended) = connection.intended else {
            anyhow::ensure!(!ended, "the server ended an idle connection");
            return Ok(());
        };
        let whole = wire::answer(&connection.buffer)?.filter(|answer| ended || !answer.unbounded);
        let Some(answer) = whole else {
            anyhow::ensure!(!ended, "the connection ended before the answer");
            return Ok(());
        };
        connection.intended = None;
        connection.buffer.drain(..answer.length);
        if answer.is_success() {
            self.outcome.ok += 1;
            let nanos = u64::try_from(intended.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.outcome.latency.saturating_record(nanos);
        } else {
            self.outcome.fail(|| answer.told());
        }
        if answer.close || ended {
            self.renew(index)?;
        }
        self.idle.push_back(index);
        Ok(())
    }

    /// The request on it failed; another connection takes its place.
    fn broken(&mut self, index: usize, why: &str) -> anyhow::Result<()> {
        if self.connections[index].intended.is_some() {
            self.outcome.fail(|| why.to_owned());
            self.idle.push_back(index);
        }
        self.renew(index)
    }

    fn renew(&mut self, index: usize) -> anyhow::Result<()> {
        let stream = connect(self.load.address)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
        // The old one leaves the epoll when it is closed.
        self.connections[index] =
            Connection { stream, unsent: Vec::new(), buffer: Vec::new(), intended: None };
        Ok(())
    }

    /// What was due and never answered has failed.
    fn finish(mut self) -> Outcome {
        let limit = if self.limit == u64::MAX { self.next } else { self.limit };
        let open = matches!(self.load.pace, Pace::Open(_));
        self.outcome.due = if open { limit } else { self.next };
        let lost = self.outcome.due - self.outcome.ok - self.outcome.failed;
        if lost > 0 {
            self.outcome.first_failure.get_or_insert_with(|| format!("{lost} were not answered in time"));
        }
        self.outcome.failed += lost;
        self.outcome
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).context("connect")?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

impl Connection {
    fn flush(&mut self) -> std::io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; gives whether the server ended the connection.
    fn fill(&mut self) -> std::io::Result<bool> {
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(true),
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;
