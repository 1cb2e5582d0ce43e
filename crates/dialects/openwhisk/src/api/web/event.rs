//! A web request as parameters.

use anyfn_web::Request;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::super::query::Query;
use crate::{
    calls::Found,
    fault::{Fault, Result},
    model::flag,
};

const RESERVED: [&str; 6] =
    ["__ow_method", "__ow_headers", "__ow_path", "__ow_user", "__ow_query", "__ow_body"];

/// The type without its parameters, in lower case.
fn media(request: &Request) -> String {
    let text =
        request.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn textual(media: &str) -> bool {
    let known = [
        "application/json",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/javascript",
    ];
    media.is_empty()
        || media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || known.contains(&media)
}

/// Text as it is, anything else in base64.
fn opaque(request: &Request, media: &str) -> Value {
    match std::str::from_utf8(&request.body) {
        Ok(text) if textual(media) => text.into(),
        _ => STANDARD.encode(&request.body).into(),
    }
}

/// # Errors
/// The request names what it may not.
pub(super) fn event(
    request: &Request,
    query: &Query,
    found: &Found,
    user: Option<String>,
    path: &str,
) -> Result<Map<String, Value>> {
    let annotations = &found.meta.annotations;
    let media = media(request);
    let mut event = Map::new();
    if flag(annotations, "raw-http") {
        event.insert("__ow_query".to_owned(), request.parts.uri.query().unwrap_or_default().into());
        event.insert("__ow_body".to_owned(), opaque(request, &media));
    } else {
        let mut given = query.object();
        given.extend(body(request, &media, &mut event)?);
        let fixed = flag(annotations, "final");
        let mine = |key: &String| {
            RESERVED.contains(&key.as_str())
                || (fixed && found.meta.parameters.iter().chain(&found.parameters).any(|one| one.key == *key))
        };
        if given.keys().any(mine) {
            let text = "Request defines parameters that are not allowed (e.g., reserved properties).";
            return Err(Fault::invalid(text));
        }
        event.extend(given);
    }
    event.insert("__ow_method".to_owned(), request.parts.method.as_str().to_ascii_lowercase().into());
    let mut headers = Map::new();
    for (name, value) in &request.parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.insert(name.as_str().to_owned(), value.into());
    }
    event.insert("__ow_headers".to_owned(), headers.into());
    event.insert("__ow_path".to_owned(), path.into());
    if let Some(user) = user {
        event.insert("__ow_user".to_owned(), user.into());
    }
    Ok(event)
}

/// Parameters from a body; what has no names goes into `__ow_body`.
fn body(request: &Request, media: &str, event: &mut Map<String, Value>) -> Result<Map<String, Value>> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    match media {
        "" | "application/json" => match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Object(given)) => Ok(given),
            Ok(other) => {
                event.insert("__ow_body".to_owned(), other);
                Ok(Map::new())
            }
            Err(e) => Err(Fault::invalid(format!("The request content was malformed:\n{e}"))),
        },
        "application/x-www-form-urlencoded" => {
            Ok(Query::parse(&String::from_utf8_lossy(&request.body)).object())
        }
        media => {
            event.insert("__ow_body".to_owned(), json!(opaque(request, media)));
            Ok(Map::new())
        }
    }
}
