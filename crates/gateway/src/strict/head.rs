//! A request's head (RFC 9112 §3, §5), line by line, in the one reading that every server shares.

use memchr::{memchr, memrchr};

use super::Refusal;

/// Bytes of a request's target.
pub(crate) const URL_BYTES: usize = 16 * 1024;
/// Bytes of a request line: the target, a method and a version.
const LINE_BYTES: usize = URL_BYTES + 64;
const METHOD_BYTES: usize = 32;
const NAME_BYTES: usize = 256;
/// Digits of a body's length: what fits into everybody's 64 bits, signed or not.
const LENGTH_DIGITS: usize = 18;

/// Bounds of a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) headers: usize,
}

/// How a message's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    Nothing,
    Length(u64),
    Chunked,
}

/// A head that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Its bytes.
    pub(crate) len: usize,
    pub(crate) body: Framed,
    /// Whether the caller wants no further message on this connection.
    pub(crate) last: bool,
}

/// A head on its way. Offsets count from the head's first byte.
#[derive(Debug, Default)]
pub(crate) struct Head {
    seen: usize,
    line: usize,
    /// An empty line before the request line, which old clients leave behind a body.
    led: bool,
    asked: bool,
    old: bool,
    headers: usize,
    host: bool,
    /// Where the target names the host itself.
    authority: Option<(usize, usize)>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep: bool,
}

