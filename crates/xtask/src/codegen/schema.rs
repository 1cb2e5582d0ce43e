//! Writes the static tables: one line per shape and operation.

use std::fmt::Write as _;

use anyfn_wire::schema::{
    Kind, Location, Member, Namespace, Operation, Service, Shape, Structure, TimestampFormat,
};

pub(super) fn write(service: &Service) -> String {
    let mut out = String::from(
        "use anyfn_wire::schema::{Kind, Location, Member, Operation, Protocol, Service, Shape};\n\n",
    );
    let mut used = String::new();
    for shape in service.shapes {
        _ = writeln!(used, "    {},", shape_expr(shape));
    }
    _ = writeln!(out, "/// The service's description.\npub static SERVICE: Service = Service {{");
    let protocols: Vec<String> = service.protocols.iter().map(|p| format!("Protocol::{p:?}")).collect();
    for (field, value) in [
        ("name", format!("{:?}", service.name)),
        ("version", format!("{:?}", service.version)),
        ("signing_name", format!("{:?}", service.signing_name)),
        ("target_prefix", format!("{:?}", service.target_prefix)),
        ("protocols", format!("&[{}]", protocols.join(", "))),
        ("xml_namespace", format!("{:?}", service.xml_namespace)),
        ("query_compatible", service.query_compatible.to_string()),
        ("validation_code", format!("{:?}", service.validation_code)),
        ("bare_xml_errors", service.bare_xml_errors.to_string()),
        ("operations", "OPERATIONS".to_owned()),
        ("shapes", "SHAPES".to_owned()),
    ] {
        _ = writeln!(out, "    {field}: {value},");
    }
    out.push_str("};\n\nstatic OPERATIONS: &[Operation] = &[\n");
    for operation in service.operations {
        _ = writeln!(out, "    {},", operation_expr(operation));
    }
    out.push_str(
        "];\n\nconst fn m(name: &'static str, shape: u16) -> Member {\n    Member::new(name, shape)\n}\n\n",
    );
    out.push_str("static SHAPES: &[Shape] = &[\n");
    out.push_str(&used);
    out.push_str("];\n");
    trim_imports(&out)
}

/// Takes out of the first line what the tables do not use.
fn trim_imports(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let inner = first.trim_start_matches("use anyfn_wire::schema::{").trim_end_matches("};");
    let used: Vec<&str> = inner
        .split(", ")
        .filter(|name| {
            rest.contains(&format!("{name}::"))
                || rest.contains(&format!(": {name}"))
                || rest.contains(&format!("[{name}]"))
        })
        .collect();
    format!("use anyfn_wire::schema::{{{}}};\n{rest}", used.join(", "))
}

fn operation_expr(operation: &Operation) -> String {
    let mut out =
        format!("Operation::new({:?}, {:?}, {:?})", operation.name, operation.method, operation.uri);
    if operation.status != 200 {
        _ = write!(out, ".status({})", operation.status);
    }
    if let Some(id) = operation.input {
        _ = write!(out, ".input({id})");
    }
    if let Some(id) = operation.output {
        _ = write!(out, ".output({id})");
    }
    if !operation.result_wrapper.is_empty() {
        _ = write!(out, ".wrapper({:?})", operation.result_wrapper);
    }
    out
}

fn shape_expr(shape: &Shape) -> String {
    let name = shape.name;
    let mut out = match &shape.kind {
        Kind::Structure(structure) => structure_expr(name, structure),
        Kind::List(item) => format!("Shape::list({name:?}, {})", member_expr(item)),
        Kind::Map(key, value) => {
            format!("Shape::map({name:?}, {}, {})", member_expr(key), member_expr(value))
        }
        Kind::String => format!("Shape::string({name:?})"),
        Kind::Timestamp(format) => {
            format!("Shape::new({name:?}, Kind::Timestamp({}))", timestamp_expr(*format))
        }
        kind => format!("Shape::new({name:?}, Kind::{kind:?})"),
    };
    if let Some(min) = shape.min {
        _ = write!(out, ".min({min:?})");
    }
    if let Some(max) = shape.max {
        _ = write!(out, ".max({max:?})");
    }
    if !shape.pattern.is_empty() {
        _ = write!(out, ".pattern(r#\"{}\"#)", shape.pattern);
    }
    if !shape.values.is_empty() {
        _ = write!(out, ".values(&{:?})", shape.values);
    }
    if shape.sensitive {
        out.push_str(".sensitive()");
    }
    if shape.flattened {
        out.push_str(".flattened()");
    }
    if !shape.xml_name.is_empty() || shape.xml_namespace.is_some() {
        _ = write!(out, ".xml({:?}, {})", shape.xml_name, namespace_expr(shape.xml_namespace));
    }
    out
}

fn structure_expr(name: &str, structure: &Structure) -> String {
    let members: Vec<String> = structure.members.iter().map(member_expr).collect();
    let mut out = format!("Shape::structure({name:?}, &[{}])", members.join(", "));
    if !structure.payload.is_empty() {
        _ = write!(out, ".payload({:?})", structure.payload);
    }
    if let Some(error) = structure.error {
        _ = write!(out, ".error({:?}, {}, {})", error.code, error.status, error.sender);
    }
    for (on, call) in [
        (structure.union, ".union()"),
        (structure.document, ".document()"),
        (structure.event_stream, ".event_stream()"),
    ] {
        if on {
            out.push_str(call);
        }
    }
    out
}

fn member_expr(member: &Member) -> String {
    let mut out = format!("m({:?}, {})", member.name, member.shape);
    if !member.wire.is_empty() {
        _ = write!(out, ".wire({:?})", member.wire);
    }
    if member.at != Location::Body {
        _ = write!(out, ".at(Location::{:?})", member.at);
    }
    if member.xml_attribute || member.xml_namespace.is_some() {
        _ = write!(out, ".xml({}, {})", member.xml_attribute, namespace_expr(member.xml_namespace));
    }
    if let Some(format) = member.timestamp {
        _ = write!(out, ".timestamp(anyfn_wire::schema::TimestampFormat::{format:?})");
    }
    for (on, call) in [
        (member.required, ".required()"),
        (member.flattened, ".flattened()"),
        (member.json_value, ".json_value()"),
        (member.event_payload, ".event_payload()"),
        (member.event_header, ".event_header()"),
    ] {
        if on {
            out.push_str(call);
        }
    }
    out
}

fn timestamp_expr(format: Option<TimestampFormat>) -> String {
    format.map_or_else(
        || "None".to_owned(),
        |format| format!("Some(anyfn_wire::schema::TimestampFormat::{format:?})"),
    )
}

fn namespace_expr(namespace: Option<Namespace>) -> String {
    namespace.map_or_else(
        || "None".to_owned(),
        |ns| format!("Some(anyfn_wire::schema::Namespace {{ prefix: {:?}, uri: {:?} }})", ns.prefix, ns.uri),
    )
}
