//! What a function returned as an HTTP answer: payload format 2.0, or inferred where it names no status.

use anyfn_types::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// The prelude of a streamed answer ends with this.
pub(crate) const PRELUDE_END: [u8; 8] = [0; 8];
/// A prelude may be this long.
pub(crate) const PRELUDE_MAX: usize = 64 * 1024;
/// The content type that says a stream begins with a prelude.
pub(crate) const PRELUDE_TYPE: &str = "application/vnd.awslambda.http-integration-response";

/// Status and headers of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

fn malformed(why: impl Into<String>) -> Error {
    Error::invalid("url_answer_malformed", why).blame(anyfn_types::Blame::Function)
}

/// The answer behind a payload. An error names what is wrong with it, for the log; the caller gets a 502.
pub(crate) fn read(payload: &Bytes) -> Result<(Head, Bytes), Error> {
    let inferred = |body: Bytes| Ok((Head::new("application/json"), body));
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return inferred(payload.clone()) };
    match value {
        Value::String(text) => inferred(text.into()),
        Value::Object(map) if map.contains_key("statusCode") => {
            let head = head(&map)?;
            Ok((head, body(&map)?))
        }
        _ => inferred(payload.clone()),
    }
}

/// The head that a stream's prelude names.
pub(crate) fn read_prelude(prelude: &[u8]) -> Result<Head, Error> {
    let map: Map<String, Value> = serde_json::from_slice(prelude)
        .map_err(|e| malformed(format!("the prelude is no JSON object: {e}")))?;
    head(&map)
}

/// Where the prelude ends and the body begins.
pub(crate) fn prelude_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(PRELUDE_END.len()).position(|window| window == PRELUDE_END)
}

impl Head {
    pub(crate) fn new(content_type: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status: StatusCode::OK, headers }
    }

    fn put(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| malformed(format!("{name:?} is no name of a header")))?;
        // Framing is the server's; a function that sets it could make one answer look like two.
        const FRAMING: [&str; 7] =
            ["transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"];
        if FRAMING.contains(&name.as_str()) {
            return Err(malformed(format!("a function may not set the header {name}")));
        }
        // Its own idea of the length is not needed and may be wrong.
        if name == header::CONTENT_LENGTH {
            return Ok(());
        }
        let value = HeaderValue::from_str(value)
            .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
            .map_err(|_| malformed(format!("the value of the header {name} cannot be sent")))?;
        self.headers.append(name, value);
        Ok(())
    }
}

fn head(map: &Map<String, Value>) -> Result<Head, Error> {
    let mut head = Head { status: status(map.get("statusCode"))?, headers: HeaderMap::new() };
    for field in ["headers", "multiValueHeaders"] {
        match map.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(headers)) => {
                for (name, value) in headers {
                    each(value, &mut |text| head.put(name, text))?;
                }
            }
            Some(_) => return Err(malformed(format!("`{field}` is no object"))),
        }
    }
    match map.get("cookies") {
        None | Some(Value::Null) => {}
        Some(cookies @ Value::Array(_)) => each(cookies, &mut |text| head.put("set-cookie", text))?,
        Some(_) => return Err(malformed("`cookies` is no list")),
    }
    let json = HeaderValue::from_static("application/json");
    head.headers.entry(header::CONTENT_TYPE).or_insert(json);
    Ok(head)
}

/// 200..=599. A final answer cannot have a status below 200.
fn status(value: Option<&Value>) -> Result<StatusCode, Error> {
    let number = match value {
        None | Some(Value::Null) => Some(200),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let number = number.filter(|n| (200..=599).contains(n)).and_then(|n| u16::try_from(n).ok());
    number
        .and_then(|n| StatusCode::from_u16(n).ok())
        .ok_or_else(|| malformed(format!("`statusCode` is {}", value.unwrap_or(&Value::Null))))
}

/// Every text of a header's value: a scalar, or a list of scalars.
fn each(value: &Value, take: &mut impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
    match value {
        Value::String(text) => take(text),
        Value::Number(_) | Value::Bool(_) => take(&value.to_string()),
        Value::Array(all) if all.iter().all(|v| !v.is_array()) => all.iter().try_for_each(|v| each(v, take)),
        Value::Null => Ok(()),
        Value::Array(_) | Value::Object(_) => Err(malformed("a header's value is no text")),
    }
}

fn body(map: &Map<String, Value>) -> Result<Bytes, Error> {
    let encoded = map.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
    match map.get("body") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(Value::String(text)) if encoded => {
            let bytes = STANDARD.decode(text).map_err(|e| malformed(format!("`body` is no base64: {e}")))?;
            Ok(bytes.into())
        }
        Some(Value::String(text)) => Ok(text.clone().into()),
        Some(_) => Err(malformed("`body` is no text")),
    }
}
