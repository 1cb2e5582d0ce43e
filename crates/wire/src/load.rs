//! Reads a published model (botocore's `service-2.json` form) into a [`Service`] at run time.
//!
//! Used by code generation and tests. What is read lives until the process ends, because descriptions are `'static`: load a
//! model once, not per request.

use serde_json::Value as Json;

use crate::schema::{
    Kind, Location, Member, Namespace, Operation, Protocol, Service, Shape, ShapeId, TimestampFormat,
};

/// The model is not of the expected form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model: {0}")]
pub struct LoadError(String);

/// The service called `name` with the operations in `only` (all, if it is empty) and the shapes that they reach.
///
/// # Errors
/// [`LoadError`] names what is missing or unknown.
pub fn load(name: &str, model: &Json, only: &[&str]) -> Result<&'static Service, LoadError> {
    let meta = &model["metadata"];
    let names = reachable(model, only)?;
    let loader = Loader { model, names: &names };
    let mut operations = Vec::new();
    for (name, operation) in object(&model["operations"])? {
        if only.is_empty() || only.contains(&name.as_str()) {
            operations.push(loader.operation(name, operation)?);
        }
    }
    operations.sort_by_key(|operation| operation.name);
    let shapes = names.iter().map(|name| loader.shape(name)).collect::<Result<Vec<_>, _>>()?;
    let xml_namespace = meta["xmlNamespace"].as_str().or_else(|| meta["xmlNamespace"]["uri"].as_str());
    let signing_name = meta["signingName"].as_str().or_else(|| meta["endpointPrefix"].as_str());
    let protocols = protocols(meta)?;
    let forms = protocols.iter().any(|protocol| matches!(protocol, Protocol::Query | Protocol::Ec2));
    let service = Service {
        name: keep(name),
        version: keep(str_of(meta, "apiVersion")),
        signing_name: keep(signing_name.unwrap_or_default()),
        target_prefix: keep(str_of(meta, "targetPrefix")),
        protocols: keep_all(protocols),
        xml_namespace: keep(xml_namespace.unwrap_or_default()),
        query_compatible: meta.get("awsQueryCompatible").is_some(),
        validation_code: if forms { "ValidationError" } else { "ValidationException" },
        bare_xml_errors: name == "s3",
        operations: keep_all(operations),
        shapes: keep_all(shapes),
    };
    Ok(Box::leak(Box::new(service)))
}

fn protocols(meta: &Json) -> Result<Vec<Protocol>, LoadError> {
    let preferred = str_of(meta, "protocol");
    let listed = meta["protocols"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let mut all: Vec<Protocol> = Vec::new();
    for name in std::iter::once(preferred).chain(listed) {
        let protocol = match name {
            "rest-json" => Protocol::RestJson,
            "rest-xml" => Protocol::RestXml,
            "json" if str_of(meta, "jsonVersion") == "1.0" => Protocol::Json10,
            "json" => Protocol::Json11,
            "query" => Protocol::Query,
            "ec2" => Protocol::Ec2,
            "smithy-rpc-v2-cbor" => Protocol::Cbor,
            other => return Err(LoadError(format!("unknown protocol {other:?}"))),
        };
        if !all.contains(&protocol) {
            all.push(protocol);
        }
    }
    Ok(all)
}

/// The names of all shapes that the operations reach, in order.
fn reachable(model: &Json, only: &[&str]) -> Result<Vec<String>, LoadError> {
    let operations = object(&model["operations"])?;
    if let Some(missing) = only.iter().find(|name| !operations.contains_key(**name)) {
        return Err(LoadError(format!("no operation {missing}")));
    }
    let mut open: Vec<&str> = Vec::new();
    for (name, operation) in operations {
        if only.is_empty() || only.contains(&name.as_str()) {
            open.extend(operation["input"]["shape"].as_str());
            open.extend(operation["output"]["shape"].as_str());
            let errors = operation["errors"].as_array().into_iter().flatten();
            open.extend(errors.filter_map(|error| error["shape"].as_str()));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.to_owned()) {
            continue;
        }
        let shape = &model["shapes"][name];
        let members = shape["members"].as_object().into_iter().flat_map(|members| members.values());
        let others = ["member", "key", "value"].map(|part| &shape[part]);
        open.extend(members.chain(others).filter_map(|reference| reference["shape"].as_str()));
    }
    Ok(seen.into_iter().collect())
}

struct Loader<'a> {
    model: &'a Json,
    names: &'a [String],
}

