//! Changes: what a frame's payload says. One byte of kind, fixed fields, names with a 16-bit length, then the body to the end.

use anyfn_types::{MessageId, Millis};

/// One change. Borrows from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Put {
        revision: u64,
        key: &'a str,
        value: &'a [u8],
    },
    Delete {
        revision: u64,
        key: &'a str,
    },
    /// A message with all that is known of it; also written again, as it then stands, when its segment is given back.
    Message {
        queue: &'a str,
        facts: Facts,
        reason: Option<&'a str>,
        body: &'a [u8],
    },
    Leased {
        queue: &'a str,
        id: MessageId,
        attempt: u32,
    },
    Released {
        queue: &'a str,
        id: MessageId,
        due: Millis,
    },
    Acked {
        queue: &'a str,
        id: MessageId,
    },
    Buried {
        queue: &'a str,
        id: MessageId,
        reason: &'a str,
    },
    Purged {
        queue: &'a str,
    },
    Redriven {
        queue: &'a str,
    },
    Entry {
        log: &'a str,
        seq: u64,
        bytes: &'a [u8],
    },
    /// The log keeps `first..next`.
    Bounds {
        log: &'a str,
        first: u64,
        next: u64,
    },
    Removed {
        log: &'a str,
    },
    /// Segments before `first` are not needed any more.
    Dropped {
        first: u32,
    },
}

/// What is known of a message besides its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub id: MessageId,
    /// Ascends with appends; the order of delivery.
    pub order: u64,
    pub appended: Millis,
    pub due: Millis,
    /// Deliveries so far.
    pub attempts: u32,
}

fn name(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn head(out: &mut Vec<u8>, kind: u8, text: &str, numbers: &[u64]) {
    out.push(kind);
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
    name(out, text);
}

impl Op<'_> {
    /// An upper bound of the encoded length for a name or key of `name` bytes and a body (or reason) of `body` bytes.
    pub(crate) fn room(name: usize, body: usize) -> usize {
        crate::frame::FRAME_HEAD + 64 + name + body
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Op::Put { revision, key, value } => {
                head(out, 1, key, &[revision]);
                out.extend_from_slice(value);
            }
            Op::Delete { revision, key } => head(out, 2, key, &[revision]),
            Op::Message { queue, facts, reason, body } => {
                head(
                    out,
                    if reason.is_some() { 4 } else { 3 },
                    queue,
                    &[facts.order, facts.appended, facts.due],
                );
                out.extend_from_slice(&facts.attempts.to_le_bytes());
                out.extend_from_slice(&facts.id.0.to_le_bytes());
                if let Some(reason) = reason {
                    name(out, reason);
                }
                out.extend_from_slice(body);
            }
            Op::Leased { queue, id, attempt } => {
                head(out, 5, queue, &[u64::from(attempt)]);
                out.extend_from_slice(&id.0.to_le_bytes());
            }
            Op::Released { queue, id, due } => {
                head(out, 6, queue, &[due]);
                out.extend_from_slice(&id.0.to_le_bytes());
            }
            Op::Acked { queue, id } => {
                head(out, 7, queue, &[]);
                out.extend_from_slice(&id.0.to_le_bytes());
            }
            Op::Buried { queue, id, reason } => {
                head(out, 8, queue, &[]);
                out.extend_from_slice(&id.0.to_le_bytes());
                name(out, reason);
            }
            Op::Purged { queue } => head(out, 9, queue, &[]),
            Op::Redriven { queue } => head(out, 10, queue, &[]),
            Op::Entry { log, seq, bytes } => {
                head(out, 11, log, &[seq]);
                out.extend_from_slice(bytes);
            }
            Op::Bounds { log, first, next } => head(out, 12, log, &[first, next]),
            Op::Removed { log } => head(out, 13, log, &[]),
            Op::Dropped { first } => head(out, 14, "", &[u64::from(first)]),
        }
    }
}

/// Takes fields off the front; `None` once something does not fit.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(front)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Option<MessageId> {
        self.take(16)?.try_into().ok().map(u128::from_le_bytes).map(MessageId)
    }

    fn name(&mut self) -> Option<&'a str> {
        let len = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        std::str::from_utf8(self.take(usize::from(len))?).ok()
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Reads a payload; `None` if it says nothing this code knows.
pub(crate) fn decode(payload: &[u8]) -> Option<Op<'_>> {
    let (kind, rest) = payload.split_first()?;
    let mut f = Fields(rest);
    let op = match kind {
        1 => Op::Put { revision: f.u64()?, key: f.name()?, value: f.rest() },
        2 => Op::Delete { revision: f.u64()?, key: f.name()? },
        3 | 4 => message(&mut f, *kind == 4)?,
        5 => {
            let (attempt, queue) = (u32::try_from(f.u64()?).ok()?, f.name()?);
            Op::Leased { queue, id: f.id()?, attempt }
        }
        6 => {
            let (due, queue) = (f.u64()?, f.name()?);
            Op::Released { queue, id: f.id()?, due }
        }
        7 => Op::Acked { queue: f.name()?, id: f.id()? },
        8 => Op::Buried { queue: f.name()?, id: f.id()?, reason: f.name()? },
        9 => Op::Purged { queue: f.name()? },
        10 => Op::Redriven { queue: f.name()? },
        11 => {
            let (seq, log) = (f.u64()?, f.name()?);
            Op::Entry { log, seq, bytes: f.rest() }
        }
        12 => {
            let (first, next, log) = (f.u64()?, f.u64()?, f.name()?);
            Op::Bounds { log, first, next }
        }
        13 => Op::Removed { log: f.name()? },
        14 => {
            let first = u32::try_from(f.u64()?).ok()?;
            f.name()?;
            Op::Dropped { first }
        }
        _ => return None,
    };
    f.0.is_empty().then_some(op)
}

fn message<'a>(f: &mut Fields<'a>, dead: bool) -> Option<Op<'a>> {
    let (order, appended, due, queue) = (f.u64()?, f.u64()?, f.u64()?, f.name()?);
    let (attempts, id) = (f.u32()?, f.id()?);
    let reason = if dead { Some(f.name()?) } else { None };
    Some(Op::Message { queue, facts: Facts { id, order, appended, due, attempts }, reason, body: f.rest() })
}
