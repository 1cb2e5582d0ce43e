//! A developer's folder or single file as a package: the same content always gives the same bytes.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyfn_types::{Error, Limits};
use bytes::Bytes;

use crate::{
    ignore::Ignore,
    pack::{Kind, Writer},
    tree::{Node, Refusal, SafePath, Tree},
};

/// Names the patterns of files that stay out.
const IGNORE_FILE: &str = ".anyfnignore";
/// Never part of a function, wherever they lie.
const NEVER: [&str; 5] = [".git", "__pycache__", ".DS_Store", ".pytest_cache", IGNORE_FILE];

/// What `zip_dir` takes along.
#[derive(Clone, Debug)]
pub struct ZipOptions {
    /// More patterns, in the form of `.anyfnignore`; they come after those of the file.
    pub ignore: Vec<String>,
    /// Bytes of all files together at most. Default: what a package may have when unpacked.
    pub max_bytes: u64,
    /// Files at most.
    pub max_entries: u64,
}

impl Default for ZipOptions {
    fn default() -> Self {
        let limits = Limits::default();
        Self { ignore: Vec::new(), max_bytes: limits.unpacked_bytes, max_entries: limits.package_entries }
    }
}

struct Walk<'o> {
    root: PathBuf,
    ignore: Ignore,
    options: &'o ZipOptions,
    /// Relative path, kind, target of a link; sorted at the end.
    found: Vec<(String, Kind, String)>,
    bytes: u64,
}

/// Zips a folder: sorted, with fixed times, keeping executable bits and links inside. Stays out: `.git`, `__pycache__`,
/// `node_modules/.cache`, virtual environments (`pyvenv.cfg`), and what `.anyfnignore` names.
/// Errors: `folder_unreadable`, `package_too_large`, `package_invalid` (a link out of the folder, a name no package can have).
pub fn zip_dir(path: &Path, options: &ZipOptions) -> Result<Bytes, Error> {
    let patterns = match fs::read_to_string(path.join(IGNORE_FILE)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(unreadable(&path.join(IGNORE_FILE), e)),
    };
    let ignore = Ignore::parse(&format!("{patterns}\n{}", options.ignore.join("\n")));
    let mut walk = Walk { root: path.to_owned(), ignore, options, found: Vec::new(), bytes: 0 };
    walk.dir("")?;
    walk.found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    walk.check()?;
    let mut writer = Writer::default();
    for (name, kind, target) in &walk.found {
        let full = walk.root.join(name);
        let content = match kind {
            Kind::Link => target.clone().into_bytes(),
            Kind::File { .. } => read(&full, options.max_bytes)?,
        };
        writer.add(name, *kind, &content).map_err(|e| unreadable(&full, e))?;
    }
    writer.finish().map(Bytes::from).map_err(|e| unreadable(path, e))
}

/// Zips one file that is not on disk, for platforms whose clients send bare source.
/// Errors: `package_too_large`.
pub fn zip_bytes(name: &str, executable: bool, content: &[u8]) -> Result<Bytes, Error> {
    let mut writer = Writer::default();
    let added = writer.add(name, Kind::File { executable }, content).and_then(|()| writer.finish());
    let large = |e: std::io::Error| {
        Error::new(anyfn_types::Kind::TooLarge, "package_too_large", "the code is too large").caused_by(e)
    };
    added.map(Bytes::from).map_err(large)
}

/// Zips one file. Python and JavaScript keep their name; anything else that can be run (its executable bit, `#!`, ELF)
/// becomes `bootstrap`. Errors: `folder_unreadable`, `file_not_runnable`, `package_too_large`.
pub fn zip_file(path: &Path) -> Result<Bytes, Error> {
    let content = read(path, Limits::default().unpacked_bytes)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let script = matches!(extension, "py" | "js" | "mjs" | "cjs" | "wasm");
    let mode = fs::metadata(path).map_err(|e| unreadable(path, e))?.permissions().mode();
    let runs = mode & 0o111 != 0 || content.starts_with(b"#!") || content.starts_with(b"\x7fELF");
    let (name, executable) = match (script, runs) {
        (true, _) => (name, mode & 0o111 != 0),
        (false, true) => ("bootstrap", true),
        (false, false) => {
            let text = format!(
                "{} is neither Python, JavaScript, WebAssembly nor an executable file",
                path.display()
            );
            return Err(Error::invalid("file_not_runnable", text));
        }
    };
    let mut writer = Writer::default();
    writer.add(name, Kind::File { executable }, &content).map_err(|e| unreadable(path, e))?;
    writer.finish().map(Bytes::from).map_err(|e| unreadable(path, e))
}

