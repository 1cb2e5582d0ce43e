//! Answers in the words of each protocol: outputs here, failures in `error`, stream events in `event`.

pub(crate) mod error;
pub(crate) mod event;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::api::Target;
use crate::schema::{
    Kind, Location, Member, Namespace, Protocol, Service, ShapeId, Structure, TimestampFormat,
};
use crate::value::{Map, Value};
use crate::xml::Writer;
use crate::{cbor, json, scalar};

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// An answer under construction.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn new(service: &Service, protocol: Protocol, status: u16, request_id: &str) -> Self {
        let mut answer = Self { status, headers: HeaderMap::new(), body: Bytes::new() };
        if !request_id.is_empty() {
            let s3 = service.bare_xml_errors;
            answer.header(if s3 { "x-amz-request-id" } else { "x-amzn-requestid" }, request_id);
        }
        if protocol == Protocol::Cbor {
            answer.header("smithy-protocol", "rpc-v2-cbor");
        }
        answer
    }

    /// Text that cannot stand in a header is left out; the alternative is to let it break the answer apart.
    fn header(&mut self, name: &str, text: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(text.as_bytes()))
        {
            self.headers.append(name, value);
        }
    }

    /// Sets the content type unless a member of the output did.
    fn body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        if !self.headers.contains_key(CONTENT_TYPE) {
            self.header("content-type", content_type);
        }
        self.body = body.into();
    }

    fn finish(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        response
    }
}

/// Writes a success.
pub(crate) fn output(service: &Service, target: Target, output: &Value, request_id: &str) -> Response<Bytes> {
    let mut answer = Answer::new(service, target.protocol, target.operation.status, request_id);
    let empty = Map::new();
    let map = output.as_map().unwrap_or(&empty);
    let structure = target.operation.output.and_then(|id| service.shape(id).as_structure());
    if streams(service, structure) {
        answer.header("content-type", EVENT_STREAM);
    }
    match target.protocol {
        Protocol::RestJson | Protocol::RestXml => {
            if let Some(structure) = structure {
                place_members(service, structure, map, &mut answer);
            }
            rest_body(service, target, map, &mut answer);
        }
        Protocol::Json10 | Protocol::Json11 => {
            // An operation without output has an empty body.
            let body = structure.map(|_| json_members(service, structure, map)).unwrap_or_default();
            answer.body(content_type(target.protocol), body);
        }
        Protocol::Cbor => {
            // Here it has no content type either.
            if structure.is_some() {
                answer.body("application/cbor", cbor_members(service, structure, map));
            }
        }
        Protocol::Query | Protocol::Ec2 => {
            answer.body(content_type(target.protocol), query_output(service, target, map, request_id));
        }
    }
    answer.finish()
}

fn streams(service: &Service, structure: Option<&Structure>) -> bool {
    stream_shape(service, structure).is_some()
}

fn stream_shape(service: &Service, structure: Option<&Structure>) -> Option<&'static Structure> {
    structure?
        .members
        .iter()
        .filter_map(|member| service.shape(member.shape).as_structure())
        .find(|inner| inner.event_stream)
}

const fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::RestJson => "application/json",
        Protocol::RestXml => "application/xml",
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
        Protocol::Ec2 => "text/xml;charset=UTF-8",
        Protocol::Cbor => "application/cbor",
    }
}

/// Headers and the status of a rest answer.
fn place_members(service: &Service, structure: &Structure, map: &Map, answer: &mut Answer) {
    for member in structure.members {
        let Some(value) = map.get(member.name) else { continue };
        match (member.at, value) {
            (Location::Status, Value::Int(status)) => {
                answer.status = u16::try_from(*status).unwrap_or(answer.status);
            }
            (Location::Header, value) => {
                if let Some(text) = header_text(service, member, value) {
                    if member.wire_name().eq_ignore_ascii_case("content-type") {
                        answer.headers.remove(CONTENT_TYPE);
                    }
                    answer.header(member.wire_name(), &text);
                }
            }
            (Location::Headers, Value::Map(entries)) => {
                for (name, value) in entries {
                    if let Value::Str(text) = value {
                        answer.header(&format!("{}{name}", member.wire), text);
                    }
                }
            }
            _ => {}
        }
    }
}

fn header_text(service: &Service, member: &Member, value: &Value) -> Option<String> {
    if let (Kind::List(item), Value::List(items)) = (&service.shape(member.shape).kind, value) {
        let texts: Vec<String> = items
            .iter()
            .filter_map(|value| scalar::write(service, item, value, TimestampFormat::HttpDate))
            .map(|text| quote(service, item, text))
            .collect();
        return (!texts.is_empty()).then(|| texts.join(", "));
    }
    let text = scalar::write(service, member, value, TimestampFormat::HttpDate)?;
    Some(if member.json_value { STANDARD.encode(text) } else { text })
}

