//! Answers: outputs, errors and stream events in the words of each protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::api::Target;
use crate::error::ServiceError;
use crate::eventstream::Message;
use crate::schema::{Kind, Location, Member, Protocol, Service, Structure, TimestampFormat};
use crate::value::{Map, Value};
use crate::xml::{Writer, namespace};
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
            answer.body(content_type(target.protocol), json_members(service, structure, map));
        }
        Protocol::Cbor => {
            // An operation without output has an empty body and no content type.
            if structure.is_some() {
                answer.body("application/cbor", cbor_members(service, structure, map));
            }
        }
        Protocol::Query | Protocol::Ec2 => {
            answer.body("text/xml", query_output(service, target, map, request_id));
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
        Protocol::Query | Protocol::Ec2 => "text/xml",
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
    if answer.status == 204 || !in_body && target.protocol == Protocol::RestXml {
        return;
    }
    if target.protocol == Protocol::RestJson {
        answer.body("application/json", json_members(service, Some(structure), map));
        return;
    }
    let shape = output.map(|id| service.shape(id));
    let (name, own) = shape.map_or(("", None), |shape| (shape.xml_name, shape.xml_namespace));
    let name = if name.is_empty() { shape.map_or("", |shape| shape.name) } else { name };
    let uri = own.map_or(service.xml_namespace, |namespace| namespace.uri);
    let mut attributes = vec![("xmlns".to_owned(), uri.to_owned())];
    attributes.extend(output.map(|id| namespace(service, &Member::new("", id))).unwrap_or_default());
    attributes.dedup_by(|a, b| a.0 == b.0);
    let mut out = Writer::document();
    out.element(name, &attributes, |out| out.members(service, structure, map));
    answer.body("application/xml", out.finish());
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

/// An error with its members by the model's names, the message among them.
struct Said<'a> {
    error: &'a ServiceError,
    structure: Option<&'static Structure>,
    members: Map,
}

impl<'a> Said<'a> {
    fn new(service: &Service, error: &'a ServiceError) -> Self {
        let structure = service.shape_named(error.shape).and_then(|shape| shape.as_structure());
        let mut members: Map =
            error.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let message = structure.and_then(|structure| {
            structure.members.iter().find(|member| member.name.eq_ignore_ascii_case("message"))
        });
        if let (Some(member), false) = (message, error.message.is_empty()) {
            members.insert(member.name.to_owned(), Value::from(error.message.as_str()));
        }
        Self { error, structure, members }
    }

    /// The message, where the shape has no place of its own for it.
    fn loose_message(&self) -> Option<&'a str> {
        let placed = self.members.keys().any(|name| name.eq_ignore_ascii_case("message"));
        (!placed && !self.error.message.is_empty()).then_some(self.error.message.as_str())
    }

    fn body(&self, service: &Service) -> Vec<(&'static Member, &Value)> {
        body_members(service, self.structure, &self.members)
    }
}

/// Writes a failure.
pub(crate) fn error(
    service: &Service,
    protocol: Protocol,
    error: &ServiceError,
    request_id: &str,
) -> Response<Bytes> {
    let mut answer = Answer::new(service, protocol, error.status, request_id);
    let said = Said::new(service, error);
    if let (true, Some(structure)) = (protocol.is_rest(), said.structure) {
        place_members(service, structure, &said.members, &mut answer);
        answer.status = error.status;
    }
    if service.query_compatible && !protocol.is_rest() {
        let fault = if error.sender { "Sender" } else { "Receiver" };
        answer.header("x-amzn-query-error", &format!("{};{fault}", error.code));
    }
    match protocol {
        Protocol::RestJson => {
            answer.header("x-amzn-errortype", &error.code);
            answer.body("application/json", error_json(service, &said, None));
        }
        Protocol::Json10 | Protocol::Json11 => {
            answer.body(content_type(protocol), error_json(service, &said, Some(type_name(service, error))));
        }
        Protocol::Cbor => answer.body("application/cbor", error_cbor(service, &said)),
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => {
            answer.body(content_type(protocol), error_xml(service, protocol, &said, request_id));
        }
    }
    answer.finish()
}

