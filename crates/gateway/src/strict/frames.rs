//! HTTP/2 frames by their heads (RFC 9113 §4.1): what costs the sender nothing and us something is counted.
//!
//! The HTTP/2 library bounds headers, continuations and resets that it has not taken up yet; it answers every PING and
//! every SETTINGS without a bound, and a reset that comes late enough it does not count. Those are counted here.

use anyfn_base::Instant;
use bytes::Bytes;

use super::Refusal;

const HEAD: usize = 9;

/// What a sender may spend at once.
const PURSE: u64 = 16_000;
/// What comes back each second, and for each of so many bytes that we send.
const EACH_SECOND: u64 = 1_600;
const BYTES_SENT: u64 = 256;
/// What a frame without a use costs: a thousand at once, a hundred each second.
const FRAME: u64 = 16;
/// What a window update costs. An honest receiver sends them for bytes that it got.
const WINDOW: u64 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;

#[derive(Debug)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    /// Bytes of the head that were seen.
    seen: usize,
    /// Bytes of the frame that are still to come.
    left: usize,
    purse: u64,
    sent: u64,
    filled: Instant,
    /// The last stream that the sender opened.
    stream: u32,
}

impl Frames {
    pub(crate) fn new(now: Instant) -> Self {
        Self { head: [0; HEAD], seen: 0, left: 0, purse: PURSE, sent: 0, filled: now, stream: 0 }
    }

    /// Bytes that we sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// How many of `bytes` may go on.
    pub(crate) fn admit(&mut self, bytes: &[u8], now: Instant) -> (usize, Option<Refusal>) {
        self.fill(now);
        let mut at = 0;
        while at < bytes.len() {
            if self.seen < HEAD {
                let taken = (HEAD - self.seen).min(bytes.len() - at);
                self.head[self.seen..self.seen + taken].copy_from_slice(&bytes[at..at + taken]);
                self.seen += taken;
                at += taken;
                if self.seen < HEAD {
                    break;
                }
                if let Err(refusal) = self.frame() {
                    return (at - taken, Some(refusal));
                }
            }
            let taken = self.left.min(bytes.len() - at);
            self.left -= taken;
            at += taken;
            if self.left == 0 {
                self.seen = 0;
            }
        }
        (at, None)
    }

    fn fill(&mut self, now: Instant) {
        let millis = u64::try_from((now - self.filled).as_millis()).unwrap_or(u64::MAX);
        let back = millis.saturating_mul(EACH_SECOND) / 1000;
        if back > 0 {
            self.filled = now;
        }
        self.purse = self.purse.saturating_add(back + self.sent / BYTES_SENT).min(PURSE);
        self.sent %= BYTES_SENT;
    }

    fn frame(&mut self) -> Result<(), Refusal> {
        let [a, b, c, kind, flags, d, e, f, g] = self.head;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let stream = u32::from_be_bytes([d & 0x7F, e, f, g]);
        let cost = match kind {
            DATA if self.left > 0 || flags & END_STREAM != 0 => 0,
            HEADERS => {
                self.stream = self.stream.max(stream);
                0
            }
            CONTINUATION if self.left > 0 => 0,
            WINDOW_UPDATE => WINDOW,
            _ => FRAME,
        };
        self.purse = self.purse.checked_sub(cost).ok_or(Refusal::bad("frame_flood"))?;
        Ok(())
    }

    /// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 §6.8, §7).
    pub(crate) fn goaway(&self) -> Bytes {
        let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
        frame.extend_from_slice(&self.stream.to_be_bytes());
        frame.extend_from_slice(&11_u32.to_be_bytes());
        Bytes::from(frame)
    }
}
