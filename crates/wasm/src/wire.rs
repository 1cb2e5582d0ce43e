//! The frames of the calls' sockets. A frame is `len: u32, kind: u8, call: u32, payload`, numbers little-endian, `len`
//! that of the payload. Both sides are this project's own and of one build, so there is no version in it; still the
//! server believes nothing: the host process runs strangers' code, and whoever broke out of it writes what they like.

use anyfn_types::HttpHead;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes before the payload.
const HEADER: usize = 9;
/// A payload. Heads and small bodies travel in one frame, longer bodies in pieces of `CHUNK`.
const PAYLOAD_MAX: usize = 1 << 20;
/// The longest piece of a body.
pub const CHUNK: usize = 64 * 1024;
/// What a host may send of one answer before the server has said that it was read.
pub const WINDOW: usize = 256 * 1024;
/// What a frame of an answer takes from the window beside its bytes, so that many small ones end too.
pub const FRAME_COST: usize = 256;
const HEADERS_MAX: usize = 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To the host: `CallHead`, then the beginning of the body.
    Call,
    /// To the host: more of the body.
    Body,
    /// To the host: nobody waits for this call any more.
    Cancel,
    /// To the host: so many bytes (u32) of the answer were read.
    Credit,
    /// To the server: `Stats`, a head, the whole body.
    Answer,
    /// To the server: a head; `Data` follows, then `End` or `Failed`.
    Head,
    Data,
    /// To the server: `Stats`.
    End,
    /// To the server: `Fault`.
    Failed,
    /// To the server: bytes of the guest's log.
    Log,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        let all = [
            Self::Call,
            Self::Body,
            Self::Cancel,
            Self::Credit,
            Self::Answer,
            Self::Head,
            Self::Data,
            Self::End,
            Self::Failed,
            Self::Log,
        ];
        all.get(usize::from(byte)).copied()
    }
}

/// The other side does not speak this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame is malformed")]
pub struct Garbled;

/// Appends a frame whose payload `fill` writes.
pub fn put(out: &mut BytesMut, kind: Kind, call: u32, fill: impl FnOnce(&mut BytesMut)) {
    let begin = out.len();
    out.put_u32_le(0);
    out.put_u8(kind as u8);
    out.put_u32_le(call);
    fill(out);
    let len = u32::try_from(out.len() - begin - HEADER).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&len.to_le_bytes());
}

/// Takes the next whole frame, if there is one.
pub fn take(buffer: &mut BytesMut) -> Result<Option<(Kind, u32, Bytes)>, Garbled> {
    let Some(mut header) = buffer.get(..HEADER) else { return Ok(None) };
    let len = header.get_u32_le() as usize;
    let kind = Kind::from_byte(header.get_u8()).ok_or(Garbled)?;
    let call = header.get_u32_le();
    if len > PAYLOAD_MAX {
        return Err(Garbled);
    }
    if buffer.len() < HEADER + len {
        buffer.reserve(HEADER + len - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER);
    Ok(Some((kind, call, buffer.split_to(len).freeze())))
}

fn u8_of(from: &mut Bytes) -> Result<u8, Garbled> {
    from.try_get_u8().map_err(|_| Garbled)
}

fn u16_of(from: &mut Bytes) -> Result<u16, Garbled> {
    from.try_get_u16_le().map_err(|_| Garbled)
}

fn u32_of(from: &mut Bytes) -> Result<u32, Garbled> {
    from.try_get_u32_le().map_err(|_| Garbled)
}

fn u64_of(from: &mut Bytes) -> Result<u64, Garbled> {
    from.try_get_u64_le().map_err(|_| Garbled)
}

fn short(from: &mut Bytes) -> Result<Bytes, Garbled> {
    let len = usize::from(u16_of(from)?);
    if from.len() < len { Err(Garbled) } else { Ok(from.split_to(len)) }
}

fn text(from: &mut Bytes) -> Result<String, Garbled> {
    String::from_utf8(short(from)?.into()).map_err(|_| Garbled)
}

/// Longer than 65,535 bytes is cut: the gateway's bound on heads is lower.
fn put_short(out: &mut BytesMut, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    out.put_u16_le(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(bytes);
}

fn put_headers<'a>(out: &mut BytesMut, headers: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) {
    out.put_u16_le(u16::try_from(headers.len().min(HEADERS_MAX)).unwrap_or(u16::MAX));
    for (name, value) in headers.take(HEADERS_MAX) {
        put_short(out, name);
        put_short(out, value);
    }
}

fn headers(from: &mut Bytes) -> Result<Vec<(String, Bytes)>, Garbled> {
    let count = usize::from(u16_of(from)?);
    if count > HEADERS_MAX {
        return Err(Garbled);
    }
    (0..count).map(|_| Ok((text(from)?, short(from)?))).collect()
}

/// The head of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHead {
    /// As `Control::Load` named it.
    pub function: u32,
    /// Milliseconds until the deadline; 0 if there is none.
    pub left_ms: u64,
    /// Bytes that the answer's body may have.
    pub answer_max: u64,
    /// Bytes of log that this call may write.
    pub log_max: u64,
    /// Of the whole body.
    pub body_len: u64,
    /// 8-4-4-4-12.
    pub id: String,
    pub http: Option<HttpHead>,
}

