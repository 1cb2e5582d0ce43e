//! A call as an HTTP/1.1 request.

use anyfn_types::{HttpHead, Invocation};

use super::answer::is_hop;

/// What a call cannot be sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsendable(pub(super) &'static str);

/// Whether a request that may or may not have been read may be sent again.
pub(super) fn is_idempotent(call: &Invocation) -> bool {
    let method = call.http.as_ref().map_or("POST", |head| &head.method);
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
}

pub(super) fn is_head(call: &Invocation) -> bool {
    call.http.as_ref().is_some_and(|head| head.method == "HEAD")
}

/// Writes the head over `out`. What could be read as a second request is refused.
pub(super) fn write(out: &mut Vec<u8>, call: &Invocation) -> Result<(), Unsendable> {
    out.clear();
    match &call.http {
        Some(head) => given(out, head)?,
        None => {
            out.extend_from_slice(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
        }
    }
    let named =
        |name: &str| call.http.as_ref().is_some_and(|head| head.headers.iter().any(|(n, _)| n == name));
    if !named("x-request-id") {
        out.extend_from_slice(b"x-request-id: ");
        out.extend_from_slice(call.id.uuid().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if let Some(trace) = call.trace.as_ref().filter(|_| !named("traceparent")) {
        out.extend_from_slice(b"traceparent: 00-");
        out.extend_from_slice(trace.trace_id.as_bytes());
        out.push(b'-');
        out.extend_from_slice(trace.parent_id.as_bytes());
        out.extend_from_slice(if trace.sampled { b"-01\r\n" } else { b"-00\r\n" });
    }
    let bodiless = call.http.as_ref().is_some_and(|head| !matches!(&*head.method, "POST" | "PUT" | "PATCH"));
    if !call.body.is_empty() || !bodiless {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(call.body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn given(out: &mut Vec<u8>, head: &HttpHead) -> Result<(), Unsendable> {
    let token = |text: &str| !text.is_empty() && text.bytes().all(is_token);
    if !token(&head.method) || head.method == "CONNECT" {
        return Err(Unsendable("method"));
    }
    if !head.target.starts_with(['/', '*']) || !head.target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Unsendable("target"));
    }
    out.extend_from_slice(head.method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut host = false;
    for (name, value) in &head.headers {
        // The platform frames the body, and has read it already.
        if is_hop(name) || matches!(name.as_str(), "content-length" | "expect") {
            continue;
        }
        if !token(name) || !value.iter().all(|b| *b == b'\t' || (*b >= b' ' && *b != 0x7F)) {
            return Err(Unsendable("header"));
        }
        host |= name == "host";
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    if !host {
        out.extend_from_slice(b"host: localhost\r\n");
    }
    Ok(())
}

/// `tchar` of RFC 9110 §5.6.2.
const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}
