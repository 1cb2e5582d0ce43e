//! Functions that speak HTTP themselves: requests and answers go through as they are, but for what speaks of one connection
//! and what only the platform may say.

use anyfn_core::{ReplyBody, ReplyHead};
use anyfn_types::HttpHead;
use anyfn_web::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::event::Asked;

#[cfg(test)]
mod tests;

/// Headers that speak about one connection, or that a caller could forge. The gateway has taken off `forwarded` headers of
/// peers that nobody trusts.
fn stays(name: &str) -> bool {
    const CONNECTION: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    CONNECTION.contains(&name)
        || matches!(name, "x-forwarded-proto" | "x-forwarded-port" | "x-forwarded-host" | "x-real-ip")
        || name.starts_with("x-anyfn-")
        || name.starts_with("anyfn-")
}

/// The request as the function sees it.
pub(super) fn head(asked: &Asked<'_>) -> HttpHead {
    let given = &asked.parts.headers;
    let named = connection_names(given);
    let signed = asked.account.is_some();
    let mut headers = Vec::with_capacity(given.len() + 4);
    let mut before: Option<Bytes> = None;
    for (name, value) in given {
        let text = name.as_str();
        // A signature is the platform's business and could be replayed.
        if stays(text) || named.iter().any(|n| n == text) || (signed && name == header::AUTHORIZATION) {
            continue;
        }
        let value = Bytes::copy_from_slice(value.as_bytes());
        if text == "x-forwarded-for" {
            before = Some(value);
        } else {
            headers.push((text.to_owned(), value));
        }
    }
    let peer = asked.peer.ip().to_canonical().to_string();
    let from =
        before.map_or_else(|| peer.clone().into(), |b| [&b, &b", "[..], peer.as_bytes()].concat().into());
    headers.push(("x-forwarded-for".to_owned(), from));
    headers.push(("x-forwarded-proto".to_owned(), Bytes::copy_from_slice(asked.scheme.as_bytes())));
    if let Some(host) = given.get(header::HOST) {
        headers.push(("x-forwarded-host".to_owned(), Bytes::copy_from_slice(host.as_bytes())));
    }
    let target = match asked.parts.uri.query() {
        Some(query) => format!("{}?{query}", asked.path),
        None => asked.path.to_owned(),
    };
    HttpHead { method: asked.parts.method.as_str().to_owned(), target, headers }
}

/// Headers that the caller's `Connection` header names: they end here too.
fn connection_names(headers: &http::HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|text| text.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// The answer as the function gave it. A header that cannot be sent is left out.
pub(super) fn response(head: ReplyHead, body: ReplyBody) -> Response {
    // The length of a body that is there is known better here; an empty one may stand for what HEAD asked about.
    let counted = matches!(&body, ReplyBody::Whole(bytes) if !bytes.is_empty()) || head.status == 204;
    let mut response = http::Response::new(match body {
        ReplyBody::Whole(bytes) => anyfn_web::full(bytes),
        ReplyBody::Stream { frames, .. } => anyfn_web::stream(frames),
    });
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.reserve(head.headers.len() + 4);
    for (name, value) in head.headers {
        if counted && name == "content-length" {
            continue;
        }
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_maybe_shared(value))
        {
            headers.append(name, value);
        }
    }
    response
}
