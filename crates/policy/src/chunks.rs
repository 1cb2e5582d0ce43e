//! Bodies that come in chunks with a signature each (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD` and its trailer variants; AWS,
//! "Signature calculations for the Authorization header: transferring payload in multiple chunks").
//!
//! What must stay true: content is handed on before its chunk's end proves it, so whoever takes it keeps nothing before
//! `finish` said yes. Memory is one header line, whatever comes.

use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use crate::signature::{Refusal, mac};

/// One header or trailer line, in bytes.
const LINE_MAX: usize = 4096;
/// Trailer lines.
const TRAILERS_MAX: usize = 16;
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[derive(Debug)]
struct Chain {
    key: [u8; 32],
    /// Date and scope, as every string to sign holds them.
    middle: String,
    last: [u8; 32],
}

impl Chain {
    fn check(&mut self, text: &str, signature: &[u8; 32]) -> Result<(), Refusal> {
        mac(&self.key, text.as_bytes()).verify_slice(signature).map_err(|_| Refusal::Mismatch)?;
        self.last = *signature;
        Ok(())
    }

    fn chunk(&mut self, content: &str, signature: &[u8; 32]) -> Result<(), Refusal> {
        let last = hex::encode(self.last);
        self.check(
            &format!("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{last}\n{EMPTY}\n{content}", self.middle),
            signature,
        )
    }

    fn trailer(&mut self, lines: &str, signature: &[u8; 32]) -> Result<(), Refusal> {
        let (last, hash) = (hex::encode(self.last), hex::encode(Sha256::digest(lines)));
        self.check(&format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{last}\n{hash}", self.middle), signature)
    }
}

#[derive(Debug)]
enum At {
    /// In a chunk's header line.
    Head,
    /// In a chunk's content.
    Content {
        left: u64,
        hash: Sha256,
        signature: Option<[u8; 32]>,
    },
    /// In the line end after a chunk's content.
    Gap,
    /// After the last chunk.
    Trailer,
    Done,
}

/// Takes a body's frames piece by piece and gives its content.
#[derive(Debug)]
pub struct Chunks {
    chain: Option<Chain>,
    /// Whether trailers may come.
    trailer: bool,
    at: At,
    line: Vec<u8>,
    trailers: Vec<(String, String)>,
    length: u64,
}

impl Chunks {
    /// `seed`: the signing key, date and scope, and the request's own signature. None: chunks carry no signature.
    pub(crate) fn new(seed: Option<([u8; 32], String, [u8; 32])>, trailer: bool) -> Self {
        let chain = seed.map(|(key, middle, last)| Chain { key, middle, last });
        Self { chain, trailer, at: At::Head, line: Vec::new(), trailers: Vec::new(), length: 0 }
    }

    /// Appends the content in `input` to `out`. An error is final.
    pub fn feed(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        while !input.is_empty() {
            input = match &mut self.at {
                At::Content { left, hash, .. } => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (content, rest) = input.split_at(take);
                    hash.update(content);
                    out.extend_from_slice(content);
                    *left -= take as u64;
                    self.length += take as u64;
                    if *left == 0 {
                        self.end_content()?;
                    }
                    rest
                }
                At::Done => return Err(malformed("bytes after the last chunk")),
                At::Head | At::Gap | At::Trailer => match input.iter().position(|&b| b == b'\n') {
                    None => {
                        self.line.extend_from_slice(input.get(..=LINE_MAX).unwrap_or(input));
                        &[]
                    }
                    Some(end) => {
                        self.line.extend_from_slice(&input[..end.min(LINE_MAX)]);
                        self.check_line()?;
                        let line = std::mem::take(&mut self.line);
                        let line = line.strip_suffix(b"\r").ok_or_else(|| malformed("bare line end"))?;
                        let line = std::str::from_utf8(line).map_err(|_| malformed("line is no text"))?;
                        self.take_line(line)?;
                        &input[end + 1..]
                    }
                },
            };
            self.check_line()?;
        }
        Ok(())
    }

