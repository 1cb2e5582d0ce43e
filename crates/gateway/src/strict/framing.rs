//! Follows the messages of one connection and says how many bytes may go on to the parser.

use anyfn_base::Instant;

use super::{
    Refusal,
    chunked::Chunked,
    frames::Frames,
    head::{Bounds, Framed, Head},
};

/// RFC 9113 §3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
enum At {
    /// Not known yet whether this is HTTP/2.
    Preface,
    Head(Head),
    Length(u64),
    Chunked(Chunked),
    /// The caller said that no message follows.
    Last,
    Two(Frames),
}

/// What may be done with the bytes that were shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// So many may go on. The others have to be shown again with more behind them.
    pub(crate) admitted: usize,
    /// Heads that ended among them.
    pub(crate) heads: usize,
    /// What follows is wrong and may never go on.
    pub(crate) refused: Option<Refusal>,
}

#[derive(Debug)]
pub(crate) struct Framing {
    at: At,
    /// Whether the message at hand is the caller's last one.
    last: bool,
    bounds: Bounds,
}

impl Framing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { at: At::Preface, last: false, bounds }
    }

    /// Whether what comes next is a request's first byte.
    pub(crate) fn in_head(&self) -> bool {
        matches!(self.at, At::Preface | At::Head(_))
    }

    /// Whether a body has begun and not ended.
    pub(crate) fn in_body(&self) -> bool {
        matches!(self.at, At::Length(_) | At::Chunked(_))
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.at, At::Last)
    }

    pub(crate) fn is_two(&self) -> bool {
        matches!(self.at, At::Two(_))
    }

    pub(crate) fn frames(&mut self) -> Option<&mut Frames> {
        match &mut self.at {
            At::Two(frames) => Some(frames),
            _ => None,
        }
    }

    fn next(&self) -> At {
        if self.last { At::Last } else { At::Head(Head::default()) }
    }

    /// Looks at the bytes behind those that were admitted before.
    pub(crate) fn admit(&mut self, bytes: &[u8], now: impl Fn() -> Instant) -> Verdict {
        let mut verdict = Verdict::default();
        while verdict.refused.is_none() && verdict.admitted < bytes.len() {
            let rest = &bytes[verdict.admitted..];
            match &mut self.at {
                At::Preface if rest.starts_with(PREFACE) => {
                    verdict.admitted += PREFACE.len();
                    self.at = At::Two(Frames::new(now()));
                }
                At::Preface if PREFACE.starts_with(rest) => break,
                At::Preface => self.at = At::Head(Head::default()),
                At::Head(head) => match head.read(rest, self.bounds) {
                    Ok(None) => break,
                    Ok(Some(whole)) => {
                        verdict.admitted += whole.len;
                        verdict.heads += 1;
                        self.last = whole.last;
                        self.at = match whole.body {
                            Framed::Nothing => self.next(),
                            Framed::Length(length) => At::Length(length),
                            Framed::Chunked => At::Chunked(Chunked::new()),
                        };
                    }
                    Err(refusal) => verdict.refused = Some(refusal),
                },
                At::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    verdict.admitted += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.at = self.next();
                    }
                }
                At::Chunked(chunked) => {
                    let (taken, refused) = chunked.admit(rest);
                    verdict.admitted += taken;
                    verdict.refused = refused;
                    if chunked.is_end() {
                        self.at = self.next();
                    }
                }
                At::Last => break,
                At::Two(frames) => {
                    let (taken, refused) = frames.admit(rest, now());
                    verdict.admitted += taken;
                    verdict.refused = refused;
                }
            }
        }
        verdict
    }
}