/// What `__type` says: the shape where there is one, because a query-compatible code may differ from it.
fn type_name<'a>(service: &Service, error: &'a ServiceError) -> &'a str {
    if service.query_compatible && !error.shape.is_empty() { error.shape } else { &error.code }
}

fn error_json(service: &Service, said: &Said<'_>, kind: Option<&str>) -> String {
    let mut out = String::new();
    json::write_members(service, said.body(service).into_iter(), &mut out);
    let mut before = String::from("{");
    let mut extra = |name: &str, text: &str| {
        before.push_str(if before.len() > 1 { ",\"" } else { "\"" });
        before.push_str(name);
        before.push_str("\":");
        json::write_any(&Value::from(text), &mut before);
    };
    if let Some(kind) = kind {
        extra("__type", kind);
    }
    if let Some(message) = said.loose_message() {
        extra("message", message);
    }
    if before.len() > 1 && out != "{}" {
        before.push(',');
    }
    out.replace_range(..1, &before);
    out
}

fn error_cbor(service: &Service, said: &Said<'_>) -> Vec<u8> {
    const TYPE: Member = Member::new("__type", 0);
    const MESSAGE: Member = Member::new("message", 0);
    let kind = Value::from(type_name(service, said.error));
    let message = said.loose_message().map(Value::from);
    let mut all = vec![(&TYPE, &kind)];
    all.extend(message.as_ref().map(|message| (&MESSAGE, message)));
    all.extend(said.body(service));
    let mut out = Vec::new();
    cbor::write_members(service, &all, &mut out);
    out
}

fn error_xml(service: &Service, protocol: Protocol, said: &Said<'_>, request_id: &str) -> Bytes {
    let mut out = Writer::document();
    let fields = |out: &mut Writer| {
        if protocol != Protocol::Ec2 && !service.bare_xml_errors {
            let fault = if said.error.sender { "Sender" } else { "Receiver" };
            out.element("Type", &[], |out| out.text(fault));
        }
        out.element("Code", &[], |out| out.text(&said.error.code));
        // These protocols spell it with a capital, whatever the model says.
        if !said.error.message.is_empty() {
            out.element("Message", &[], |out| out.text(&said.error.message));
        }
        for (member, value) in said.body(service) {
            if !member.name.eq_ignore_ascii_case("message") {
                out.named(service, member, member.wire_name(), value);
            }
        }
    };
    let id = |out: &mut Writer, name: &str| out.element(name, &[], |out| out.text(request_id));
    let xmlns = [("xmlns".to_owned(), service.xml_namespace.to_owned())];
    match protocol {
        Protocol::Ec2 => out.element("Response", &[], |out| {
            out.element("Errors", &[], |out| out.element("Error", &[], fields));
            id(out, "RequestID");
        }),
        _ if service.bare_xml_errors => out.element("Error", &[], |out| {
            fields(out);
            id(out, "RequestId");
        }),
        _ => out.element("ErrorResponse", &xmlns, |out| {
            out.element("Error", &[], fields);
            id(out, "RequestId");
        }),
    }
    out.finish()
}

/// One event of the output's stream.
pub(crate) fn event(service: &Service, target: Target, name: &str, value: &Value) -> Option<Bytes> {
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

fn event_header(value: &Value) -> Option<crate::eventstream::HeaderValue> {
    use crate::eventstream::HeaderValue as Header;
    Some(match value {
        Value::Bool(value) => Header::Bool(*value),
        Value::Int(value) => i32::try_from(*value).map_or(Header::Long(*value), Header::Int),
        Value::Blob(bytes) => Header::Blob(bytes.clone()),
        Value::Str(text) => Header::Str(text.clone()),
        Value::Timestamp(at) => Header::Timestamp(at.millis()),
        Value::Null | Value::Float(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

fn document(service: &Service, protocol: Protocol, member: Option<&Member>, value: &Value) -> Bytes {
    const ANY: Member = Member::new("", ShapeIdMax::VALUE);
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

/// An id that no shape has.
struct ShapeIdMax;

impl ShapeIdMax {
    const VALUE: crate::schema::ShapeId = crate::schema::ShapeId::MAX;
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