/// An item of a header's list is quoted where it holds what separates items.
fn quote(service: &Service, item: &Member, text: String) -> String {
    let is_text = matches!(service.shape(item.shape).kind, Kind::String);
    if is_text && text.contains([',', '"']) {
        return format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
    }
    text
}

fn rest_body(service: &Service, target: Target, map: &Map, answer: &mut Answer) {
    let output = target.operation.output;
    let Some(structure) = output.and_then(|id| service.shape(id).as_structure()) else { return };
    if let Some(member) = structure.payload_member() {
        if let Some(value) = map.get(member.name) {
            rest_payload(service, target.protocol, member, value, answer);
        }
        return;
    }
    let in_body = structure.members.iter().any(|member| member.at == Location::Body);
    // An output without any member is still a document in JSON.
    let document = in_body || structure.members.is_empty() && target.protocol == Protocol::RestJson;
    if answer.status == 204 || !document {
        return;
    }
    if target.protocol == Protocol::RestJson {
        answer.body("application/json", json_members(service, Some(structure), map));
    } else if let Some(id) = output {
        answer.body("application/xml", xml_root(service, id, map));
    }
}

/// The whole output as one document, named and placed in a namespace by its shape.
fn xml_root(service: &Service, id: ShapeId, map: &Map) -> Bytes {
    let shape = service.shape(id);
    let name = if shape.xml_name.is_empty() { shape.name } else { shape.xml_name };
    let mut root = Member::new("", id);
    let all = Namespace { prefix: "", uri: service.xml_namespace };
    root.xml_namespace = shape.xml_namespace.or(Some(all));
    let mut out = Writer::document();
    out.named_structure(service, &root, name, map);
    out.finish()
}

fn rest_payload(service: &Service, protocol: Protocol, member: &Member, value: &Value, answer: &mut Answer) {
    let shape = service.shape(member.shape);
    match (&shape.kind, value) {
        (_, Value::Null) => {}
        // Not base64: the bytes as they are.
        (Kind::Blob, Value::Blob(bytes)) => answer.body("application/octet-stream", bytes.clone()),
        (Kind::String, Value::Str(text)) => answer.body("text/plain", text.clone()),
        (Kind::Structure(inner), _) if inner.event_stream => {}
        _ if protocol == Protocol::RestXml => {
            let mut out = Writer::document();
            let own = if shape.xml_name.is_empty() { shape.name } else { shape.xml_name };
            let root = if member.wire.is_empty() { own } else { member.wire };
            out.named(service, member, root, value);
            answer.body("application/xml", out.finish());
        }
        _ => {
            let mut out = String::new();
            json::write(service, member, value, &mut out);
            answer.body("application/json", out);
        }
    }
}

/// The members that belong into a JSON body. In the RPC protocols that is all but the event stream.
fn json_members(service: &Service, structure: Option<&Structure>, map: &Map) -> String {
    let mut out = String::new();
    json::write_members(service, body_members(service, structure, map).into_iter(), &mut out);
    out
}

fn cbor_members(service: &Service, structure: Option<&Structure>, map: &Map) -> Vec<u8> {
    let mut out = Vec::new();
    cbor::write_members(service, &body_members(service, structure, map), &mut out);
    out
}

fn body_members<'a>(
    service: &Service,
    structure: Option<&Structure>,
    map: &'a Map,
) -> Vec<(&'static Member, &'a Value)> {
    let members: &'static [Member] = structure.map_or(&[], |structure| structure.members);
    let streams =
        |member: &Member| service.shape(member.shape).as_structure().is_some_and(|s| s.event_stream);
    members
        .iter()
        .filter(|member| member.at == Location::Body && !streams(member))
        .filter_map(|member| Some((member, map.get(member.name)?)))
        .collect()
}

fn query_output(service: &Service, target: Target, map: &Map, request_id: &str) -> Bytes {
    let operation = target.operation;
    let structure = operation.output.and_then(|id| service.shape(id).as_structure());
    let mut out = Writer::document();
    let xmlns = [("xmlns".to_owned(), service.xml_namespace.to_owned())];
    out.element(&format!("{}Response", operation.name), &xmlns, |out| {
        if target.protocol == Protocol::Ec2 {
            if let Some(structure) = structure {
                out.members(service, structure, map);
            }
            out.element("requestId", &[], |out| out.text(request_id));
            return;
        }
        if let Some(structure) = structure {
            let name = format!("{}Result", operation.name);
            let name = if operation.result_wrapper.is_empty() { &name } else { operation.result_wrapper };
            out.element(name, &[], |out| out.members(service, structure, map));
        }
        out.element("ResponseMetadata", &[], |out| {
            out.element("RequestId", &[], |out| out.text(request_id));
        });
    });
    out.finish()
}
