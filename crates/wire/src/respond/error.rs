//! Failures: modelled errors with their members, all others with a message.

use bytes::Bytes;
use http::Response;

use super::{Answer, body_members, content_type, place_members};
use crate::error::ServiceError;
use crate::schema::{Member, Protocol, Service, Structure};
use crate::value::{Map, Value};
use crate::xml::Writer;
use crate::{cbor, json};

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
pub(crate) fn write(
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
    if service.query_compatible && matches!(protocol, Protocol::Json10 | Protocol::Json11 | Protocol::Cbor) {
        let (fault, status) = if error.sender { ("Sender", 400) } else { ("Receiver", 500) };
        answer.header("x-amzn-query-error", &format!("{};{fault}", error.code));
        // The model's status is the one of the query protocol.
        answer.status = if said.structure.is_some() { status } else { error.status };
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
