//! Writes the structs: one per structure that is neither an error nor a stream.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyfn_wire::schema::{Kind, Member, Service, Shape, ShapeId, Structure};

/// The structs of one file.
pub(super) struct Group {
    /// The file's name.
    pub(super) name: &'static str,
    pub(super) shapes: Vec<&'static Shape>,
}

/// Inputs, outputs, and what they are made of.
pub(super) fn groups(service: &Service) -> Vec<Group> {
    let ids = |pick: fn(&anyfn_wire::schema::Operation) -> Option<ShapeId>| -> BTreeSet<ShapeId> {
        service.operations.iter().filter_map(pick).collect()
    };
    let (inputs, outputs) = (ids(|operation| operation.input), ids(|operation| operation.output));
    let mut groups: Vec<Group> =
        ["inputs", "outputs", "parts"].into_iter().map(|name| Group { name, shapes: Vec::new() }).collect();
    for (id, shape) in (0..).zip(service.shapes) {
        let Some(structure) = shape.as_structure() else { continue };
        if structure.error.is_some() || structure.event_stream || structure.document {
            continue;
        }
        let at = if inputs.contains(&id) {
            0
        } else if outputs.contains(&id) {
            1
        } else {
            2
        };
        groups[at].shapes.push(shape);
    }
    groups
}

pub(super) fn write(service: &Service, group: &Group, groups: &[Group]) -> String {
    let mut body = String::new();
    for shape in &group.shapes {
        let Some(structure) = shape.as_structure() else { continue };
        _ = writeln!(body, "    {} {{", shape.name);
        for member in structure.members.iter().filter(|member| !is_stream(service, member)) {
            _ = writeln!(body, "        {},", field(service, shape, member));
        }
        body.push_str("    }\n");
    }
    let mut out = String::new();
    if body.contains(": Bytes") || body.contains("<Bytes") {
        out.push_str("use bytes::Bytes;\n");
    }
    if body.contains("IndexMap<") {
        out.push_str("use indexmap::IndexMap;\n");
    }
    for other in groups.iter().filter(|other| other.name != group.name) {
        let used: Vec<&str> =
            other.shapes.iter().map(|shape| shape.name).filter(|name| mentions(&body, name)).collect();
        if !used.is_empty() {
            _ = writeln!(out, "use super::{}::{{{}}};", other.name, used.join(", "));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    _ = write!(out, "anyfn_wire::structure! {{\n{body}}}\n");
    out
}

fn is_stream(service: &Service, member: &Member) -> bool {
    service.shape(member.shape).as_structure().is_some_and(|structure| structure.event_stream)
}

/// Whether a member's type names the struct.
fn mentions(body: &str, name: &str) -> bool {
    [": ", "<", ", "]
        .iter()
        .any(|before| [" =", ">"].iter().any(|after| body.contains(&format!("{before}{name}{after}"))))
}

fn field(service: &Service, owner: &Shape, member: &Member) -> String {
    let shape = service.shape(member.shape);
    let secret = if shape.sensitive { "secret " } else { "" };
    let mut kind = rust_type(service, member.shape);
    if reaches(service, member.shape, owner.name, &mut BTreeSet::new()) {
        kind = format!("Box<{kind}>");
    }
    format!("{}: {kind} = {secret}{:?}", ident(member.name), member.name)
}

/// Whether a struct holds another directly, so that it needs a pointer.
fn reaches(service: &Service, id: ShapeId, owner: &str, seen: &mut BTreeSet<ShapeId>) -> bool {
    let shape = service.shape(id);
    let Some(Structure { members, document: false, .. }) = shape.as_structure() else { return false };
    shape.name == owner
        || seen.insert(id) && members.iter().any(|member| reaches(service, member.shape, owner, seen))
}

fn rust_type(service: &Service, id: ShapeId) -> String {
    let shape = service.shape(id);
    match &shape.kind {
        Kind::Structure(structure) if structure.document => "anyfn_wire::Value".to_owned(),
        Kind::Structure(_) => shape.name.to_owned(),
        Kind::List(item) => format!("Vec<{}>", rust_type(service, item.shape)),
        Kind::Map(_, item) => format!("IndexMap<String, {}>", rust_type(service, item.shape)),
        Kind::String => "String".to_owned(),
        Kind::Bool => "bool".to_owned(),
        Kind::Int | Kind::Long => "i64".to_owned(),
        Kind::Float => "f64".to_owned(),
        Kind::Blob => "Bytes".to_owned(),
        Kind::Timestamp(_) => "anyfn_wire::Timestamp".to_owned(),
    }
}

/// `KMSKeyArn` is `kms_key_arn`; keywords are raw.
pub(super) fn ident(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "match" | "enum" | "ref" | "use" | "where" | "in" | "for" | "final" | "override"
        | "macro" => {
            format!("r#{snake}")
        }
        _ => snake,
    }
}

pub(super) fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let starts_word = before.is_some_and(|before| {
            before.is_lowercase()
                || before.is_ascii_digit()
                || after.is_some_and(|after| after.is_lowercase())
        });
        if c.is_uppercase() && starts_word && before != Some(&'_') {
            out.push('_');
        }
        out.push(if *c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    out
}
