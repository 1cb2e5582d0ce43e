//! Lines that wait to be written: bounded as a whole and per stream, so that a flood takes nothing from its neighbours.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyfn_core::ports::{LogLine, LogTarget};
use indexmap::IndexMap;
use tokio::sync::Notify;

use crate::options::Options;

/// What a line costs beside its text, and a target beside its lines.
const LINE_BYTES: usize = 48;
const TARGET_BYTES: usize = 512;

/// A stream with no more than this waiting may use the part of the queue that is closed to those with more.
const SMALL_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Pending {
    inner: Mutex<Inner>,
    stream_bytes: usize,
    queue_bytes: usize,
    write_bytes: usize,
    /// Rung when so much waits that it should be written at once.
    pub(crate) full: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// In the order in which they first printed, so that two runs of a simulation write the same.
    targets: IndexMap<LogTarget, Waiting>,
    waiting: usize,
    /// Taken by the writer, not yet written.
    writing: usize,
}

/// What waits for one stream.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) lines: Vec<LogLine>,
    bytes: usize,
    pub(crate) dropped_lines: u64,
    pub(crate) dropped_bytes: u64,
}

impl Pending {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            inner: Mutex::default(),
            stream_bytes: options.stream_queue_bytes,
            queue_bytes: options.queue_bytes,
            write_bytes: options.write_bytes,
            full: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives how many lines were dropped.
    pub(crate) fn push(&self, target: &LogTarget, lines: Vec<LogLine>) -> u64 {
        let inner = &mut *self.lock();
        let mut total = inner.waiting + inner.writing;
        if !inner.targets.contains_key(target) {
            if total + TARGET_BYTES > self.queue_bytes {
                return lines.len() as u64;
            }
            inner.targets.insert(target.clone(), Waiting { bytes: TARGET_BYTES, ..Waiting::default() });
            inner.waiting += TARGET_BYTES;
            total += TARGET_BYTES;
        }
        let Some(waiting) = inner.targets.get_mut(target) else { return 0 };
        let (before, mut dropped) = (waiting.bytes, 0);
        for line in lines {
            let cost = line.text.len() + LINE_BYTES;
            let own = waiting.bytes + cost;
            let all = total + own - before;
            // Once a line is dropped, later ones of the same call are dropped too: what is kept has no holes.
            let fits = own <= self.stream_bytes
                && (all <= self.queue_bytes / 2 || (own <= SMALL_BYTES && all <= self.queue_bytes));
            if fits && dropped == 0 {
                waiting.bytes = own;
                waiting.lines.push(line);
            } else {
                dropped += 1;
                waiting.dropped_bytes += line.text.len() as u64;
            }
        }
        waiting.dropped_lines += dropped;
        inner.waiting += waiting.bytes - before;
        if inner.waiting >= self.write_bytes {
            self.full.notify_one();
        }
        dropped
    }

    /// Everything that waits. It counts against the bounds until `written`.
    pub(crate) fn take(&self) -> IndexMap<LogTarget, Waiting> {
        let inner = &mut *self.lock();
        inner.writing += std::mem::take(&mut inner.waiting);
        std::mem::take(&mut inner.targets)
    }

    /// What was taken last is on its way to disk, or lost.
    pub(crate) fn written(&self) {
        self.lock().writing = 0;
    }

    /// Lines that could not be written: they are told about when writing works again.
    pub(crate) fn lost(&self, target: LogTarget, lines: u64, bytes: u64) {
        let inner = &mut *self.lock();
        if !inner.targets.contains_key(&target) {
            if inner.waiting + inner.writing + TARGET_BYTES > self.queue_bytes {
                return;
            }
            inner.waiting += TARGET_BYTES;
        }
        let fresh = || Waiting { bytes: TARGET_BYTES, ..Waiting::default() };
        let waiting = inner.targets.entry(target).or_insert_with(fresh);
        waiting.dropped_lines += lines;
        waiting.dropped_bytes += bytes;
    }
}
