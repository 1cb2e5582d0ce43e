//! A request at a function's own address as the event that the function gets: payload format 2.0 of function URLs
//! (AWS Lambda's guide, "Request and response payloads").

use std::net::SocketAddr;

use anyfn_base::iso_millis;
use anyfn_types::{InvocationId, Millis, TraceContext};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::trace;

#[cfg(test)]
mod tests;

/// What an event is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a Bytes,
    /// The path below the address, beginning with `/`, as it came.
    pub(crate) path: &'a str,
    pub(crate) url_id: &'a str,
    pub(crate) peer: SocketAddr,
    /// `http` or `https`, and the port that the caller used.
    pub(crate) scheme: &'a str,
    pub(crate) port: u16,
    pub(crate) id: InvocationId,
    pub(crate) trace: &'a TraceContext,
    pub(crate) now: Millis,
    /// The caller's account where the address asks for a signature.
    pub(crate) account: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    query_string_parameters: Map<String, Value>,
    request_context: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

/// The event's JSON.
pub(crate) fn event(asked: &Asked<'_>) -> Bytes {
    let headers = &asked.parts.headers;
    let query = asked.parts.uri.query().unwrap_or_default();
    let (body, is_base64_encoded) = body(headers, asked.body);
    let event = Event {
        version: "2.0",
        route_key: "$default",
        raw_path: asked.path,
        raw_query_string: query,
        cookies: cookies(headers),
        headers: event_headers(asked),
        query_string_parameters: parameters(query),
        request_context: context(asked),
        body,
        is_base64_encoded,
    };
    // A struct of strings cannot fail to serialize.
    serde_json::to_vec(&event).unwrap_or_default().into()
}

fn context(asked: &Asked<'_>) -> Value {
    let headers = &asked.parts.headers;
    let text = |name: &str| headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let domain = asked.parts.uri.authority().map(ToString::to_string).or_else(|| text("host"));
    let mut context = json!({
        "accountId": asked.account.unwrap_or("anonymous"),
        "apiId": asked.url_id,
        "domainName": domain.unwrap_or_default(),
        "domainPrefix": asked.url_id,
        "http": {
            "method": asked.parts.method.as_str(),
            "path": asked.path,
            "protocol": format!("{:?}", asked.parts.version),
            "sourceIp": asked.peer.ip().to_canonical().to_string(),
            "userAgent": text("user-agent").unwrap_or_default(),
        },
        "requestId": asked.id.uuid(),
        "routeKey": "$default",
        "stage": "$default",
        "time": common_log_time(asked.now),
        "timeEpoch": asked.now,
    });
    if let Some(account) = asked.account {
        context["authorizer"] = json!({ "iam": {
            "accessKey": asked.key.unwrap_or_default(),
            "accountId": account,
            "callerId": account,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": format!("arn:aws:iam::{account}:root"),
            "userId": account,
        }});
    }
    context
}

/// `12/Mar/2020:19:03:58 +0000`.
fn common_log_time(at: Millis) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = iso_millis(at);
    let part = |range: std::ops::Range<usize>| iso.get(range).unwrap_or_default().to_owned();
    let month = part(5..7).parse::<usize>().ok().and_then(|m| MONTHS.get(m.wrapping_sub(1)));
    format!("{}/{}/{}:{} +0000", part(8..10), month.unwrap_or(&"Jan"), part(0..4), part(11..19))
}

/// Headers that speak about one connection, or that only the platform may set.
fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "connection",
        "cookie",
        "forwarded",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-real-ip",
        "host",
    ];
    const PREFIXES: [&str; 5] = ["x-forwarded-", "x-amzn-", "x-amz-", "x-anyfn-", "anyfn-"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn event_headers(asked: &Asked<'_>) -> Map<String, Value> {
    let headers = &asked.parts.headers;
    let signed = asked.account.is_some();
    let mut out = Map::new();
    // A signature is the platform's business and could be replayed.
    let kept_back = |name: &str| is_ours(name) || (signed && name == "authorization");
    for name in headers.keys().map(http::HeaderName::as_str).filter(|name| !kept_back(name)) {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
        out.insert(name.to_owned(), values.join(",").into());
    }
    let host = headers.get("host").map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let host = host.or_else(|| asked.parts.uri.authority().map(ToString::to_string));
    if let Some(host) = host {
        out.insert("host".into(), host.into());
    }
    out.insert("x-amzn-trace-id".into(), trace::header(asked.trace).into());
    out.insert("x-forwarded-for".into(), asked.peer.ip().to_canonical().to_string().into());
    out.insert("x-forwarded-port".into(), asked.port.to_string().into());
    out.insert("x-forwarded-proto".into(), asked.scheme.into());
    out
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all("cookie").iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    all.flat_map(|line| line.split(';').map(|c| c.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Decoded; values of one name joined by commas.
fn parameters(query: &str) -> Map<String, Value> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut out: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        match out.get_mut(&name) {
            Some(Value::String(all)) => {
                all.push(',');
                all.push_str(&value);
            }
            _ => _ = out.insert(name, value.into()),
        }
    }
    out
}

/// Text if its type says so and it is UTF-8; else base64.
fn body(headers: &HeaderMap, body: &Bytes) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    match std::str::from_utf8(body) {
        Ok(text) if is_text(kind) && !headers.contains_key("content-encoding") => {
            (Some(text.to_owned()), false)
        }
        _ => (Some(STANDARD.encode(body)), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let names = ["application/json", "application/javascript", "application/xml"];
    kind.starts_with("text/")
        || names.contains(&kind.as_str())
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}
