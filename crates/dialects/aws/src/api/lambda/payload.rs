//! What comes in with a call, checked.

use anyfn_aws_model::lambda::error;
use anyfn_types::{Limits, Mode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::api::fault::{Fault, lambda as say};

#[cfg(test)]
mod tests;

/// A client context may have this many bytes as it comes.
const CONTEXT_MAX: usize = 3_583;

/// The event: JSON within the limit of its mode. Nothing means `{}`.
pub(super) fn event(payload: Option<Bytes>, mode: Mode, limits: &Limits) -> Result<Bytes, Fault> {
    let payload = payload.filter(|bytes| !bytes.is_empty()).unwrap_or_else(|| Bytes::from_static(b"{}"));
    let size = payload.len() as u64;
    if mode == Mode::Queue && size > limits.event_payload_bytes {
        let most = limits.event_payload_bytes;
        let text =
            format!("{size} byte payload is too large for the Event invocation type (limit {most} bytes)");
        return Err(error::REQUEST_TOO_LARGE.say(text).into());
    }
    if size > limits.payload_bytes {
        // The limit that AWS names is without the spare hundred bytes.
        let most = limits.payload_bytes - limits.payload_bytes % 1024;
        let text = format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(error::REQUEST_TOO_LARGE.say(text).into());
    }
    match serde_json::from_slice::<IgnoredAny>(&payload) {
        Ok(_) if std::str::from_utf8(&payload).is_ok() => Ok(payload),
        Ok(_) => Err(say::bad_content("Could not parse request body into json: the body is not UTF-8")),
        Err(e) => Err(say::bad_content(format!("Could not parse request body into json: {e}"))),
    }
}

/// The client context's JSON text.
pub(super) fn client_context(header: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(header) = header.filter(|text| !text.is_empty()) else { return Ok(None) };
    let bad = || say::bad_content("Client context must be a valid Base64-encoded JSON object.");
    if header.len() > CONTEXT_MAX {
        return Err(bad());
    }
    let text =
        STANDARD.decode(header).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(bad()),
    }
}
