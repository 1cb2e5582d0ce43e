//! Bytes into log events: lines of a stream, or records of the framed telemetry descriptor.

use bytes::Bytes;

pub(crate) const TRUNCATED: &[u8] = b"[truncated]";

/// A `0xa55a00xx` word begins each record of the framed descriptor.
const MAGIC: [u8; 3] = [0xA5, 0x5A, 0x00];
/// Magic and level, `u32` length, `u64` microseconds, all big endian.
const HEAD: usize = 16;

/// Text for the log: what is not UTF-8 is replaced.
fn text(bytes: &[u8]) -> Bytes {
    match String::from_utf8_lossy(bytes) {
        std::borrow::Cow::Borrowed(text) => Bytes::copy_from_slice(text.as_bytes()),
        std::borrow::Cow::Owned(text) => text.into(),
    }
}

/// One event that grows up to a limit; what is over is cut and marked.
#[derive(Debug)]
struct Event {
    bytes: Vec<u8>,
    limit: usize,
    cut: bool,
}

impl Event {
    fn push(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.cut |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn take(&mut self) -> Bytes {
        if self.cut {
            self.bytes.extend_from_slice(TRUNCATED);
        }
        let event = text(&self.bytes);
        self.bytes.clear();
        self.bytes.shrink_to(4096);
        self.cut = false;
        event
    }
}

/// Cuts at line ends.
#[derive(Debug)]
pub(crate) struct Lines(Event);

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Event { bytes: Vec::new(), limit, cut: false })
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<Bytes>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.0.push(&bytes[..end]);
            out.push(self.0.take());
            bytes = &bytes[end + 1..];
        }
        self.0.push(bytes);
    }

    /// What has no line end yet becomes an event of its own.
    pub(crate) fn flush(&mut self, out: &mut Vec<Bytes>) {
        if !self.0.bytes.is_empty() {
            out.push(self.0.take());
        }
    }
}

/// Cuts at the records of the framed descriptor, so that a record of many lines stays one event. Once something does not
/// begin like a record (a guest may write what it likes), the rest of the stream is taken as lines.
#[derive(Debug)]
pub(crate) struct Records {
    head: Vec<u8>,
    left: usize,
    event: Event,
    plain: Option<Lines>,
}

impl Records {
    pub(crate) fn new(limit: usize) -> Self {
        let event = Event { bytes: Vec::new(), limit, cut: false };
        Self { head: Vec::with_capacity(HEAD), left: 0, event, plain: None }
    }

    pub(crate) fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<Bytes>) {
        while !bytes.is_empty() {
            if let Some(lines) = &mut self.plain {
                return lines.feed(bytes, out);
            }
            bytes = if self.left > 0 { self.body(bytes, out) } else { self.header(bytes, out) };
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<Bytes>) -> &'b [u8] {
        let (more, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(more);
        let known = self.head.len().min(MAGIC.len());
        if self.head[..known] != MAGIC[..known] {
            let mut lines = Lines::new(self.event.limit);
            lines.feed(&self.head, out);
            self.plain = Some(lines);
            return rest;
        }
        // An empty record has nothing to say.
        if self.head.len() == HEAD {
            let length = [self.head[4], self.head[5], self.head[6], self.head[7]];
            self.left = u32::from_be_bytes(length) as usize;
            self.head.clear();
        }
        rest
    }

    fn body<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<Bytes>) -> &'b [u8] {
        let (mine, rest) = bytes.split_at(bytes.len().min(self.left));
        self.left -= mine.len();
        let ends = self.left == 0 && mine.last() == Some(&b'\n');
        self.event.push(&mine[..mine.len() - usize::from(ends)]);
        if self.left == 0 {
            out.push(self.event.take());
        }
        rest
    }

    pub(crate) fn flush(&mut self, out: &mut Vec<Bytes>) {
        if let Some(lines) = &mut self.plain {
            lines.flush(out);
        }
    }
}
