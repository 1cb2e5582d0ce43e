//! Cases as folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// `case.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Toml {
    /// What it shows, as a sentence without its full stop.
    pub(crate) title: String,
    /// `boto3`, `awscli`, `node`, `cli`, `raw` or `rust`.
    pub(crate) client: String,
    /// Operations whose answers the script judges: `lambda.CreateFunction`, or a route's own words (`GET /healthz`).
    #[serde(default)]
    pub(crate) operations: Vec<String>,
    /// Parts (`boto3`) and programs (`node`, `cargo`) without which it cannot run.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// Attacks that it tries.
    #[serde(default)]
    pub(crate) attacks: Vec<String>,
    #[serde(default = "default_timeout")]
    pub(crate) timeout_s: u64,
    /// A server of its own, with these flags.
    pub(crate) server: Option<ServerWish>,
    /// Parts of the server's `ERROR` lines that this case makes on purpose.
    #[serde(default)]
    pub(crate) server_errors: Vec<String>,
    #[serde(default)]
    pub(crate) docs: Docs,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerWish {
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    /// The server gets an empty home of its own.
    #[serde(default)]
    pub(crate) empty_home: bool,
}

/// Lines of the page of the case's dialect.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Docs {
    /// Heading under which they stand.
    #[serde(default)]
    pub(crate) topic: String,
    #[serde(default)]
    pub(crate) works: Vec<String>,
    #[serde(default)]
    pub(crate) differs: Vec<String>,
    #[serde(default)]
    pub(crate) not_yet: Vec<String>,
}

fn default_timeout() -> u64 {
    60
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// `aws/aliases`.
    pub(crate) path: String,
    pub(crate) dir: PathBuf,
    pub(crate) script: PathBuf,
    pub(crate) toml: Toml,
    /// From 1, in order of paths; each gets an account of its own by it.
    pub(crate) number: usize,
}

impl Case {
    pub(crate) fn dialect(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Twelve digits that no other case has.
    pub(crate) fn account(&self) -> String {
        format!("{:012}", 100_000 + self.number)
    }
}

const CLIENTS: [&str; 6] = ["boto3", "awscli", "node", "cli", "raw", "rust"];
const SCRIPTS: [&str; 3] = ["run.py", "run.sh", "run.mjs"];

/// All cases in order of their paths.
pub(crate) fn load(dir: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for dialect in folders(dir)? {
        for folder in folders(&dialect)? {
            cases.push(read(dir, folder, cases.len() + 1)?);
        }
    }
    if cases.is_empty() {
        bail!("there are no cases in {}", dir.display());
    }
    Ok(cases)
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    let mut all: Vec<_> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    all.sort();
    Ok(all)
}

fn read(root: &Path, dir: PathBuf, number: usize) -> Result<Case> {
    let path = dir.strip_prefix(root)?.to_string_lossy().into_owned();
    let text =
        fs::read_to_string(dir.join("case.toml")).with_context(|| format!("{path}: read case.toml"))?;
    let toml: Toml = toml::from_str(&text).with_context(|| format!("{path}: case.toml"))?;
    if !CLIENTS.contains(&toml.client.as_str()) {
        bail!("{path}: client `{}` is none of {}", toml.client, CLIENTS.join(", "));
    }
    if toml.docs.topic.is_empty()
        && !(toml.docs.works.is_empty() && toml.docs.differs.is_empty() && toml.docs.not_yet.is_empty())
    {
        bail!("{path}: [docs] has lines and no topic");
    }
    let script = SCRIPTS.iter().map(|name| dir.join(name)).find(|script| script.is_file());
    let script = script.with_context(|| format!("{path}: there is no {}", SCRIPTS.join(", ")))?;
    Ok(Case { path, dir, script, toml, number })
}

#[cfg(test)]
mod tests;
