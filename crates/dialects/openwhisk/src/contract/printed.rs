//! What an action prints: for its activation, and for the namespace's log.

use std::sync::Arc;

use anyfn_base::{Clock, iso_millis};
use anyfn_core::ports::{LogLine, LogSink, LogTarget};
use bytes::Bytes;

/// Ends what one activation printed, on both streams.
const SENTINEL: &[u8] = b"XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX";
/// Bytes of one line; what is longer is cut.
const LINE_BYTES: usize = 64 * 1024;
/// Bytes of printed lines that an activation keeps; the log keeps all.
const KEPT_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

#[derive(Default)]
struct Cutter {
    bytes: Vec<u8>,
    sentinel: bool,
}

pub(crate) struct Printed {
    clock: Clock,
    sink: Arc<dyn LogSink>,
    target: LogTarget,
    cutters: [Cutter; 2],
    lines: Vec<String>,
    /// Kept here, and allowed in all, of one activation.
    kept: usize,
    printed: u64,
    allowed: u64,
}

impl Printed {
    pub(crate) fn new(clock: Clock, sink: Arc<dyn LogSink>, target: LogTarget, allowed: u64) -> Self {
        let cutters = Default::default();
        Self { clock, sink, target, cutters, lines: Vec::new(), kept: 0, printed: 0, allowed }
    }

    pub(crate) fn feed(&mut self, stream: Stream, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.push(stream, &bytes[..end]);
            self.line(stream);
            bytes = &bytes[end + 1..];
        }
        self.push(stream, bytes);
    }

    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let line = &mut self.cutters[stream as usize].bytes;
        line.extend_from_slice(&bytes[..bytes.len().min(LINE_BYTES - line.len())]);
    }

    fn line(&mut self, stream: Stream) {
        let cutter = &mut self.cutters[stream as usize];
        let bytes = std::mem::take(&mut cutter.bytes);
        if bytes == SENTINEL {
            cutter.sentinel = true;
            return;
        }
        let before = self.printed;
        self.printed += bytes.len() as u64 + 1;
        if self.printed > self.allowed {
            if before <= self.allowed {
                let allowed = self.allowed;
                self.say(&format!(
                    "Logs were truncated because the total bytes size exceeds the limit of {allowed} bytes."
                ));
            }
            return;
        }
        self.keep(stream, &String::from_utf8_lossy(&bytes));
    }

    fn keep(&mut self, stream: Stream, text: &str) {
        let at = self.clock.wall();
        self.sink.write(&self.target, vec![LogLine { at, text: Bytes::from(text.to_owned()) }]);
        self.kept += text.len() + 40;
        if self.kept <= KEPT_BYTES {
            let name = if stream == Stream::Out { "stdout" } else { "stderr" };
            self.lines.push(format!("{:<30} {name}: {text}", iso_millis(at)));
        }
    }

    /// The platform's own words.
    pub(crate) fn say(&mut self, text: &str) {
        self.keep(Stream::Err, text);
    }

    /// Both streams said that the activation is over.
    pub(crate) fn ended(&self) -> bool {
        self.cutters.iter().all(|cutter| cutter.sentinel)
    }

    /// What was printed since the last time, lines without an end too.
    pub(crate) fn take(&mut self) -> Vec<String> {
        for stream in [Stream::Out, Stream::Err] {
            if !self.cutters[stream as usize].bytes.is_empty() {
                self.line(stream);
            }
            self.cutters[stream as usize].sentinel = false;
        }
        let lost = self.kept > KEPT_BYTES;
        (self.kept, self.printed) = (0, 0);
        let mut lines = std::mem::take(&mut self.lines);
        if lost {
            lines.push(format!(
                "An activation keeps {KEPT_BYTES} bytes of its log; all of it is in the log of the function."
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