    fn check_line(&self) -> Result<(), Refusal> {
        if self.line.len() > LINE_MAX { Err(malformed("line is too long")) } else { Ok(()) }
    }

    /// Every chunk was right and the last one came. Gives the trailers, names in lower case; what they say about the
    /// content (checksums) is the caller's to check. `decoded_length`: what `x-amz-decoded-content-length` said.
    pub fn finish(self, decoded_length: Option<u64>) -> Result<Vec<(String, String)>, Refusal> {
        if !matches!(self.at, At::Done) {
            return Err(malformed("body ends before its last chunk"));
        }
        if decoded_length.is_some_and(|said| said != self.length) {
            return Err(malformed("x-amz-decoded-content-length does not match"));
        }
        Ok(self.trailers)
    }

    fn take_line(&mut self, line: &str) -> Result<(), Refusal> {
        match self.at {
            At::Head => self.head(line),
            At::Gap if line.is_empty() => {
                self.at = At::Head;
                Ok(())
            }
            At::Gap => Err(malformed("chunk is longer than it says")),
            At::Trailer => self.trailer_line(line),
            At::Content { .. } | At::Done => Ok(()),
        }
    }

    /// `<hex size>[;chunk-signature=<64 hex digits>]`
    fn head(&mut self, line: &str) -> Result<(), Refusal> {
        let (size, extension) = line.split_once(';').unwrap_or((line, ""));
        let digits = (1..=16).contains(&size.len()) && size.bytes().all(|b| b.is_ascii_hexdigit());
        let left =
            u64::from_str_radix(size, 16).ok().filter(|_| digits).ok_or_else(|| malformed("chunk size"))?;
        let signature = match (&mut self.chain, extension.strip_prefix("chunk-signature=")) {
            (Some(_), Some(text)) => Some(signature_of(text)?),
            (Some(_), None) => return Err(malformed("chunk has no signature")),
            (None, _) => None,
        };
        if left > 0 {
            self.at = At::Content { left, hash: Sha256::new(), signature };
            return Ok(());
        }
        if let (Some(chain), Some(signature)) = (&mut self.chain, signature) {
            chain.chunk(EMPTY, &signature)?;
        }
        self.at = At::Trailer;
        Ok(())
    }

    fn end_content(&mut self) -> Result<(), Refusal> {
        let At::Content { hash, signature, .. } = std::mem::replace(&mut self.at, At::Gap) else {
            return Ok(());
        };
        match (&mut self.chain, signature) {
            (Some(chain), Some(signature)) => chain.chunk(&hex::encode(hash.finalize()), &signature),
            _ => Ok(()),
        }
    }

    /// `name:value`, until an empty line; the signature of all of them comes last.
    fn trailer_line(&mut self, line: &str) -> Result<(), Refusal> {
        let signed = self.trailers.last().is_some_and(|(name, _)| name == SIGNATURE);
        if line.is_empty() {
            return self.end_trailers(signed);
        }
        if !self.trailer || signed || self.trailers.len() == TRAILERS_MAX {
            return Err(malformed("trailer that was not announced"));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("trailer"))?;
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    fn end_trailers(&mut self, signed: bool) -> Result<(), Refusal> {
        if let Some(chain) = self.chain.as_mut().filter(|_| self.trailer) {
            let signature = self
                .trailers
                .pop()
                .filter(|_| signed)
                .ok_or_else(|| malformed("trailer has no signature"))?;
            let mut lines: Vec<_> =
                self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            lines.sort_unstable();
            chain.trailer(&lines.concat(), &signature_of(&signature.1)?)?;
        }
        self.at = At::Done;
        Ok(())
    }
}

const SIGNATURE: &str = "x-amz-trailer-signature";

fn signature_of(text: &str) -> Result<[u8; 32], Refusal> {
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature).map_err(|_| malformed("signature"))?;
    Ok(signature)
}

fn malformed(what: &str) -> Refusal {
    Refusal::Incomplete(format!("The chunked body is malformed: {what}"))
}

#[cfg(test)]
mod tests;
