//! A server's answer (RFC 9112), in one strict reading: what two readers could take for different answers is refused, and
//! with it the process that said it.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memmem};

/// Bytes of an answer's head, and its headers.
const HEAD_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;
/// Bytes of the line before a chunk, and of what follows the last one.
const CHUNK_LINE_MAX: usize = 256;
const TRAILERS_MAX: usize = 16 * 1024;
/// Digits of a length that fits into everybody's 64 bits.
const LENGTH_DIGITS: usize = 18;
const CHUNK_DIGITS: usize = 15;

/// What makes an answer unfit to be passed on; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled(pub(crate) &'static str);

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    Nothing,
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Names in lower case; without those of the connection.
    pub(crate) headers: Vec<(String, Bytes)>,
    pub(crate) body: Framed,
    /// Another request may follow on this connection.
    pub(crate) keep: bool,
}

/// Reads heads as their bytes come.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Bytes that hold no end of a head.
    seen: usize,
}

impl Reader {
    /// Takes a whole head off `buffer`. None: more bytes are needed. Interim answers (1xx) come out like others.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut, asked_head: bool) -> Result<Option<Head>, Garbled> {
        let from = self.seen.saturating_sub(3);
        let Some(end) = memmem::find(&buffer[from..], b"\r\n\r\n").map(|at| from + at + 4) else {
            self.seen = buffer.len();
            return if buffer.len() >= HEAD_MAX { Err(Garbled("head_too_large")) } else { Ok(None) };
        };
        self.seen = 0;
        if end > HEAD_MAX {
            return Err(Garbled("head_too_large"));
        }
        parse(buffer.split_to(end).freeze(), asked_head).map(Some)
    }
}

fn parse(bytes: Bytes, asked_head: bool) -> Result<Head, Garbled> {
    lines_are_whole(&bytes)?;
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, &bytes, &mut room)
    {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Garbled("headers")),
        _ => return Err(Garbled("head")),
    }
    let status = parsed.code.filter(|code| (100..600).contains(code)).ok_or(Garbled("status"))?;
    let old = parsed.version == Some(0);
    let connection = Connection::of(parsed.headers)?;
    let (mut framing, mut headers) = (Framing::default(), Vec::with_capacity(parsed.headers.len()));
    for header in parsed.headers.iter() {
        framing.look(header)?;
        let name = header.name.to_ascii_lowercase();
        if !is_hop(&name) && !connection.names(&name) {
            headers.push((name, bytes.slice_ref(header.value)));
        }
    }
    let body = framing.body(status, old, asked_head)?;
    let keep = if old { connection.keep } else { !connection.close };
    Ok(Head { status, headers, body, keep: keep && body != Framed::UntilClose })
}

/// Every line ends in CRLF and none has either byte elsewhere.
fn lines_are_whole(head: &[u8]) -> Result<(), Garbled> {
    let mut rest = head;
    while let Some(at) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at(at);
        match line.split_last() {
            Some((b'\r', line)) if memchr(b'\r', line).is_none() && memchr(0, line).is_none() => {}
            _ => return Err(Garbled("line_end")),
        }
        // Only the first line may begin with anything but a name's first byte.
        if matches!(after.get(1), Some(b' ' | b'\t')) {
            return Err(Garbled("folded_line"));
        }
        rest = &after[1..];
    }
    Ok(())
}

/// What the `Connection` headers say.
#[derive(Debug, Default)]
struct Connection {
    close: bool,
    keep: bool,
    named: Vec<String>,
}

impl Connection {
    fn of(headers: &[httparse::Header<'_>]) -> Result<Self, Garbled> {
        let mut found = Self::default();
        for header in headers.iter().filter(|h| h.name.eq_ignore_ascii_case("connection")) {
            let text = std::str::from_utf8(header.value).map_err(|_| Garbled("connection"))?;
            for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
                match option.to_ascii_lowercase().as_str() {
                    "close" => found.close = true,
                    "keep-alive" => found.keep = true,
                    other => found.named.push(other.to_owned()),
                }
            }
        }
        Ok(found)
    }

    fn names(&self, name: &str) -> bool {
        self.named.iter().any(|named| named == name)
    }
}

