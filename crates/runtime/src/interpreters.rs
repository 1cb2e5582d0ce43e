//! Which interpreters this host has, and which one serves a runtime that was asked for.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyfn_core::ports::Bind;

use crate::Error;

/// Folders that every guest sees of itself, so that nothing under them needs a bind.
pub(crate) const ALWAYS_THERE: [&str; 4] = ["/usr", "/bin", "/lib", "/lib64"];
/// Folders of the guest that belong to the contract; an interpreter that lives there on the host is shown elsewhere.
const TAKEN: [&str; 4] = ["/opt", "/var", "/tmp", "/dev"];
const ELSEWHERE: &str = "/var/lang";

/// What to do when the host lacks the version that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuntimesMode {
    /// Serve with the nearest one and say so.
    #[default]
    Nearest,
    /// Refuse.
    Exact,
}

/// A family of managed runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    Python,
    Node,
}

/// `(3, 12)` for Python 3.12; `(22, 0)` for Node.js 22.
pub type Release = (u32, u32);

/// An interpreter of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The executable on the host, links resolved.
    pub host: PathBuf,
    /// The executable inside the guest.
    pub inside: String,
    /// What must be bound for it, if it is not under `/usr`.
    pub bind: Option<Bind>,
}

/// The interpreters of this host. Contracts of other rooms choose from the same ones.
#[derive(Clone, Debug, Default)]
pub struct Interpreters(BTreeMap<(Language, Release), Found>);

/// What serves a runtime.
#[derive(Clone, Debug)]
pub struct Choice {
    pub found: Found,
    pub release: Release,
    /// For the user, if it is not what was asked for.
    pub notice: Option<String>,
}

/// `python3.12`, `nodejs22.x`.
pub(crate) fn parse(runtime: &str) -> Option<(Language, Release)> {
    if let Some(minor) = runtime.strip_prefix("python3.") {
        return Some((Language::Python, (3, minor.parse().ok()?)));
    }
    let major = runtime.strip_prefix("nodejs")?;
    Some((Language::Node, (major.strip_suffix(".x").unwrap_or(major).parse().ok()?, 0)))
}

impl Interpreters {
    /// Looks into `/usr/bin`, `/usr/local/bin` and `more`: folders with executables, or folders of versions that each have
    /// a `bin` (as pyenv, nvm and asdf lay them out). Blocks; runs each `node` found once to ask for its version.
    pub(crate) fn find(more: &[PathBuf]) -> Self {
        let mut all = Self::default();
        for folder in ["/usr/bin", "/usr/local/bin"] {
            all.look(Path::new(folder));
        }
        all.look_into(more);
        all
    }

    fn look_into(&mut self, more: &[PathBuf]) {
        let mut folders = Vec::new();
        for folder in more {
            folders.push(folder.clone());
            folders.push(folder.join("bin"));
            let mut versions: Vec<_> =
                fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            versions.sort();
            folders.extend(
                versions
                    .into_iter()
                    .flat_map(|version| [version.join("bin"), version.join("installation/bin")]),
            );
        }
        for folder in folders {
            self.look(&folder);
        }
    }

    fn look(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let minor = name.strip_prefix("python3.").and_then(|minor| minor.parse().ok());
            if let Some(minor) = minor {
                self.add(Language::Python, (3, minor), &entry.path());
            }
            if name == "node"
                && let Some(major) = node_major(&entry.path())
            {
                self.add(Language::Node, (major, 0), &entry.path());
            }
        }
    }

    fn add(&mut self, language: Language, release: Release, path: &Path) {
        if let Some(found) = place(path) {
            self.0.entry((language, release)).or_insert(found);
        }
    }

    /// The one that serves `runtime` (`python3.12`, `nodejs22.x`).
    ///
    /// # Errors
    /// The host has none, or, under `Exact`, not this one; the text says what to install.
    pub fn choose(&self, runtime: &str, mode: RuntimesMode) -> Result<Choice, Error> {
        let (language, release) =
            parse(runtime).ok_or_else(|| Error::UnknownRuntime { runtime: runtime.to_owned() })?;
        if let Some(found) = self.0.get(&(language, release)) {
            return Ok(Choice { found: found.clone(), release, notice: None });
        }
        let missing =
            || Error::NoInterpreter { runtime: runtime.to_owned(), install: install(language, release) };
        if mode == RuntimesMode::Exact {
            return Err(missing());
        }
        let distance = |at: &Release| {
            (at.0.abs_diff(release.0), at.1.abs_diff(release.1), u32::MAX - at.0, u32::MAX - at.1)
        };
        let nearest = self.0.iter().filter(|((family, _), _)| *family == language);
        let ((_, release), found) = nearest.min_by_key(|((_, at), _)| distance(at)).ok_or_else(missing)?;
        let notice = format!("{runtime} is not on this host; {} serves it", name(language, *release));
        Ok(Choice { found: found.clone(), release: *release, notice: Some(notice) })
    }

    /// The highest release of a language.
    pub(crate) fn newest(&self, language: Language) -> Option<&Found> {
        let mine = self.0.iter().filter(|((family, _), _)| *family == language);
        mine.max_by_key(|((_, release), _)| *release).map(|(_, found)| found)
    }

    /// Everything found.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &Found)> {
        self.0.iter().map(|((language, release), found)| (name(*language, *release), found))
    }

    pub(crate) fn releases(&self) -> impl Iterator<Item = (Language, Release, &Found)> {
        self.0.iter().map(|((language, release), found)| (*language, *release, found))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Found> {
        self.0.values()
    }
}

pub(crate) fn name(language: Language, (major, minor): Release) -> String {
    match language {
        Language::Python => format!("python{major}.{minor}"),
        Language::Node => format!("nodejs{major}.x"),
    }
}

fn install(language: Language, (major, minor): Release) -> String {
    match language {
        Language::Python => {
            format!("install Python {major}.{minor} (for example `pyenv install {major}.{minor}`)")
        }
        Language::Node => format!("install Node.js {major} (for example `nvm install {major}`)"),
    }
}

/// Where an executable lies, and what a guest needs to see of it.
fn place(path: &Path) -> Option<Found> {
    let host = path.canonicalize().ok().filter(|path| path.is_file())?;
    if ALWAYS_THERE.iter().any(|folder| host.starts_with(folder)) {
        return Some(Found { inside: host.to_str()?.to_owned(), host, bind: None });
    }
    let bin = host.parent()?;
    let prefix = if bin.ends_with("bin") { bin.parent()? } else { bin };
    if prefix == Path::new("/") {
        return None;
    }
    let within = host.strip_prefix(prefix).ok()?.to_str()?;
    let target =
        if TAKEN.iter().any(|folder| prefix.starts_with(folder)) { ELSEWHERE } else { prefix.to_str()? };
    let bind = Bind { source: prefix.to_owned(), target: target.to_owned() };
    Some(Found { inside: format!("{target}/{within}"), bind: Some(bind), host })
}

/// `v22.11.0` → 22.
fn node_major(path: &Path) -> Option<u32> {
    let output =
        Command::new(path).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
