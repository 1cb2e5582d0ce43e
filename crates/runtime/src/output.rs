//! What a guest prints, from its pipes into the log. The pipes are read as fast as they fill, whatever the log does: a
//! guest never waits for a slow reader. A rate limit drops lines and counts them.

use std::{
    io::{self, PipeReader},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::ports::{LogLine, LogSink, LogTarget};
use anyfn_types::Limits;
use bytes::Bytes;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

mod cut;

use cut::{Lines, Records};

/// Bytes of one read.
const READ: usize = 16 * 1024;
/// Reads of one drain, so that a flood cannot hold an answer back.
const DRAIN_READS: usize = 64;
/// The log tail that a caller may ask for.
const TAIL: usize = 4096;

#[derive(Debug)]
enum Cutter {
    Lines(Lines),
    Records(Records),
}

impl Cutter {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<Bytes>) {
        match self {
            Self::Lines(lines) => lines.feed(bytes, out),
            Self::Records(records) => records.feed(bytes, out),
        }
    }

    fn flush(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Lines(lines) => lines.flush(out),
            Self::Records(records) => records.flush(out),
        }
    }
}

/// One pipe that a guest writes to.
#[derive(Debug)]
struct Source {
    pipe: Receiver,
    cutter: Mutex<Cutter>,
}

/// Tokens are bytes; a second's worth may come at once.
#[derive(Debug)]
struct Bucket {
    per_s: u64,
    tokens: u64,
    filled: Instant,
    dropped: u64,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_micros();
        let more = u64::try_from(passed * u128::from(self.per_s) / 1_000_000).unwrap_or(u64::MAX);
        if more > 0 {
            self.tokens = self.tokens.saturating_add(more).min(self.per_s);
            self.filled = now;
        }
    }

    fn takes(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let takes = bytes <= self.tokens;
        if takes {
            self.tokens -= bytes;
        } else {
            self.dropped += 1;
        }
        takes
    }
}

struct Writer {
    sink: Arc<dyn LogSink>,
    target: LogTarget,
    bucket: Bucket,
    /// The end of the current call's log.
    tail: Option<Vec<u8>>,
}

impl Writer {
    /// The guest's own lines.
    fn write(&mut self, base: &Base, texts: Vec<Bytes>) {
        if texts.is_empty() {
            return;
        }
        let at = base.clock.wall();
        self.bucket.refill(base.clock.now());
        let mut lines = Vec::with_capacity(texts.len());
        for text in texts {
            if self.bucket.takes(text.len() + 1) {
                lines.extend(self.dropped(at));
                lines.push(LogLine { at, text });
            }
        }
        self.send(lines);
    }

    /// Says how many lines were dropped, once lines flow again.
    fn dropped(&mut self, at: u64) -> Option<LogLine> {
        let dropped = std::mem::take(&mut self.bucket.dropped);
        let text = format!("[{dropped} lines dropped: over {} bytes per second]", self.bucket.per_s);
        (dropped > 0).then(|| LogLine { at, text: text.into() })
    }

    fn send(&mut self, lines: Vec<LogLine>) {
        if let Some(tail) = &mut self.tail {
            for line in &lines {
                tail.extend_from_slice(&line.text);
                tail.push(b'\n');
                if tail.len() > 4 * TAIL {
                    tail.drain(..tail.len() - TAIL);
                }
            }
        }
        if !lines.is_empty() {
            self.sink.write(&self.target, lines);
        }
    }
}

