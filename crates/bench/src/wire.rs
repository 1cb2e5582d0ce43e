//! As much HTTP/1.1 as a load generator needs: requests as bytes, and where an answer ends.

use anyhow::{Context as _, bail};

/// A whole request; `headers` end in CRLF each.
pub(crate) fn request(host: &str, method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n{headers}\r\n")
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// An answer that is there whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Bytes of it on the wire.
    pub(crate) length: usize,
    /// The Lambda API answers 200 for a function that failed, and says so in a header.
    pub(crate) function_failed: bool,
    /// The server ends the connection after it.
    pub(crate) close: bool,
    /// It ends only where the connection ends.
    pub(crate) unbounded: bool,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && !self.function_failed
    }

    /// For people: the status, and as much of the body as says what is wrong.
    pub(crate) fn told(&self) -> String {
        let failed = if self.function_failed { " (the function failed)" } else { "" };
        let text: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{}{failed} {text}", self.status)
    }
}

/// None: there is more to come.
pub(crate) fn answer(bytes: &[u8]) -> anyhow::Result<Option<Answer>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.context("a status")?;
    let value = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| String::from_utf8_lossy(header.value).to_ascii_lowercase())
    };
    let function_failed = value("x-amz-function-error").is_some();
    let close = value("connection").is_some_and(|value| value.contains("close"));
    let rest = bytes.get(start..).unwrap_or_default();
    let whole = |body: Vec<u8>, length: usize| Answer {
        status,
        body,
        length,
        function_failed,
        close,
        unbounded: false,
    };
    if value("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        return Ok(chunks(rest)?.map(|(body, length)| whole(body, start + length)));
    }
    if let Some(length) = value("content-length") {
        let length: usize = length.trim().parse().context("a content length")?;
        return Ok(rest.get(..length).map(|body| whole(body.to_vec(), start + length)));
    }
    if status == 204 || status == 304 {
        return Ok(Some(whole(Vec::new(), start)));
    }
    Ok(Some(Answer { close: true, unbounded: true, ..whole(rest.to_vec(), bytes.len()) }))
}

/// The body, and its length on the wire. Trailers are not kept.
fn chunks(bytes: &[u8]) -> anyhow::Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let httparse::Status::Complete((line, size)) =
            httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("a chunk's size is no number"))?
        else {
            return Ok(None);
        };
        let size = usize::try_from(size)?;
        at += line;
        if size == 0 {
            return Ok(trailers(bytes, at).map(|end| (body, end)));
        }
        let Some(piece) = bytes.get(at..at + size + 2) else { return Ok(None) };
        if !piece.ends_with(b"\r\n") {
            bail!("a chunk is longer than it says");
        }
        body.extend_from_slice(&piece[..size]);
        at += size + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).position(|pair| pair == b"\r\n")?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests;
