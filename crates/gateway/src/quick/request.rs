//! A whole request in a buffer, or what else is there.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::{
    Body,
    strict::{Bounds, Framed, Head},
};

/// Bytes of a body that is read here.
const BODY_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// What the next bytes of a connection are.
pub(super) enum Found {
    /// There are none.
    Nothing,
    /// A request whose body is not whole: so many bytes are needed in all.
    Body(usize),
    /// And whether it is the caller's last.
    Request(Box<Request<Body>>, bool),
    /// Not for the short way.
    Other,
}

/// Takes a request off `buffer`, if a whole and plain one is there. Everything else stays.
pub(super) fn find(buffer: &mut BytesMut, bounds: Bounds) -> Found {
    if buffer.is_empty() {
        return Found::Nothing;
    }
    let Ok(Some(whole)) = Head::default().read(buffer, bounds) else { return Found::Other };
    let length = match whole.body {
        Framed::Nothing => 0,
        Framed::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Framed::Chunked => return Found::Other,
    };
    if length > BODY_MAX {
        return Found::Other;
    }
    let needs = whole.len + length;
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    if !matches!(parsed.parse_with_uninit_headers(&buffer[..whole.len], &mut room), Ok(httparse::Status::Complete(len)) if len == whole.len)
    {
        return Found::Other;
    }
    let special = |h: &httparse::Header<'_>| {
        matches!(h.name.len(), 6 | 7)
            && (h.name.eq_ignore_ascii_case("expect") || h.name.eq_ignore_ascii_case("upgrade"))
    };
    // An older caller's connection has rules of its own.
    if parsed.version != Some(1) || parsed.headers.iter().any(special) {
        return Found::Other;
    }
    if buffer.len() < needs {
        return Found::Body(needs);
    }
    match build(&parsed) {
        Some((method, uri, headers)) => {
            let body = buffer.split_to(needs).freeze().slice(whole.len..);
            let mut request = Request::new(Body::Here(Some(body).filter(|body| !body.is_empty())));
            (*request.method_mut(), *request.uri_mut()) = (method, uri);
            (*request.headers_mut(), *request.version_mut()) = (headers, Version::HTTP_11);
            Found::Request(Box::new(request), whole.last)
        }
        None => Found::Other,
    }
}

fn build(parsed: &httparse::Request<'_, '_>) -> Option<(Method, Uri, http::HeaderMap)> {
    let method = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    let uri = Uri::try_from(parsed.path?).ok()?;
    let mut headers = http::HeaderMap::with_capacity(parsed.headers.len() + 2);
    // One piece of memory for all values.
    let total: usize = parsed.headers.iter().map(|h| h.value.len()).sum();
    let mut values = BytesMut::with_capacity(total);
    for header in parsed.headers.iter() {
        values.extend_from_slice(header.value);
    }
    let values: Bytes = values.freeze();
    let mut at = 0;
    for one in parsed.headers.iter() {
        let name = HeaderName::from_bytes(one.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(values.slice(at..at + one.value.len())).ok()?;
        at += one.value.len();
        headers.append(name, value);
    }
    Some((method, uri, headers))
}

#[cfg(test)]
mod tests;