impl Walk<'_> {
    /// `at` is relative, empty for the top.
    fn dir(&mut self, at: &str) -> Result<(), Error> {
        let full = self.root.join(at);
        for entry in fs::read_dir(&full).map_err(|e| unreadable(&full, e))? {
            let entry = entry.map_err(|e| unreadable(&full, e))?;
            let name = entry.file_name().into_string().map_err(|name| {
                let text = format!("the name {} in {} is not UTF-8", name.display(), full.display());
                Error::invalid("package_invalid", text)
            })?;
            let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
            self.entry(&path, &name, &entry.path())?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, name: &str, full: &Path) -> Result<(), Error> {
        let meta = fs::symlink_metadata(full).map_err(|e| unreadable(full, e))?;
        if NEVER.contains(&name) || self.ignore.ignored(path, meta.is_dir()) {
            return Ok(());
        }
        if meta.is_dir() {
            let cache = path == "node_modules/.cache" || path.ends_with("/node_modules/.cache");
            // A virtual environment works only where it was made; its packages are installed anew.
            return if cache || full.join("pyvenv.cfg").exists() { Ok(()) } else { self.dir(path) };
        }
        if meta.is_symlink() {
            let target = fs::read_link(full).map_err(|e| unreadable(full, e))?;
            self.found.push((path.to_owned(), Kind::Link, target.to_string_lossy().into_owned()));
        } else if meta.is_file() {
            let executable = meta.permissions().mode() & 0o111 != 0;
            self.found.push((path.to_owned(), Kind::File { executable }, String::new()));
            self.bytes = self.bytes.saturating_add(meta.len());
        } // sockets, pipes and devices are nobody's code
        if self.bytes > self.options.max_bytes {
            return Err(too_large(&self.root, self.options.max_bytes));
        }
        if self.found.len() as u64 > self.options.max_entries {
            let text = format!("{} has more than {} files", self.root.display(), self.options.max_entries);
            return Err(Error::invalid("package_invalid", text));
        }
        Ok(())
    }

    /// The server would refuse these; here the text can name the file.
    fn check(&self) -> Result<(), Error> {
        let mut tree = Tree::new(u64::MAX);
        let bad = |name: &str, why: &str| {
            Error::invalid("package_invalid", format!("{}: {why}", self.root.join(name).display()))
        };
        for (name, kind, target) in &self.found {
            let path = SafePath::parse(name).map_err(|why| bad(name, why))?;
            let node = if *kind == Kind::Link { Node::Link(target.as_str().into()) } else { Node::File };
            tree.insert(path, node).map_err(|refusal| match refusal {
                Refusal::Bad(why) => bad(name, why),
                Refusal::Full => bad(name, "too many files"),
            })?;
        }
        tree.check_links().map_err(|(link, why)| {
            let text =
                format!("{why}; copy what it points at into the folder, or name the link in {IGNORE_FILE}");
            bad(&link, &text)
        })
    }
}

/// At most `max` bytes, even if the file grows meanwhile.
fn read(path: &Path, max: u64) -> Result<Vec<u8>, Error> {
    let file = fs::File::open(path).map_err(|e| unreadable(path, e))?;
    let mut content = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut content).map_err(|e| unreadable(path, e))?;
    if content.len() as u64 > max {
        return Err(too_large(path, max));
    }
    Ok(content)
}

fn too_large(path: &Path, limit: u64) -> Error {
    let text = format!("{} is too large: the files of a package have at most {limit} bytes", path.display());
    Error::new(anyfn_types::Kind::TooLarge, "package_too_large", text)
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::invalid("folder_unreadable", format!("{} cannot be read: {source}", path.display()))
        .caused_by(source)
}

#[cfg(test)]
mod tests;