impl CallHead {
    pub fn put(&self, out: &mut BytesMut) {
        out.put_u32_le(self.function);
        for number in [self.left_ms, self.answer_max, self.log_max, self.body_len] {
            out.put_u64_le(number);
        }
        put_short(out, self.id.as_bytes());
        out.put_u8(u8::from(self.http.is_some()));
        if let Some(http) = &self.http {
            put_short(out, http.method.as_bytes());
            put_short(out, http.target.as_bytes());
            put_headers(out, http.headers.iter().map(|(name, value)| (name.as_bytes(), &value[..])));
        }
    }

    /// What is left of `from` is the beginning of the body.
    pub fn take(from: &mut Bytes) -> Result<Self, Garbled> {
        Ok(Self {
            function: u32_of(from)?,
            left_ms: u64_of(from)?,
            answer_max: u64_of(from)?,
            log_max: u64_of(from)?,
            body_len: u64_of(from)?,
            id: text(from)?,
            http: match u8_of(from)? {
                0 => None,
                _ => Some(HttpHead { method: text(from)?, target: text(from)?, headers: headers(from)? }),
            },
        })
    }
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The most linear memory, in bytes.
    pub memory_bytes: u64,
}

impl Stats {
    pub fn put(self, out: &mut BytesMut) {
        out.put_u64_le(self.memory_bytes);
    }

    pub fn take(from: &mut Bytes) -> Result<Self, Garbled> {
        Ok(Self { memory_bytes: u64_of(from)? })
    }
}

/// Writes the head of an answer; none for commands, which answer with bytes only.
pub fn put_reply<'a>(
    out: &mut BytesMut,
    head: Option<(u16, impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>)>,
) {
    let Some((status, headers)) = head else { return out.put_u16_le(0) };
    out.put_u16_le(status);
    put_headers(out, headers);
}

/// The head of an answer: status and headers.
pub type ReplyParts = (u16, Vec<(String, Bytes)>);

pub fn take_reply(from: &mut Bytes) -> Result<Option<ReplyParts>, Garbled> {
    match u16_of(from)? {
        0 => Ok(None),
        status @ 100..=999 => Ok(Some((status, headers(from)?))),
        _ => Err(Garbled),
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The guest trapped.
    Trap,
    /// The guest ended with a code other than 0.
    Exit,
    /// The deadline passed.
    Late,
    /// It asked for more memory than it may have, and then trapped.
    Memory,
    /// The answer is larger than allowed.
    TooLarge,
    /// It gave no answer, or one that is none.
    NoAnswer,
    /// The host does not have this function loaded.
    Unknown,
    /// No slot for another instance.
    Busy,
}

impl Why {
    const ALL: [Self; 8] = [
        Self::Trap,
        Self::Exit,
        Self::Late,
        Self::Memory,
        Self::TooLarge,
        Self::NoAnswer,
        Self::Unknown,
        Self::Busy,
    ];
}

/// A call without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub why: Why,
    pub stats: Stats,
    /// For the function's owner.
    pub text: String,
}

impl Fault {
    pub fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.why as u8);
        self.stats.put(out);
        put_short(out, self.text.as_bytes());
    }

    pub fn take(from: &mut Bytes) -> Result<Self, Garbled> {
        let why = Why::ALL.get(usize::from(u8_of(from)?)).copied().ok_or(Garbled)?;
        let stats = Stats::take(from)?;
        Ok(Self { why, stats, text: String::from_utf8_lossy(&short(from)?).into_owned() })
    }
}

#[cfg(test)]
mod tests;
