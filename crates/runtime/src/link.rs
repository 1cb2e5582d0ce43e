//! Frames on a socket pair: the transport of the bootstraps that this room ships.
//!
//! A frame is `u32 length of what follows, u8 kind, payload`, little endian. To the guest goes only `INVOKE`: `u64
//! deadline in epoch ms`, then five texts, each `u16 length, UTF-8`: id, ARN, trace, client context, tenant; the rest is
//! the event. An answer implies that the guest is ready for the next call, except `LEAVING` and streams, which end with
//! `READY`. One write per invocation each way; the read that finds the answer is the only wake.

use std::{io, io::IoSlice};

use anyfn_types::Failure;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::{
    answer::{Answer, Call},
    failure,
};

const INVOKE: u8 = 1;

const READY: u8 = 16;
const INIT_ERROR: u8 = 17;
const RESPONSE: u8 = 18;
const ERROR: u8 = 19;
const STREAM_HEAD: u8 = 20;
const CHUNK: u8 = 21;
const END: u8 = 22;
const FAILED: u8 = 23;
const LEAVING: u8 = 24;

/// Up to this an event is copied behind its head, so that one plain write does.
const COPY_MAX: usize = 16 * 1024;
/// Room for an error's type and texts beyond the payload limit.
const SLACK: usize = 64 * 1024;
const READ: usize = 8 * 1024;

/// What came out of the link.
#[derive(Debug)]
pub(crate) enum Heard {
    Answer(Answer),
    /// An answer that also asks for the next call.
    AnswerAndNext(Answer),
    /// The other end is closed.
    Closed,
    /// The other end does not keep to the protocol.
    Garbled,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    buffer: BytesMut,
    /// Bytes of an answer at most.
    limit: usize,
    /// What is left of an answer that is too large, and how large it was.
    skipping: Option<(usize, u64)>,
    /// What the first `READY` named.
    loaded: Bytes,
}

impl Link {
    pub(crate) fn new(stream: UnixStream, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX / 2);
        Self { stream, buffer: BytesMut::new(), limit, skipping: None, loaded: Bytes::new() }
    }

    /// Packages that the function's code has loaded, with commas between, as it said when it was ready.
    pub(crate) fn take_loaded(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.loaded)).into_owned()
    }

    /// Hands a call over.
    pub(crate) async fn invoke(&mut self, call: &Call) -> io::Result<()> {
        let small = call.body.len() <= COPY_MAX;
        let mut head = Vec::with_capacity(512 + if small { call.body.len() } else { 0 });
        head.put_u32_le(0);
        head.put_u8(INVOKE);
        head.put_u64_le(call.deadline_ms);
        for text in [&call.id, &call.arn, &call.trace, &call.client_context, ""] {
            let length =
                u16::try_from(text.len()).map_err(|_| io::Error::other("a head field is too long"))?;
            head.put_u16_le(length);
            head.put_slice(text.as_bytes());
        }
        let length = u32::try_from(head.len() - 4 + call.body.len()).map_err(io::Error::other)?;
        head[..4].copy_from_slice(&length.to_le_bytes());
        if small {
            head.put_slice(&call.body);
            return self.stream.write_all(&head).await;
        }
        self.write_both(&head, &call.body).await
    }

    async fn write_both(&mut self, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
        while !head.is_empty() {
            let written = self.stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            let of_head = written.min(head.len());
            head = &head[of_head..];
            body = &body[written - of_head..];
        }
        self.stream.write_all(body).await
    }

    /// Waits for the next frame. Cancel-safe: what has been read stays in the buffer.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.parse() {
                return heard;
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Heard::Closed,
                Ok(_) => {}
            }
        }
    }

    fn parse(&mut self) -> Option<Heard> {
        if let Some((left, size)) = &mut self.skipping {
            let skipped = self.buffer.len().min(*left);
            self.buffer.advance(skipped);
            *left -= skipped;
            if *left > 0 {
                self.buffer.reserve(READ);
                return None;
            }
            let size = *size;
            self.skipping = None;
            return Some(Heard::AnswerAndNext(Answer::TooLarge(size)));
        }
        let Some(head) = self.buffer.first_chunk::<5>() else {
            self.buffer.reserve(READ);
            return None;
        };
        let kind = head[4];
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length == 0 {
            return Some(Heard::Garbled);
        }
        if kind == RESPONSE && length - 1 > self.limit {
            self.skipping = Some((length + 4, length as u64 - 1));
            return self.parse();
        }
        if length > self.limit.saturating_add(SLACK) {
            return Some(Heard::Garbled);
        }
        if self.buffer.len() < 4 + length {
            self.buffer.reserve(4 + length - self.buffer.len());
            return None;
        }
        let mut frame = self.buffer.split_to(4 + length).freeze();
        frame.advance(5);
        if kind == READY && !frame.is_empty() {
            self.loaded = frame.clone();
        }
        Some(decode(kind, frame).unwrap_or(Heard::Garbled))
    }
}

fn decode(kind: u8, payload: Bytes) -> Option<Heard> {
    Some(match kind {
        READY => Heard::Answer(Answer::Next),
        INIT_ERROR => Heard::Answer(Answer::InitFailed(typed(payload)?)),
        RESPONSE => Heard::AnswerAndNext(Answer::Whole(payload)),
        ERROR => Heard::AnswerAndNext(Answer::Failed(typed(payload)?)),
        LEAVING => Heard::Answer(Answer::FailedAndLeaves(typed(payload)?)),
        STREAM_HEAD => {
            let content_type = std::str::from_utf8(&payload).ok().filter(|text| !text.is_empty());
            Heard::Answer(Answer::StreamHead { content_type: content_type.map(str::to_owned) })
        }
        CHUNK => Heard::Answer(Answer::Chunk(payload)),
        END => Heard::Answer(Answer::StreamEnd),
        FAILED => Heard::Answer(Answer::StreamFailed(typed(payload)?)),
        _ => return None,
    })
}

/// `u16 length, error type`, then the body.
fn typed(mut payload: Bytes) -> Option<Failure> {
    let length = usize::from(payload.try_get_u16_le().ok()?);
    if payload.len() < length {
        return None;
    }
    let error_type = payload.split_to(length);
    Some(failure::reported(&failure::clean_type(std::str::from_utf8(&error_type).ok()), payload))
}

#[cfg(test)]
mod tests;