impl Head {
    /// `bytes` begin with the head's first byte, on each call with more behind it. None: the head is not whole yet.
    pub(crate) fn read(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Option<Whole>, Refusal> {
        loop {
            let Some(end) = memchr(b'\n', &bytes[self.seen..]).map(|at| self.seen + at) else {
                self.seen = bytes.len();
                return self.too_long(bytes.len(), bounds).map(|()| None);
            };
            self.too_long(end, bounds)?;
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(Refusal::bad("line_end"))?;
            if !self.asked {
                self.first(line)?;
            } else if line.is_empty() {
                return self.whole(end + 1).map(Some);
            } else {
                self.header(line, bytes, bounds)?;
            }
            (self.seen, self.line) = (end + 1, end + 1);
        }
    }

    /// `end` is where the line's end is, or the least place where it can be.
    fn too_long(&self, end: usize, bounds: Bounds) -> Result<(), Refusal> {
        if !self.asked && end - self.line >= LINE_BYTES {
            return Err(Refusal::URI);
        }
        if end >= bounds.bytes { Err(Refusal::too_large("head_too_large")) } else { Ok(()) }
    }

    fn first(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.is_empty() && !self.led {
            self.led = true;
            return Ok(());
        }
        let bad = Refusal::bad("request_line");
        let (method, rest) = line.split_at(memchr(b' ', line).ok_or(bad)?);
        let rest = &rest[1..];
        let (target, version) = rest.split_at(memrchr(b' ', rest).ok_or(bad)?);
        self.old = match version {
            b" HTTP/1.1" => false,
            b" HTTP/1.0" => true,
            _ => return Err(Refusal::bad("version")),
        };
        if method.is_empty() || method.len() > METHOD_BYTES || !method.iter().all(|b| is_token(*b)) {
            return Err(Refusal::bad("method"));
        }
        self.target(method, target, self.line + method.len() + 1)?;
        self.asked = true;
        Ok(())
    }

    fn target(&mut self, method: &[u8], target: &[u8], at: usize) -> Result<(), Refusal> {
        let bad = Refusal::bad("target");
        if target.len() > URL_BYTES {
            return Err(Refusal::URI);
        }
        // A tunnel's bytes cannot be followed, and nothing here makes tunnels.
        if method == b"CONNECT" || !every(target, is_target) {
            return Err(bad);
        }
        match target {
            [b'/', ..] => Ok(()),
            b"*" if method == b"OPTIONS" => Ok(()),
            _ => {
                let scheme = if lower(target, b"http://") {
                    7
                } else if lower(target, b"https://") {
                    8
                } else {
                    return Err(bad);
                };
                let rest = &target[scheme..];
                let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
                let parsed = http::Uri::try_from(target).map_err(|_| bad)?;
                if end == 0 || !is_host(&rest[..end]) || parsed.host().is_none() {
                    return Err(bad);
                }
                self.authority = Some((at + scheme, at + scheme + end));
                Ok(())
            }
        }
    }

    fn header(&mut self, line: &[u8], bytes: &[u8], bounds: Bounds) -> Result<(), Refusal> {
        self.headers += 1;
        if self.headers > bounds.headers {
            return Err(Refusal::too_large("headers"));
        }
        if matches!(line[0], b' ' | b'\t') {
            return Err(Refusal::bad("folded_line"));
        }
        let colon = memchr(b':', line).ok_or(Refusal::bad("header_name"))?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.len() > NAME_BYTES {
            return Err(Refusal::too_large("header_name"));
        }
        if name.is_empty() || !every(name, is_token) {
            return Err(Refusal::bad("header_name"));
        }
        if !every(value, is_value) {
            return Err(Refusal::bad("header_value"));
        }
        match name.len() {
            4 if same(name, b"host")? => self.host(value.trim_ascii(), bytes),
            10 if same(name, b"connection")? => self.connection(value),
            14 if same(name, b"content-length")? => self.content_length(spaceless(value)),
            17 if same(name, b"transfer-encoding")? => self.transfer_encoding(spaceless(value)),
            _ => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8], bytes: &[u8]) -> Result<(), Refusal> {
        let named = self.authority.map(|(from, to)| &bytes[from..to]);
        let differs = named.is_some_and(|named| !named.eq_ignore_ascii_case(value));
        if self.host || differs || !is_host(value) {
            return Err(Refusal::bad("host"));
        }
        self.host = true;
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Refusal> {
        // Bytes past ASCII: hyper reads such a value as no option at all, and so do we.
        if value.is_ascii() {
            for option in value.split(|b| *b == b',') {
                self.close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                self.keep |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let bad = Refusal::bad("content_length");
        if self.length.is_some() || value.is_empty() || value.len() > LENGTH_DIGITS {
            return Err(bad);
        }
        let add = |sum: u64, b: &u8| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'));
        self.length = Some(value.iter().try_fold(0, add).ok_or(bad)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || self.old || value != b"chunked" {
            return Err(Refusal::bad("transfer_encoding"));
        }
        self.chunked = true;
        Ok(())
    }

    fn whole(&self, len: usize) -> Result<Whole, Refusal> {
        if !self.host && !self.old {
            return Err(Refusal::bad("host"));
        }
        let body = match (self.length, self.chunked) {
            (Some(_), true) => return Err(Refusal::bad("two_lengths")),
            (None, true) => Framed::Chunked,
            (None | Some(0), false) => Framed::Nothing,
            (Some(length), false) => Framed::Length(length),
        };
        Ok(Whole { len, body, last: self.close || (self.old && !self.keep) })
    }
}

/// Without an early end, which the compiler turns into a few vector instructions.
fn every(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, b| all & is(*b))
}

/// Spaces around a value, but no tabs: not every server takes those off.
fn spaceless(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

fn lower(target: &[u8], scheme: &[u8]) -> bool {
    target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Whether `name` is `wanted` in any case. With an underline for the dash it is what some gateways take for the same
/// header and others do not: refused.
fn same(name: &[u8], wanted: &[u8]) -> Result<bool, Refusal> {
    let like = |(a, b): (&u8, &u8)| a.to_ascii_lowercase() == *b || (*a == b'_' && *b == b'-');
    if !name.iter().zip(wanted).all(like) {
        return Ok(false);
    }
    if name.contains(&b'_') { Err(Refusal::bad("header_name")) } else { Ok(true) }
}

/// `tchar` of RFC 9110 §5.6.2.
pub(super) const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

pub(super) const fn is_value(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7F)
}

/// What a target may hold: visible ASCII without what some servers cut at, turn round or quote.
const fn is_target(b: u8) -> bool {
    b.is_ascii_graphic() && !matches!(b, b'"' | b'#' | b'\\' | b'<' | b'>' | b'`' | b'^')
}

/// A name or an address and a port; empty is allowed, as RFC 9112 §3.2 asks for.
fn is_host(value: &[u8]) -> bool {
    value.len() <= 300 && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~:[]%".contains(b))
}
