//! Requests of the rest protocols: labels, query parameters, headers, and the payload or body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

use crate::error::ServiceError;
use crate::fit::{Format, fit, fit_structure};
use crate::route::Matched;
use crate::schema::{Kind, Location, Member, Protocol, Service, Structure, TimestampFormat};
use crate::value::{Map, Value};
use crate::{json, scalar, xml};

/// What a rest request consists of.
pub(crate) struct Request<'a> {
    pub(crate) matched: &'a Matched,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
}

/// The input of the matched operation.
pub(crate) fn decode(
    service: &Service,
    protocol: Protocol,
    request: Request<'_>,
) -> Result<Value, ServiceError> {
    let Some(id) = request.matched.operation.input else { return Ok(Value::empty()) };
    let Some(structure) = service.shape(id).as_structure() else { return Ok(Value::empty()) };
    let mut input = Map::new();
    for member in structure.members {
        let value = match member.at {
            Location::Label => label(service, member, request.matched)?,
            Location::Query => query(service, member, request.query)?,
            Location::Header => header(service, member, request.headers)?,
            Location::Headers => prefixed(service, member, request.headers),
            Location::Body | Location::Status => None,
        };
        if let Some(value) = value {
            input.insert(member.name.to_owned(), value);
        }
    }
    body(service, protocol, structure, request.body, &mut input)?;
    Ok(Value::Map(input))
}

fn label(service: &Service, member: &Member, matched: &Matched) -> Result<Option<Value>, ServiceError> {
    let text = matched.labels.iter().find(|(name, _)| *name == member.wire_name());
    text.map(|(_, text)| scalar::read(service, member, text, TimestampFormat::DateTime)).transpose()
}

fn query(
    service: &Service,
    member: &Member,
    pairs: &[(String, String)],
) -> Result<Option<Value>, ServiceError> {
    let named = || pairs.iter().filter(|(name, _)| name == member.wire_name()).map(|(_, text)| text.as_str());
    let read = |member: &Member, text: &str| scalar::read(service, member, text, TimestampFormat::DateTime);
    match &service.shape(member.shape).kind {
        Kind::List(item) => {
            let items = named().map(|text| read(item, text)).collect::<Result<Vec<_>, _>>()?;
            Ok((!items.is_empty()).then_some(Value::List(items)))
        }
        Kind::Map(_, item) => {
            let mut map = Map::new();
            // All parameters, the ones with members of their own too.
            for (name, text) in pairs {
                if let Kind::List(each) = &service.shape(item.shape).kind {
                    let value = read(each, text)?;
                    match map.entry(name.clone()).or_insert_with(|| Value::List(Vec::new())) {
                        Value::List(items) => items.push(value),
                        other => *other = value,
                    }
                } else {
                    // The first of several wins.
                    let value = read(item, text)?;
                    map.entry(name.clone()).or_insert(value);
                }
            }
            Ok((!map.is_empty()).then_some(Value::Map(map)))
        }
        _ => named().next().map(|text| read(member, text)).transpose(),
    }
}

fn header(service: &Service, member: &Member, headers: &HeaderMap) -> Result<Option<Value>, ServiceError> {
    let texts: Vec<String> = headers
        .get_all(member.wire_name())
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .collect();
    if texts.is_empty() {
        return Ok(None);
    }
    let text = texts.join(",");
    if let Kind::List(item) = &service.shape(member.shape).kind {
        if text.is_empty() {
            return Ok(Some(Value::List(Vec::new())));
        }
        let items = split_list(service, item, &text)
            .iter()
            .map(|text| scalar::read(service, item, text, TimestampFormat::HttpDate))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Some(Value::List(items)));
    }
    if member.json_value {
        let text = STANDARD.decode(&text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text =
            text.ok_or_else(|| ServiceError::serialization(format!("{} is not base64", member.name)))?;
        return Ok(Some(Value::Str(text)));
    }
    scalar::read(service, member, &text, TimestampFormat::HttpDate).map(Some)
}

/// Splits a header's list at commas. Dates have a comma of their own; texts may be quoted.
fn split_list(service: &Service, item: &Member, text: &str) -> Vec<String> {
    let dates = match &service.shape(item.shape).kind {
        Kind::Timestamp(format) => {
            item.timestamp.or(*format).is_none_or(|format| format == TimestampFormat::HttpDate)
        }
        _ => false,
    };
    let mut items = vec![String::new()];
    let (mut quoted, mut escaped, mut commas) = (false, false, 0);
    for c in text.chars() {
        let Some(last) = items.last_mut() else { break };
        match c {
            _ if escaped => {
                last.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' if quoted || last.trim().is_empty() => quoted = !quoted,
            ',' if !quoted => {
                commas += 1;
                if dates && commas % 2 == 1 { last.push(c) } else { items.push(String::new()) }
            }
            _ => last.push(c),
        }
    }
    items.iter().map(|item| item.trim().to_owned()).collect()
}

fn prefixed(service: &Service, member: &Member, headers: &HeaderMap) -> Option<Value> {
    let prefix = member.wire.to_ascii_lowercase();
    let mut map = Map::new();
    for (name, value) in headers {
        if let Some(rest) = name.as_str().strip_prefix(&prefix) {
            map.insert(rest.to_owned(), Value::Str(String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    debug_assert!(matches!(service.shape(member.shape).kind, Kind::Map(..)));
    (!map.is_empty()).then_some(Value::Map(map))
}

fn body(
    service: &Service,
    protocol: Protocol,
    structure: &Structure,
    body: Bytes,
    input: &mut Map,
) -> Result<(), ServiceError> {
    if let Some(member) = structure.payload_member() {
        if let Some(value) = payload(service, protocol, member, body)? {
            input.insert(member.name.to_owned(), value);
        }
        return Ok(());
    }
    if body.is_empty() || !structure.members.iter().any(|member| member.at == Location::Body) {
        return Ok(());
    }
    let inside = if protocol == Protocol::RestXml {
        xml::structure(service, structure, &xml::parse(&body)?)?
    } else {
        let raw = json::parse(&body).map_err(ServiceError::serialization)?;
        match raw {
            Value::Map(map) => fit_structure(service, structure, map, Format::Json)?,
            Value::Null => Value::empty(),
            _ => return Err(ServiceError::serialization("Expected a structure as the body.")),
        }
    };
    let Value::Map(inside) = inside else { return Ok(()) };
    for (name, value) in inside {
        // What the model places elsewhere does not count in the body.
        if structure.member(&name).is_some_and(|member| member.at == Location::Body) {
            input.insert(name, value);
        }
    }
    Ok(())
}

fn payload(
    service: &Service,
    protocol: Protocol,
    member: &Member,
    body: Bytes,
) -> Result<Option<Value>, ServiceError> {
    match &service.shape(member.shape).kind {
        // Not base64: the body as it is.
        Kind::Blob => return Ok((!body.is_empty()).then_some(Value::Blob(body))),
        Kind::String => {
            let text = String::from_utf8(body.to_vec())
                .map_err(|_| ServiceError::serialization("The body is not UTF-8."))?;
            return Ok((!text.is_empty()).then_some(Value::Str(text)));
        }
        _ if body.is_empty() => return Ok(None),
        _ => {}
    }
    if protocol == Protocol::RestXml {
        return xml::read(service, member, &xml::parse(&body)?).map(Some);
    }
    let raw = json::parse(&body).map_err(ServiceError::serialization)?;
    fit(service, member, raw, Format::Json).map(|value| Some(value).filter(|value| *value != Value::Null))
}
