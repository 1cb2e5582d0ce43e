//! The house rules as pure functions of the tree's texts: each gives what it finds, and each has a bad sample in its
//! tests that it must find.

mod errors;
mod floors;
mod layout;
mod manifests;
mod places;
mod readme;
mod sizes;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// Texts that are no longer read: nobody writes these by hand.
const LARGEST: usize = 4 << 20;

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// `path` or `path:line`.
    pub(crate) place: String,
    pub(crate) what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Worth a second look.
    Warn,
    Fail,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.weight == Weight::Fail { "FAIL" } else { "warn" };
        write!(f, "{word} {}: {}", self.place, self.what)
    }
}

fn fail(place: impl Into<String>, what: impl Into<String>) -> Finding {
    Finding { weight: Weight::Fail, place: place.into(), what: what.into() }
}

/// The texts of the tree.
pub(crate) struct Tree {
    /// Path from the root with `/`, and text.
    files: Vec<(String, String)>,
}

type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

const RULES: [Rule; 7] = [
    ("floors", floors::find),
    ("manifests", manifests::find),
    ("sizes", sizes::find),
    ("layout", layout::find),
    ("readme", readme::find),
    ("error pages", errors::find),
    ("places", places::find),
];

impl Tree {
    /// What git tracks, and what it would track.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut git = sh::command("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
        let listed = git.output().context("start `git ls-files`")?;
        if !listed.status.success() {
            bail!("`git ls-files` ended with {}: {}", listed.status, String::from_utf8_lossy(&listed.stderr));
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            // A file that was just deleted, a link or a picture has no text to judge.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            if let Some(text) = String::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST) {
                files.push((path.to_owned(), text));
            }
        }
        Ok(Self { files })
    }

    fn get(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|(name, _)| name == path).map(|(_, text)| text.as_str())
    }

    fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Rust that is written by hand and shipped.
    fn shipped_rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending(".rs").filter(|(path, _)| !is_test(path) && !is_generated(path))
    }

    /// Manifests of rooms.
    fn manifests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ending("/Cargo.toml").filter(|(path, _)| path.starts_with("crates/"))
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || ["/tests/", "/benches/", "/fuzz/"].iter().any(|part| path.contains(part))
}

fn is_generated(path: &str) -> bool {
    path.contains("/generated/") || path.ends_with("/generated.rs")
}

/// Prints what all rules find; fails if one must not stand.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read(&sh::root())?;
    let mut failed = 0;
    for (name, rule) in RULES {
        for finding in rule(&tree) {
            failed += usize::from(finding.weight == Weight::Fail);
            println!("tidy: {name}: {finding}");
        }
    }
    if failed > 0 {
        bail!("{failed} findings against the house rules");
    }
    println!("tidy: {} files keep the house rules", tree.files.len());
    Ok(())
}
