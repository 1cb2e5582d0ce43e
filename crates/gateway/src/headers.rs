//! Headers that are not the caller's to set, or not at that size.

use http::{HeaderMap, HeaderName, HeaderValue, Version, header, request::Parts};

use crate::strict::{Refusal, URL_BYTES};

/// What only the platform may say.
const INTERNAL: &str = "anyfn-internal-";
/// What only a proxy that the operator trusts may say.
const FORWARDED: [&str; 6] =
    ["forwarded", "x-real-ip", "true-client-ip", "x-client-ip", "x-original-url", "x-rewrite-url"];
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// Bytes of W3C Trace Context's headers and of W3C Baggage (its §3.3.2 promises 8,192). Over them they are dropped: a
/// trace is not worth a refusal.
const BOUNDED: [(&str, usize); 3] = [("traceparent", 512), ("tracestate", 512), ("baggage", 8192)];

/// Takes off what a caller may not say. `X-Amz-*` stays: those are the AWS dialect's parameters, under its signature.
pub(crate) fn clean(headers: &mut HeaderMap, trusted: bool) {
    if !trusted {
        let forged: Vec<HeaderName> =
            headers.keys().filter(|name| is_forged(name.as_str())).cloned().collect();
        for name in forged {
            headers.remove(name);
        }
    }
    for (name, most) in BOUNDED {
        if headers.get_all(name).iter().map(HeaderValue::len).sum::<usize>() > most {
            headers.remove(name);
        }
    }
}

fn is_forged(name: &str) -> bool {
    name.starts_with(INTERNAL) || name.starts_with(FORWARDED_PREFIX) || FORWARDED.contains(&name)
}

/// What `strict` asks of an HTTP/1.1 head and the HTTP/2 library does not ask of its own.
pub(crate) fn check_two(parts: &Parts, headers: usize) -> Result<(), Refusal> {
    if parts.version != Version::HTTP_2 {
        return Ok(());
    }
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > URL_BYTES {
        return Err(Refusal::URI);
    }
    if parts.headers.len() > headers {
        return Err(Refusal::too_large("headers"));
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let differs = match (host, parts.uri.authority()) {
        (None, None) => true,
        (Some(host), Some(named)) => !host.as_bytes().eq_ignore_ascii_case(named.as_str().as_bytes()),
        _ => false,
    };
    if differs || second.is_some() { Err(Refusal::bad("host")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
