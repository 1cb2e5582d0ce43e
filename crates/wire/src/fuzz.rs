//! Entry points for fuzzing: every parser of strangers' bytes, each with the law that it must keep.
//!
//! None of these may panic, overflow the stack, or take time that grows faster than the input.

use bytes::{Bytes, BytesMut};
use http::Request;

use crate::api::Api;
use crate::eventstream::Message;
use crate::validate::Pattern;
use crate::{cbor, json, query, route, xml};

/// A whole request: the first line is the path and query, the second the target of the JSON protocols, the rest the body.
/// Whatever is accepted must also be answerable.
pub fn request(api: &Api, data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (path, target, body) = (next(), next(), next());
    for method in ["POST", "GET", "PUT", "DELETE"] {
        let request = Request::builder().method(method).uri(path).header("x-amz-target", target).body(());
        let Ok(request) = request else { return };
        let (mut parts, ()) = request.into_parts();
        if target.is_empty() {
            parts.headers.clear();
        }
        let body = Bytes::copy_from_slice(body);
        let response = match api.accept(&parts, body) {
            Ok(call) => api.answer(call.target, Ok(call.input), "fuzz"),
            Err(rejection) => api.reject(&rejection, "fuzz"),
        };
        debug_assert!(response.status().as_u16() >= 200);
    }
}

/// Every body format.
pub fn documents(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let known = [json::parse(data), cbor::parse(&body)];
    for value in known.into_iter().flatten() {
        let (mut text, mut bytes) = (String::new(), Vec::new());
        json::write_any(&value, &mut text);
        cbor::write_any(&value, &mut bytes);
        debug_assert!(json::parse(text.as_bytes()).is_ok() && cbor::parse(&Bytes::from(bytes)).is_ok());
    }
    _ = xml::parse(&body);
    if let Ok(text) = std::str::from_utf8(data) {
        _ = query::tree(route::pairs(text));
        _ = Pattern::new(text);
    }
}

/// Frames of an event stream. What is read must be read as the same when it is written again.
pub fn frames(data: &[u8]) {
    let mut input = BytesMut::from(data);
    while let Ok(Some(message)) = Message::decode(&mut input) {
        let again = message.encode().map(|frame| Message::decode(&mut BytesMut::from(&frame[..])));
        debug_assert_eq!(again, Ok(Ok(Some(message))));
    }
}
