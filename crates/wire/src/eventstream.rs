//! Frames of `application/vnd.amazon.eventstream`.
//!
//! Layout (Smithy's "Amazon Event Stream" page): total length, header length and their CRC-32 (the prelude), headers, payload,
//! CRC-32 of everything before it; all big endian. A frame's payload is at most 16 MiB, its headers at most 128 KiB.

use bytes::{BufMut, Bytes, BytesMut};

/// A header's value. The protocol has more kinds; answers of the served operations need these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Bool(bool),
    Int(i32),
    Long(i64),
    Blob(Bytes),
    Str(String),
    /// Milliseconds since 1970.
    Timestamp(i64),
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub headers: Vec<(String, HeaderValue)>,
    pub payload: Bytes,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a header or payload is too long for a frame")]
    TooLong,
    #[error("a checksum does not match")]
    Checksum,
    #[error("lengths do not fit together")]
    Malformed,
}

const PRELUDE: usize = 12;
const OVERHEAD: usize = PRELUDE + 4;
const MAX_PAYLOAD: usize = 16 * 1024 * 1024;
const MAX_HEADERS: usize = 128 * 1024;

impl Message {
    /// A frame with text headers.
    #[must_use]
    pub fn new(headers: &[(&str, &str)], payload: Bytes) -> Self {
        let text = |(name, value): &(&str, &str)| ((*name).to_owned(), HeaderValue::Str((*value).to_owned()));
        Self { headers: headers.iter().map(text).collect(), payload }
    }

    /// An event: `event_type` is the member's name in the stream's shape.
    #[must_use]
    pub fn event(event_type: &str, content_type: &str, payload: Bytes) -> Self {
        let headers =
            [(":event-type", event_type), (":content-type", content_type), (":message-type", "event")];
        Self::new(&headers, payload)
    }

    /// A modelled error that ends the stream; the payload is its members.
    #[must_use]
    pub fn exception(exception_type: &str, content_type: &str, payload: Bytes) -> Self {
        let headers = [
            (":exception-type", exception_type),
            (":content-type", content_type),
            (":message-type", "exception"),
        ];
        Self::new(&headers, payload)
    }

    /// The text of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(key, value)| match value {
            HeaderValue::Str(text) if key == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// The frame's bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] above 16 MiB of payload, 128 KiB of headers, or a header beyond its own length field.
    pub fn encode(&self) -> Result<Bytes, FrameError> {
        let mut headers = BytesMut::new();
        for (name, value) in &self.headers {
            put_header(&mut headers, name, value)?;
        }
        if headers.len() > MAX_HEADERS || self.payload.len() > MAX_PAYLOAD {
            return Err(FrameError::TooLong);
        }
        let total = OVERHEAD + headers.len() + self.payload.len();
        let mut frame = BytesMut::with_capacity(total);
        frame.put_u32(u32::try_from(total).map_err(|_| FrameError::TooLong)?);
        frame.put_u32(u32::try_from(headers.len()).map_err(|_| FrameError::TooLong)?);
        frame.put_u32(crc32fast::hash(&frame));
        frame.put_slice(&headers);
        frame.put_slice(&self.payload);
        frame.put_u32(crc32fast::hash(&frame));
        Ok(frame.freeze())
    }

    /// Takes one frame off the front of `input`; `None` until enough bytes are there.
    ///
    /// # Errors
    /// [`FrameError`] where the bytes can never become a frame.
    pub fn decode(input: &mut BytesMut) -> Result<Option<Self>, FrameError> {
        let Some(prelude) = input.get(..PRELUDE) else { return Ok(None) };
        let (total, head) = (be32(prelude, 0)?, be32(prelude, 4)?);
        if crc32fast::hash(&prelude[..8]) as usize != be32(prelude, 8)? {
            return Err(FrameError::Checksum);
        }
        if total < OVERHEAD + head || head > MAX_HEADERS || total - OVERHEAD - head > MAX_PAYLOAD {
            return Err(FrameError::Malformed);
        }
        if input.len() < total {
            return Ok(None);
        }
        let frame = input.split_to(total).freeze();
        if crc32fast::hash(&frame[..total - 4]) as usize != be32(&frame, total - 4)? {
            return Err(FrameError::Checksum);
        }
        let headers = read_headers(&frame.slice(PRELUDE..PRELUDE + head))?;
        Ok(Some(Self { headers, payload: frame.slice(PRELUDE + head..total - 4) }))
    }
}

fn be32(bytes: &[u8], at: usize) -> Result<usize, FrameError> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or(FrameError::Malformed)?;
    Ok(u32::from_be_bytes(four) as usize)
}

fn put_header(out: &mut BytesMut, name: &str, value: &HeaderValue) -> Result<(), FrameError> {
    out.put_u8(u8::try_from(name.len()).map_err(|_| FrameError::TooLong)?);
    out.put_slice(name.as_bytes());
    let sized = |out: &mut BytesMut, kind: u8, bytes: &[u8]| {
        out.put_u8(kind);
        // The protocol's limit is 2^15 - 1.
        out.put_u16(i16::try_from(bytes.len()).map_err(|_| FrameError::TooLong)?.unsigned_abs());
        out.put_slice(bytes);
        Ok(())
    };
    match value {
        HeaderValue::Bool(true) => out.put_u8(0),
        HeaderValue::Bool(false) => out.put_u8(1),
        HeaderValue::Int(value) => {
            out.put_u8(4);
            out.put_i32(*value);
        }
        HeaderValue::Long(value) => {
            out.put_u8(5);
            out.put_i64(*value);
        }
        HeaderValue::Timestamp(value) => {
            out.put_u8(8);
            out.put_i64(*value);
        }
        HeaderValue::Blob(bytes) => return sized(out, 6, bytes),
        HeaderValue::Str(text) => return sized(out, 7, text.as_bytes()),
    }
    Ok(())
}

/// Reads big-endian pieces off the front.
struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let (piece, rest) = self.0.split_at_checked(len).ok_or(FrameError::Malformed)?;
        self.0 = rest;
        Ok(piece)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Malformed)
    }

    fn sized(&mut self) -> Result<&'a [u8], FrameError> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(usize::from(len))
    }

    fn text(piece: &[u8]) -> Result<String, FrameError> {
        String::from_utf8(piece.to_vec()).map_err(|_| FrameError::Malformed)
    }
}

fn read_headers(bytes: &[u8]) -> Result<Vec<(String, HeaderValue)>, FrameError> {
    let mut input = Pieces(bytes);
    let mut headers = Vec::new();
    while !input.0.is_empty() {
        let [len] = input.array()?;
        let name = Pieces::text(input.take(usize::from(len))?)?;
        let [kind] = input.array()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            4 => HeaderValue::Int(i32::from_be_bytes(input.array()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(input.array()?)),
            6 => HeaderValue::Blob(Bytes::copy_from_slice(input.sized()?)),
            7 => HeaderValue::Str(Pieces::text(input.sized()?)?),
            8 => HeaderValue::Timestamp(i64::from_be_bytes(input.array()?)),
            _ => return Err(FrameError::Malformed),
        };
        headers.push((name, value));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
