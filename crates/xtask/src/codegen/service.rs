//! Writes a service's errors, its handler trait, and the module that holds everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyfn_wire::schema::{Service, ShapeId};
use anyhow::{Result, ensure};

use super::types::{self, Group};

pub(super) fn errors(service: &Service) -> Result<String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for shape in service.shapes {
        let Some((structure, error)) = shape.as_structure().and_then(|s| Some((s, s.error?))) else {
            continue;
        };
        let stem = shape.name.strip_suffix("Exception").unwrap_or(shape.name);
        let name = types::snake(stem).to_ascii_uppercase();
        let typed = structure.member("Type").is_some();
        let line = format!(
            "pub const {name}: ErrorShape = ErrorShape {{ shape: {:?}, code: {:?}, status: {}, sender: {}, typed: {typed} }};",
            shape.name, error.code, error.status, error.sender
        );
        ensure!(all.insert(name.clone(), line).is_none(), "two errors would be called {name}");
    }
    let mut out = String::new();
    if !all.is_empty() {
        out.push_str("use anyfn_wire::ErrorShape;\n\n");
    }
    for line in all.values() {
        _ = writeln!(out, "{line}");
    }
    Ok(out)
}

pub(super) fn dispatch(service: &Service, groups: &[Group]) -> String {
    let mut body = String::new();
    for operation in service.operations {
        let (input, output) = (type_of(service, operation.input), type_of(service, operation.output));
        _ = writeln!(
            body,
            "    {}: {input} => {output} = {:?},",
            types::ident(operation.name),
            operation.name
        );
    }
    let mut out = String::new();
    for group in groups.iter().filter(|group| group.name != "parts" && !group.shapes.is_empty()) {
        _ = writeln!(out, "use super::{}::{{{}}};", group.name, names(group));
    }
    _ = write!(out, "\ncrate::service! {{\n{body}}}\n");
    out
}

fn type_of(service: &Service, id: Option<ShapeId>) -> &'static str {
    id.map_or("()", |id| service.shape(id).name)
}

fn names(group: &Group) -> String {
    group.shapes.iter().map(|shape| shape.name).collect::<Vec<_>>().join(", ")
}

pub(super) fn module(service: &Service, groups: &[Group]) -> String {
    let mut out =
        format!("//! The `{}` service, API version {}.\n\npub mod error;\n", service.name, service.version);
    let used: Vec<&Group> = groups.iter().filter(|group| !group.shapes.is_empty()).collect();
    for group in &used {
        _ = writeln!(out, "mod {};", group.name);
    }
    out.push_str("mod schema;\nmod service;\n\n");
    for group in &used {
        _ = writeln!(out, "pub use {}::{{{}}};", group.name, names(group));
    }
    out.push_str("pub use schema::SERVICE;\npub use service::{Handler, dispatch};\n");
    out
}
