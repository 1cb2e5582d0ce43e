//! `spin.toml`, manifest version 2 (spinframework.dev, "Application manifest reference"): an application of components with
//! HTTP triggers. One folder is one function here, so the first HTTP trigger's component is taken and the rest is named.

use std::{fs, path::Path};

use anyfn_types::Error;
use indexmap::IndexMap;
use serde::Deserialize;

use super::{Include, Project, Step, detect::WASM};

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    spin_manifest_version: Option<u32>,
    #[serde(default)]
    application: Application,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default)]
    component: IndexMap<String, Component>,
}

#[derive(Default, Deserialize)]
struct Application {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
}

#[derive(Default, Deserialize)]
struct Triggers {
    #[serde(default)]
    http: Vec<Trigger>,
}

#[derive(Deserialize)]
struct Trigger {
    component: toml::Value,
}

#[derive(Deserialize)]
struct Component {
    source: toml::Value,
    #[serde(default)]
    environment: IndexMap<String, String>,
    build: Option<Build>,
    #[serde(flatten)]
    rest: IndexMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Build {
    command: toml::Value,
    workdir: Option<String>,
}

/// What a component may ask for that is not given to it.
const NOT_GIVEN: [&str; 6] =
    ["files", "key_value_stores", "sqlite_databases", "ai_models", "variables", "dependencies"];

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::invalid("project_file_invalid", format!("spin.toml: {text}"))
}

fn commands(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::String(line) => vec![line.clone()],
        toml::Value::Array(lines) => lines.iter().filter_map(|l| l.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// None if the folder has no `spin.toml`.
pub(super) fn project(dir: &Path) -> Result<Option<Project>, Error> {
    let Ok(text) = fs::read_to_string(dir.join("spin.toml")) else { return Ok(None) };
    let manifest: Manifest = toml::from_str(&text).map_err(|e| invalid(e.message()))?;
    if manifest.spin_manifest_version != Some(2) {
        return Err(invalid("only spin_manifest_version = 2 is read"));
    }
    let of = |trigger: &Trigger| trigger.component.as_str().map(str::to_owned);
    let mut wanted: Vec<_> = manifest.trigger.http.iter().filter_map(of).collect();
    wanted.dedup();
    let Some(first) = wanted.first() else {
        return Err(invalid("there is no [[trigger.http]] with the name of a component"));
    };
    let component =
        manifest.component.get(first).ok_or_else(|| invalid(format!("there is no component `{first}`")))?;
    let source = component.source.as_str().ok_or_else(|| {
        invalid(format!("the source of `{first}` is not a file of the folder; download it and name the file"))
    })?;
    let mut notes = Vec::new();
    if wanted.len() > 1 {
        notes.push(format!("only the component `{first}` is deployed; others: {}", wanted[1..].join(", ")));
    }
    for name in NOT_GIVEN.iter().filter(|name| component.rest.contains_key(**name)) {
        notes.push(format!("`{name}` of the component `{first}` is not given to it"));
    }
    let build = component.build.as_ref().map_or_else(Vec::new, |build| {
        let place = build.workdir.as_ref().map(|dir| format!("cd '{}' && ", dir.replace('\'', "'\\''")));
        let place = place.unwrap_or_default();
        commands(&build.command).into_iter().map(|line| Step::Shell(format!("{place}{line}"))).collect()
    });
    let handler = Path::new(source).file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    Ok(Some(Project {
        name: manifest.application.name,
        runtime: WASM.into(),
        handler,
        description: manifest.application.description,
        env: component.environment.clone(),
        url: true,
        build,
        include: Include::Binary(source.into()),
        notes,
        ..Project::default()
    }))
}

#[cfg(test)]
mod tests;