#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    fn look(&mut self, header: &httparse::Header<'_>) -> Result<(), Garbled> {
        if header.name.eq_ignore_ascii_case("content-length") {
            let digits = header.value;
            let sound = (1..=LENGTH_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
            if self.length.is_some() || !sound {
                return Err(Garbled("content_length"));
            }
            self.length = Some(digits.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Garbled("transfer_encoding"));
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// RFC 9112 §6.3, without what it lets a reader guess.
    fn body(&self, status: u16, old: bool, asked_head: bool) -> Result<Framed, Garbled> {
        if self.chunked && (self.length.is_some() || old) {
            return Err(Garbled("two_lengths"));
        }
        if asked_head || status < 200 || status == 204 || status == 304 {
            return Ok(Framed::Nothing);
        }
        Ok(match (self.chunked, self.length) {
            (true, _) => Framed::Chunked,
            (false, Some(0)) => Framed::Nothing,
            (false, Some(length)) => Framed::Length(length),
            (false, None) => Framed::UntilClose,
        })
    }
}

/// Headers that speak of one connection.
pub(crate) fn is_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "te"
            | "trailer"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
    )
}

/// A body on its way.
#[derive(Debug)]
pub(crate) struct Body(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    /// Bytes of trailers so far.
    Trailers(usize),
    Done,
}

/// The next of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Bytes),
    End,
    /// More bytes are needed.
    More,
}

impl Body {
    pub(crate) fn new(framed: Framed) -> Self {
        Self(match framed {
            Framed::Nothing => State::Done,
            Framed::Length(length) => State::Length(length),
            Framed::Chunked => State::ChunkLine,
            Framed::UntilClose => State::UntilClose,
        })
    }

    /// Takes what there is off `buffer`.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, Garbled> {
        loop {
            match self.0 {
                State::Done => return Ok(Piece::End),
                _ if buffer.is_empty() => return Ok(Piece::More),
                State::UntilClose => return Ok(Piece::Data(buffer.split().freeze())),
                State::Length(left) => {
                    let (data, left) = take(buffer, left);
                    self.0 = if left == 0 { State::Done } else { State::Length(left) };
                    return Ok(Piece::Data(data));
                }
                State::Chunk(left) => {
                    let (data, left) = take(buffer, left);
                    self.0 = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    return Ok(Piece::Data(data));
                }
                State::ChunkEnd => {
                    if buffer.len() < 2 {
                        return Ok(Piece::More);
                    }
                    if &buffer[..2] != b"\r\n" {
                        return Err(Garbled("chunk_end"));
                    }
                    buffer.advance(2);
                    self.0 = State::ChunkLine;
                }
                State::ChunkLine => {
                    let Some(line) = line(buffer, CHUNK_LINE_MAX, "chunk_line")? else {
                        return Ok(Piece::More);
                    };
                    let size = chunk_size(&line)?;
                    self.0 = if size == 0 { State::Trailers(0) } else { State::Chunk(size) };
                }
                State::Trailers(seen) => {
                    let most = TRAILERS_MAX.saturating_sub(seen);
                    let Some(line) = line(buffer, most, "trailers")? else { return Ok(Piece::More) };
                    self.0 =
                        if line.is_empty() { State::Done } else { State::Trailers(seen + line.len() + 2) };
                }
            }
        }
    }

    /// The other side has closed. True if that is the body's proper end.
    pub(crate) fn closed(&mut self) -> bool {
        let proper = matches!(self.0, State::UntilClose | State::Done);
        if proper {
            self.0 = State::Done;
        }
        proper
    }
}

fn take(buffer: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    (buffer.split_to(taken).freeze(), left - taken as u64)
}

/// A line without its CRLF.
fn line(buffer: &mut BytesMut, most: usize, what: &'static str) -> Result<Option<Bytes>, Garbled> {
    let Some(end) = memchr(b'\n', &buffer[..buffer.len().min(most)]) else {
        return if buffer.len() >= most { Err(Garbled(what)) } else { Ok(None) };
    };
    let line = buffer.split_to(end + 1).freeze();
    let line = line.slice(..end);
    match line.split_last() {
        Some((b'\r', rest)) if memchr(b'\r', rest).is_none() && memchr(0, rest).is_none() => {
            Ok(Some(line.slice(..end - 1)))
        }
        _ => Err(Garbled(what)),
    }
}

/// Hexadecimal digits, and perhaps an extension, which means nothing to us.
fn chunk_size(line: &[u8]) -> Result<u64, Garbled> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    if digits.is_empty() || digits.len() > CHUNK_DIGITS {
        return Err(Garbled("chunk_size"));
    }
    let digit = |b: u8| char::from(b).to_digit(16).map(u64::from);
    digits.iter().try_fold(0, |size, b| Some(size * 16 + digit(*b)?)).ok_or(Garbled("chunk_size"))
}

#[cfg(test)]
mod tests;
