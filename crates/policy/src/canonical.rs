//! The canonical request (AWS, "Create a signed AWS API request"): one text for all spellings of the same request.

use std::fmt::Write as _;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::signature::Request;

/// How a path is spelled in the canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathForm {
    /// The path as sent is encoded once more; else it is decoded first.
    pub(crate) twice: bool,
    /// `.`, `..` and empty parts are resolved.
    pub(crate) normal: bool,
}

/// Everything but the payload's hash, which is its last line.
pub(crate) fn request(
    request: &Request<'_>,
    form: PathForm,
    signed: &[&str],
    payload: &str,
) -> Option<String> {
    let mut text = format!("{}\n{}\n{}\n", request.method, path(request.path, form), query(request.query));
    for name in signed {
        let _ = writeln!(text, "{name}:{}", header(request.headers, name)?);
    }
    let _ = write!(text, "\n{}\n{payload}", signed.join(";"));
    Some(text)
}

fn path(raw: &str, form: PathForm) -> String {
    let normal = if form.normal { normalized(raw) } else { raw.to_owned() };
    let normal = if normal.is_empty() { "/" } else { &normal };
    if form.twice {
        encode(normal.as_bytes(), true)
    } else {
        encode(&percent_decode_str(normal).collect::<Vec<_>>(), true)
    }
}

fn normalized(raw: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let slash = raw.ends_with('/') && !parts.is_empty();
    format!("/{}{}", parts.join("/"), if slash { "/" } else { "" })
}

/// Sorted by encoded name, then value. The signature's own parameter takes no part. `+` is a space: botocore sends it so
/// and signs `%20`.
fn query(raw: &str) -> String {
    let decoded = |text: &str| {
        let text = text.replace('+', "%20");
        encode(&percent_decode_str(&text).collect::<Vec<_>>(), false)
    };
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// All values of a header, joined by commas, runs of spaces made one. None if it is not there or no text.
fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        let text = std::str::from_utf8(value.as_bytes()).ok()?;
        values.push(text.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
    }
    (!values.is_empty()).then(|| values.join(","))
}

/// RFC 3986's unreserved characters stay; hex digits are upper case.
fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
