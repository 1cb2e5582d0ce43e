//! A result as a page.

use anyfn_web::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use crate::fault::{Fault, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    Http,
    Json,
    Html,
    Text,
    Svg,
}

impl Extension {
    /// `hello.json` asks for JSON; without an extension the action says all of it.
    pub(super) fn split(action: &str) -> (Self, &str) {
        let known = |end: &str| {
            Some(match end {
                "http" => Self::Http,
                "json" => Self::Json,
                "html" => Self::Html,
                "text" => Self::Text,
                "svg" => Self::Svg,
                _ => return None,
            })
        };
        let found = action.rsplit_once('.').and_then(|(name, end)| Some((known(end)?, name)));
        found.unwrap_or((Self::Http, action))
    }

    /// Where a result has it unless the path says.
    fn field(self) -> Option<&'static str> {
        match self {
            Self::Http | Self::Json => None,
            Self::Html => Some("html"),
            Self::Text => Some("text"),
            Self::Svg => Some("svg"),
        }
    }
}

fn invalid(media: &str) -> Fault {
    Fault::invalid(format!("Response is not valid '{media}'."))
}

pub(super) fn shaped(extension: Extension, result: &Value, below: &[&str]) -> Result<Response> {
    if extension == Extension::Http {
        return http(result);
    }
    let below: Vec<&str> = below.iter().copied().filter(|part| !part.is_empty()).collect();
    let mut value = Some(result);
    if below.is_empty() {
        // A page that failed is shown as it is.
        if let (Some(field), true) = (extension.field(), result.is_object()) {
            value = result.get(field);
        }
    } else {
        value = below.iter().try_fold(result, |at, part| at.get(part));
    }
    let missing = || Fault::new(StatusCode::NOT_FOUND, "Response does not include requested property.");
    let value = value.ok_or_else(missing)?;
    let text = |kind: &'static str, text: &str| Ok(anyfn_web::text(StatusCode::OK, kind, text.to_owned()));
    match (extension, value) {
        (Extension::Json, Value::Object(_) | Value::Array(_)) => Ok(anyfn_web::json(StatusCode::OK, value)),
        (Extension::Json, _) => Err(invalid("application/json")),
        (Extension::Html, Value::String(page)) => text("text/html; charset=utf-8", page),
        (Extension::Html, _) => Err(invalid("text/html")),
        (Extension::Svg, Value::String(page)) => text("image/svg+xml", page),
        (Extension::Svg, _) => Err(invalid("image/svg+xml")),
        (_, Value::String(page)) => text("text/plain; charset=utf-8", page),
        (_, other) => {
            text("text/plain; charset=utf-8", &serde_json::to_string_pretty(other).unwrap_or_default())
        }
    }
}

/// `{statusCode, headers, body}`.
fn http(result: &Value) -> Result<Response> {
    let invalid = || invalid("message/http");
    let fields = result.as_object().ok_or_else(invalid)?;
    let code = match fields.get("statusCode") {
        None => None,
        Some(code) => {
            let number = code.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 200);
            Some(number.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(invalid)?)
        }
    };
    let mut headers = Vec::new();
    for (name, value) in fields.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            headers.push((name.clone(), HeaderValue::try_from(text).map_err(|_| invalid())?));
        }
    }
    let kind = headers.iter().find(|(name, _)| *name == CONTENT_TYPE).map(|(_, value)| value.clone());
    let media = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let (body, default) = match fields.get("body") {
        None | Some(Value::Null) => (Bytes::new(), None),
        Some(Value::String(text)) if text.is_empty() => (Bytes::new(), None),
        Some(Value::String(text)) if is_binary(&media) => {
            (STANDARD.decode(text).map_err(|_| invalid())?.into(), None)
        }
        Some(Value::String(text)) => (text.clone().into(), Some("text/html; charset=utf-8")),
        Some(json) => (json.to_string().into(), Some("application/json")),
    };
    let empty = if body.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::OK };
    let mut response = http::Response::new(anyfn_web::full(body));
    *response.status_mut() = code.unwrap_or(empty);
    if let (None, Some(default)) = (kind, default) {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(default));
    }
    for (name, value) in headers {
        // Framing is the gateway's.
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

/// Media types whose bodies are sent as base64.
fn is_binary(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim();
    let text = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/x-www-form-urlencoded",
        "image/svg+xml",
        "application/graphql",
        "application/rtf",
        "message/http",
    ];
    !(media.is_empty()
        || media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || text.contains(&media))
}

#[cfg(test)]
mod tests;
