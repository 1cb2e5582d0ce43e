//! A call's log: bytes into lines, lines to the sink, the last of them for the caller who wants them.

use std::sync::{Arc, Mutex, PoisonError};

use anyfn_base::Clock;
use anyfn_core::ports::{LogLine, LogSink, LogTarget};
use bytes::Bytes;

/// What a caller gets of the log.
const TAIL: usize = 4096;
/// Lines that wait for the end of the call before they go to the sink.
const BATCH: usize = 64;

/// Takes what one call writes.
pub(crate) struct CallLog {
    clock: Clock,
    sink: Arc<dyn LogSink>,
    target: Arc<LogTarget>,
    line_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    partial: Vec<u8>,
    lines: Vec<LogLine>,
    tail: Option<Vec<u8>>,
}

impl CallLog {
    pub(crate) fn new(
        clock: Clock,
        to: (Arc<dyn LogSink>, Arc<LogTarget>),
        line_max: usize,
        tail: bool,
    ) -> Self {
        let inner = Inner { tail: tail.then(Vec::new), ..Inner::default() };
        Self { clock, sink: to.0, target: to.1, line_max, inner: Mutex::new(inner) }
    }

    /// One whole line of the platform's.
    pub(crate) fn line(&self, text: String) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.end_line(&mut inner);
        self.push(&mut inner, text.into_bytes());
    }

    /// Bytes of the guest's.
    pub(crate) fn bytes(&self, mut bytes: &[u8]) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.add(&mut inner, &bytes[..end]);
            self.end_line(&mut inner);
            bytes = &bytes[end + 1..];
        }
        self.add(&mut inner, bytes);
    }

    fn add(&self, inner: &mut Inner, bytes: &[u8]) {
        let room = self.line_max.saturating_sub(inner.partial.len());
        inner.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room && !inner.partial.ends_with(CUT) {
            inner.partial.extend_from_slice(CUT);
        }
    }

    fn end_line(&self, inner: &mut Inner) {
        if !inner.partial.is_empty() {
            let line = std::mem::take(&mut inner.partial);
            self.push(inner, line);
        }
    }

    fn push(&self, inner: &mut Inner, line: Vec<u8>) {
        let text = match String::from_utf8(line) {
            Ok(text) => text,
            Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
        };
        if let Some(tail) = &mut inner.tail {
            tail.extend_from_slice(text.as_bytes());
            tail.push(b'\n');
            if tail.len() > 4 * TAIL {
                let surplus = tail.len() - TAIL;
                tail.drain(..surplus);
            }
        }
        inner.lines.push(LogLine { at: self.clock.wall(), text: Bytes::from(text) });
        if inner.lines.len() >= BATCH {
            self.sink.write(&self.target, std::mem::take(&mut inner.lines));
        }
    }

    /// Writes what is left; gives the tail if it was wanted.
    pub(crate) fn finish(&self) -> Option<Bytes> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.end_line(&mut inner);
        if !inner.lines.is_empty() {
            self.sink.write(&self.target, std::mem::take(&mut inner.lines));
        }
        let mut tail = inner.tail.take()?;
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
        Some(tail.into())
    }
}

/// Stands at the end of a line that was longer than lines may be.
const CUT: &[u8] = b" [line cut]";

#[cfg(test)]
mod tests;
