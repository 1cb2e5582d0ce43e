//! One entry of a group's log: a batch of events of one stream.
//!
//! Big-endian: version (1 byte, 1), ingested, offset, prev, first and last event time (8 bytes each), length of the
//! stream's name (2) and the name, number of events (4), then per event its time (8), its length (4) and its bytes.

use std::sync::Arc;

use anyfn_types::Millis;
use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{error::Fault, position::Position};

const VERSION: u8 = 1;
const NONE: u64 = u64::MAX;

/// What an event costs beside its text; also how platforms count the size of a batch.
pub(crate) const OVERHEAD: usize = 26;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub stream: Arc<str>,
    pub position: Position,
    /// When it happened.
    pub at: Millis,
    /// When it was taken in.
    pub ingested: Millis,
    /// UTF-8.
    pub text: Bytes,
}

impl Event {
    /// 56 digits, unique within a group, ascending with time.
    pub fn id(&self) -> String {
        format!("{:020}{:020}{:016}", self.at, self.position.seq, self.position.index)
    }
}

/// An entry before it is written, or its head when it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Never less than that of the entry before.
    pub(crate) ingested: Millis,
    /// Sizes of all events of the log before this entry, trimmed ones too.
    pub(crate) offset: u64,
    /// The stream's entry before this one.
    pub(crate) prev: Option<u64>,
    /// Earliest and latest event.
    pub(crate) first: Millis,
    pub(crate) last: Millis,
    pub(crate) stream: Arc<str>,
    pub(crate) count: u32,
}

pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) head: Head,
    events: Bytes,
}

/// Bytes that count as stored.
pub(crate) fn size(events: &[(Millis, Bytes)]) -> u64 {
    events.iter().map(|(_, text)| (text.len() + OVERHEAD) as u64).sum()
}

pub(crate) fn encode(head: &Head, events: &[(Millis, Bytes)]) -> Bytes {
    let texts: usize = events.iter().map(|(_, text)| text.len() + 12).sum();
    let mut out = BytesMut::with_capacity(47 + head.stream.len() + texts);
    out.put_u8(VERSION);
    for number in [head.ingested, head.offset, head.prev.unwrap_or(NONE), head.first, head.last] {
        out.put_u64(number);
    }
    out.put_u16(u16::try_from(head.stream.len()).unwrap_or(u16::MAX));
    out.put_slice(head.stream.as_bytes());
    out.put_u32(head.count);
    for (at, text) in events {
        out.put_u64(*at);
        out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        out.put_slice(text);
    }
    out.freeze()
}

impl Entry {
    pub(crate) fn decode(seq: u64, mut bytes: Bytes) -> Result<Self, Fault> {
        if bytes.try_get_u8() != Ok(VERSION) {
            return Err(Fault::Corrupt("its version is unknown"));
        }
        let mut number = || bytes.try_get_u64().map_err(|_| Fault::Corrupt("its head is short"));
        let (ingested, offset, prev) = (number()?, number()?, number()?);
        let (first, last) = (number()?, number()?);
        let len = bytes.try_get_u16().map_err(|_| Fault::Corrupt("its head is short"))?;
        if bytes.len() < usize::from(len) {
            return Err(Fault::Corrupt("its stream's name is short"));
        }
        let name = bytes.split_to(usize::from(len));
        let stream =
            std::str::from_utf8(&name).map_err(|_| Fault::Corrupt("its stream's name is no text"))?;
        let count = bytes.try_get_u32().map_err(|_| Fault::Corrupt("its head is short"))?;
        let head = Head {
            ingested,
            offset,
            prev: (prev != NONE).then_some(prev),
            first,
            last,
            stream: stream.into(),
            count,
        };
        Ok(Self { seq, head, events: bytes })
    }

    /// The events in the order they were put; their texts share the entry's memory.
    pub(crate) fn events(&self) -> Result<Vec<Event>, Fault> {
        let mut rest = self.events.clone();
        let mut events = Vec::with_capacity((self.head.count as usize).min(rest.len() / 12));
        for index in 0..self.head.count {
            let short = |_| Fault::Corrupt("it holds fewer events than it says");
            let at = rest.try_get_u64().map_err(short)?;
            let len = rest.try_get_u32().map_err(short)? as usize;
            if rest.len() < len {
                return Err(Fault::Corrupt("an event is short"));
            }
            events.push(Event {
                stream: self.head.stream.clone(),
                position: Position { seq: self.seq, index },
                at,
                ingested: self.head.ingested,
                text: rest.split_to(len),
            });
        }
        Ok(events)
    }

    /// As `size` counted them when they were written.
    pub(crate) fn size(&self) -> u64 {
        let count = u64::from(self.head.count);
        (self.events.len() as u64).saturating_sub(count * 12) + count * OVERHEAD as u64
    }
}