impl Loader<'_> {
    fn id(&self, reference: &Json) -> Result<ShapeId, LoadError> {
        let name = str_of(reference, "shape");
        let at = self.names.binary_search_by(|known| known.as_str().cmp(name)).ok();
        at.and_then(|at| ShapeId::try_from(at).ok()).ok_or_else(|| LoadError(format!("no shape {name:?}")))
    }

    fn operation(&self, name: &str, operation: &Json) -> Result<Operation, LoadError> {
        let http = &operation["http"];
        let mut out = Operation::new(
            keep(name),
            keep(http["method"].as_str().unwrap_or("POST")),
            keep(http["requestUri"].as_str().unwrap_or("/")),
        );
        if let Some(status) = http["responseCode"].as_u64().and_then(|status| u16::try_from(status).ok()) {
            out.status = status;
        }
        if operation["input"].is_object() {
            out.input = Some(self.id(&operation["input"])?);
            out.input_root = keep(str_of(&operation["input"], "locationName"));
        }
        if operation["output"].is_object() {
            out.output = Some(self.id(&operation["output"])?);
            out.result_wrapper = keep(str_of(&operation["output"], "resultWrapper"));
        }
        Ok(out)
    }

    fn shape(&self, name: &str) -> Result<Shape, LoadError> {
        let model = &self.model["shapes"][name];
        let mut shape = match str_of(model, "type") {
            "structure" => self.structure(name, model)?,
            "list" => Shape::list(keep(name), self.member("", &model["member"])?),
            "map" => {
                Shape::map(keep(name), self.member("", &model["key"])?, self.member("", &model["value"])?)
            }
            other => Shape::new(keep(name), scalar(other, model)?),
        };
        shape.min = model["min"].as_f64();
        shape.max = model["max"].as_f64();
        shape.pattern = keep(str_of(model, "pattern"));
        let values = model["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
        shape.values = keep_all(values.map(keep).collect());
        shape.sensitive = flag(model, "sensitive");
        shape.flattened = flag(model, "flattened");
        shape.xml_name = keep(str_of(model, "locationName"));
        shape.xml_namespace = namespace(model);
        Ok(shape)
    }

    fn structure(&self, name: &str, model: &Json) -> Result<Shape, LoadError> {
        let required: Vec<&str> =
            model["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let mut members = Vec::new();
        for (name, reference) in model["members"].as_object().into_iter().flatten() {
            let mut member = self.member(name, reference)?;
            member.required = required.contains(&name.as_str());
            members.push(member);
        }
        // JSON objects have no order that a reader must keep; names give one that never changes.
        members.sort_by_key(|member| member.name);
        let mut shape =
            Shape::structure(keep(name), keep_all(members)).payload(keep(str_of(model, "payload")));
        if flag(model, "exception") || model["error"].is_object() {
            let error = &model["error"];
            let status = error["httpStatusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
            let fault = flag(model, "fault") || flag(error, "fault");
            let status = status.unwrap_or(if fault { 500 } else { 400 });
            shape = shape.error(keep(error["code"].as_str().unwrap_or(name)), status, status < 500);
        }
        if flag(model, "union") {
            shape = shape.union();
        }
        if flag(model, "document") {
            shape = shape.document();
        }
        if flag(model, "eventstream") {
            shape = shape.event_stream();
        }
        Ok(shape)
    }

    fn member(&self, name: &str, reference: &Json) -> Result<Member, LoadError> {
        let mut member = Member::new(keep(name), self.id(reference)?);
        let wire = reference["queryName"].as_str().unwrap_or_else(|| str_of(reference, "locationName"));
        let wire = if wire == name { "" } else { wire };
        member.wire = keep(wire);
        member.at = match str_of(reference, "location") {
            "" => Location::Body,
            "uri" => Location::Label,
            "querystring" => Location::Query,
            "header" => Location::Header,
            "headers" => Location::Headers,
            "statusCode" => Location::Status,
            other => return Err(LoadError(format!("unknown location {other:?}"))),
        };
        member.flattened = flag(reference, "flattened");
        member.xml_attribute = flag(reference, "xmlAttribute");
        member.xml_namespace = namespace(reference);
        member.timestamp = format(reference)?;
        member.json_value = flag(reference, "jsonvalue");
        member.event_payload = flag(reference, "eventpayload");
        member.event_header = flag(reference, "eventheader");
        Ok(member)
    }
}

fn scalar(name: &str, model: &Json) -> Result<Kind, LoadError> {
    Ok(match name {
        "string" | "character" => Kind::String,
        "boolean" => Kind::Bool,
        "byte" | "short" | "integer" => Kind::Int,
        "long" | "bigInteger" => Kind::Long,
        "float" | "double" | "bigDecimal" => Kind::Float,
        "blob" => Kind::Blob,
        "timestamp" => Kind::Timestamp(format(model)?),
        other => return Err(LoadError(format!("unknown type {other:?}"))),
    })
}

fn format(model: &Json) -> Result<Option<TimestampFormat>, LoadError> {
    Ok(match str_of(model, "timestampFormat") {
        "" => None,
        "unixTimestamp" => Some(TimestampFormat::EpochSeconds),
        "iso8601" => Some(TimestampFormat::DateTime),
        "rfc822" => Some(TimestampFormat::HttpDate),
        other => return Err(LoadError(format!("unknown timestamp format {other:?}"))),
    })
}

fn namespace(model: &Json) -> Option<Namespace> {
    let namespace = model.get("xmlNamespace")?;
    let uri = namespace.as_str().or_else(|| namespace["uri"].as_str())?;
    Some(Namespace { prefix: keep(namespace["prefix"].as_str().unwrap_or_default()), uri: keep(uri) })
}

fn object(json: &Json) -> Result<&serde_json::Map<String, Json>, LoadError> {
    json.as_object().ok_or_else(|| LoadError("not an object".to_owned()))
}

fn str_of<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn flag(json: &Json, key: &str) -> bool {
    json.get(key).and_then(Json::as_bool).unwrap_or(false)
}

fn keep(text: &str) -> &'static str {
    if text.is_empty() { "" } else { Box::leak(text.to_owned().into_boxed_str()) }
}

fn keep_all<T>(items: Vec<T>) -> &'static [T] {
    if items.is_empty() { &[] } else { Box::leak(items.into_boxed_slice()) }
}
