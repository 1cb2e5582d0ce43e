//! `anyfn.toml`, the smallest project file. Documented in `docs/project-file.md`.

use anyfn_types::{Error, Tier};
use indexmap::IndexMap;
use serde::Deserialize;

/// Every key may be left out; then detection decides.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) runtime: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) description: Option<String>,
    /// MiB.
    pub(super) memory: Option<u32>,
    /// Seconds.
    pub(super) timeout: Option<u32>,
    #[serde(default)]
    pub(super) env: IndexMap<String, String>,
    #[serde(default)]
    pub(super) url: bool,
    /// `wasm`, `fork`, `process`.
    pub(super) isolation: Option<Tier>,
    /// Calls after which an instance is retired.
    #[serde(default)]
    pub(super) calls_max: u32,
    pub(super) build: Option<Lines>,
    /// A file that the build makes and that becomes `bootstrap`.
    pub(super) binary: Option<String>,
}

/// One command, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Lines {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(line) => vec![line],
            Self::Many(lines) => lines,
        }
    }
}

pub(super) fn parse(text: &str) -> Result<File, Error> {
    let file: File = toml::from_str(text).map_err(|e| invalid(e.to_string()))?;
    if file.memory.is_some_and(|mib| !(128..=10_240).contains(&mib)) {
        return Err(invalid("memory: MiB from 128 to 10240"));
    }
    if file.timeout.is_some_and(|s| !(1..=900).contains(&s)) {
        return Err(invalid("timeout: seconds from 1 to 900"));
    }
    Ok(file)
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::invalid("project_file_invalid", format!("anyfn.toml: {text}"))
}