/// The pipes of one instance and where they lead.
pub(crate) struct Output {
    base: Base,
    sources: Vec<Source>,
    writer: Mutex<Writer>,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Output {
    /// Reads `plain` by lines and `framed` by records until `end`. Must be called within the runtime.
    pub(crate) fn start(
        base: &Base,
        limits: &Limits,
        (sink, target): (Arc<dyn LogSink>, LogTarget),
        (plain, framed): (PipeReader, PipeReader),
        end: &CancellationToken,
    ) -> io::Result<Arc<Self>> {
        // With its mark a cut line is as long as a line may be: nobody behind us cuts the mark off again.
        let whole = limits.log_line_bytes.saturating_sub(cut::TRUNCATED.len());
        let cutters =
            [(plain, Cutter::Lines(Lines::new(whole))), (framed, Cutter::Records(Records::new(whole)))];
        let source = |(pipe, cutter): (PipeReader, Cutter)| -> io::Result<Source> {
            Ok(Source { pipe: Receiver::from_owned_fd(OwnedFd::from(pipe))?, cutter: Mutex::new(cutter) })
        };
        let per_s = limits.log_bytes_per_s;
        let bucket = Bucket { per_s, tokens: per_s, filled: base.clock.now(), dropped: 0 };
        let output = Arc::new(Self {
            base: base.clone(),
            sources: cutters.into_iter().map(source).collect::<io::Result<_>>()?,
            writer: Mutex::new(Writer { sink, target, bucket, tail: None }),
        });
        for at in 0..output.sources.len() {
            let (reader, end) = (output.clone(), end.clone());
            let read = async move { end.run_until_cancelled(reader.follow(at)).await };
            base.tasks.spawn(TaskKind::Background, "guest output", read);
        }
        Ok(output)
    }

    async fn follow(&self, at: usize) {
        let source = &self.sources[at];
        while source.pipe.readable().await.is_ok() {
            match self.read(source, Reading::WhenReady) {
                Drained::Empty => {}
                Drained::More => tokio::task::yield_now().await,
                Drained::Ended => return,
            }
        }
    }

    fn read(&self, source: &Source, reading: Reading) -> Drained {
        let mut cutter = locked(&source.cutter);
        let mut texts = Vec::new();
        let mut buffer = Vec::new();
        let mut drained = Drained::More;
        for _ in 0..DRAIN_READS {
            buffer.clear();
            buffer.reserve(READ);
            let read = match reading {
                Reading::WhenReady => source.pipe.try_read_buf(&mut buffer),
                Reading::Now => rustix::io::read(&source.pipe, rustix::buffer::spare_capacity(&mut buffer))
                    .map_err(io::Error::from),
            };
            match read.map_err(|error| error.kind()) {
                Ok(0) => drained = Drained::Ended,
                Ok(_) => {
                    cutter.feed(&buffer, &mut texts);
                    continue;
                }
                Err(io::ErrorKind::Interrupted) => continue,
                Err(io::ErrorKind::WouldBlock) => drained = Drained::Empty,
                Err(_) => drained = Drained::Ended,
            }
            break;
        }
        // Still under the cutter's lock, so that two readers cannot swap lines.
        locked(&self.writer).write(&self.base, texts);
        drained
    }

    /// Takes what the guest has written so far, lines without an end too, so that the platform's next line comes after it.
    pub(crate) fn drain(&self) {
        let any = self.any_ready();
        for source in &self.sources {
            if any {
                let _also_when_ended = self.read(source, Reading::Now);
            }
            let mut texts = Vec::new();
            locked(&source.cutter).flush(&mut texts);
            if !texts.is_empty() {
                locked(&self.writer).write(&self.base, texts);
            }
        }
    }

    /// Whether the kernel holds something of any pipe: most calls print nothing, and one question is cheaper than a read of
    /// each.
    fn any_ready(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut asked: Vec<_> =
            self.sources.iter().map(|source| PollFd::new(&source.pipe, PollFlags::IN)).collect();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut asked, Some(&now)).map_or(true, |ready| ready > 0)
    }

    /// The platform's own lines; the rate limit is not for them.
    pub(crate) fn say(&self, texts: impl IntoIterator<Item = String>) {
        let at = self.base.clock.wall();
        let mut writer = locked(&self.writer);
        let mut lines: Vec<_> = writer.dropped(at).into_iter().collect();
        lines.extend(texts.into_iter().map(|text| LogLine { at, text: text.into() }));
        writer.send(lines);
    }

    /// From here on the log's end is kept, if `wanted`.
    pub(crate) fn begin_tail(&self, wanted: bool) {
        locked(&self.writer).tail = wanted.then(Vec::new);
    }

    /// The last 4 KiB since `begin_tail`.
    pub(crate) fn take_tail(&self) -> Option<Bytes> {
        let mut tail = locked(&self.writer).tail.take()?;
        tail.drain(..tail.len().saturating_sub(TAIL));
        Some(tail.into())
    }
}

#[derive(Clone, Copy, Debug)]
enum Reading {
    /// As the reactor says; forgets readiness when nothing is there.
    WhenReady,
    /// Whatever the reactor knows: what was written a moment ago may not have come to its ears.
    Now,
}

#[derive(Debug, PartialEq, Eq)]
enum Drained {
    /// Nothing more for now.
    Empty,
    /// There may be more.
    More,
    /// There will be nothing more.
    Ended,
}

#[cfg(test)]
mod tests;
