//! Frames of an output's event stream.

use bytes::Bytes;

use super::{cbor_members, content_type, json_members, stream_shape};
use crate::api::Target;
use crate::eventstream::{HeaderValue, Message};
use crate::schema::{Member, Protocol, Service, ShapeId, Structure};
use crate::value::{Map, Value};
use crate::{cbor, json};

/// One event of the output's stream.
pub(crate) fn write(service: &Service, target: Target, name: &str, value: &Value) -> Option<Bytes> {
    let output = target.operation.output.and_then(|id| service.shape(id).as_structure());
    let member = stream_shape(service, output)?.member(name)?;
    let shape = service.shape(member.shape).as_structure()?;
    let map = value.as_map()?;
    let format = if target.protocol == Protocol::Cbor { "application/cbor" } else { "application/json" };
    let payload = shape.members.iter().find(|member| member.event_payload);
    let (format, payload) = match payload.and_then(|payload| map.get(payload.name)) {
        Some(Value::Blob(bytes)) => ("application/octet-stream", bytes.clone()),
        Some(Value::Str(text)) => ("text/plain", Bytes::from(text.clone())),
        Some(value) => (format, document(service, target.protocol, payload, value)),
        None => (format, document(service, target.protocol, Some(member), &without_headers(shape, map))),
    };
    let mut message = if shape.error.is_some() {
        Message::exception(name, format, payload)
    } else {
        Message::event(name, format, payload)
    };
    for header in shape.members.iter().filter(|member| member.event_header) {
        message
            .headers
            .extend(map.get(header.name).and_then(|v| Some((header.name.to_owned(), event_header(v)?))));
    }
    message.encode().ok()
}

fn without_headers(shape: &Structure, map: &Map) -> Value {
    let in_body = |name: &str| shape.member(name).is_some_and(|member| !member.event_header);
    Value::Map(map.iter().filter(|(name, _)| in_body(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
}

fn event_header(value: &Value) -> Option<HeaderValue> {
    Some(match value {
        Value::Bool(value) => HeaderValue::Bool(*value),
        Value::Int(value) => i32::try_from(*value).map_or(HeaderValue::Long(*value), HeaderValue::Int),
        Value::Blob(bytes) => HeaderValue::Blob(bytes.clone()),
        Value::Str(text) => HeaderValue::Str(text.clone()),
        Value::Timestamp(at) => HeaderValue::Timestamp(at.millis()),
        Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

fn document(service: &Service, protocol: Protocol, member: Option<&Member>, value: &Value) -> Bytes {
    // An id that no shape has: the value is written as it is.
    const ANY: Member = Member::new("", ShapeId::MAX);
    let member = member.unwrap_or(&ANY);
    if protocol == Protocol::Cbor {
        let mut out = Vec::new();
        cbor::write(service, member, value, &mut out);
        return Bytes::from(out);
    }
    let mut out = String::new();
    json::write(service, member, value, &mut out);
    Bytes::from(out)
}

/// The frame that begins a stream in the RPC protocols.
pub(crate) fn initial(service: &Service, target: Target, output: &Value) -> Option<Bytes> {
    let structure = target.operation.output.and_then(|id| service.shape(id).as_structure());
    let map = output.as_map()?;
    let message = if target.protocol == Protocol::Cbor {
        let body = cbor_members(service, structure, map);
        Message::event("initial-response", "application/cbor", Bytes::from(body))
    } else {
        let body = json_members(service, structure, map);
        Message::event("initial-response", content_type(target.protocol), Bytes::from(body))
    };
    message.encode().ok()
}
