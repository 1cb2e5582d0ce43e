//! Where things lie, and which programs are here. The environment is read here and nowhere else.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

pub(crate) fn cases_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

pub(crate) fn lib_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lib")
}

/// The folder of our own binary: `target/debug`.
fn beside() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("find our own binary")?;
    Ok(exe.parent().context("our own binary has no folder")?.to_path_buf())
}

/// Other people's clients, one folder each.
pub(crate) fn parts_dir() -> Result<PathBuf> {
    match std::env::var_os("ANYFN_PARTS").filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(dir.into()),
        None => Ok(beside()?.parent().context("the target folder")?.join("parts")),
    }
}

/// The server's binary: as given, or the workspace's, built.
pub(crate) fn binary(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = given {
        return path.canonicalize().with_context(|| format!("find {}", path.display()));
    }
    let dir = beside()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--locked", "--quiet", "--package", "anyfn"])
        .current_dir(root())
        .stdin(Stdio::null());
    if dir.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    if !cargo.status().context("start cargo")?.success() {
        bail!("the server could not be built");
    }
    let path = dir.join("anyfn");
    if !path.is_file() {
        bail!("cargo made no {}", path.display());
    }
    Ok(path)
}

pub(crate) fn path_variable() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// Our own environment but for anyfn's and AWS's settings: what a server is started with.
pub(crate) fn clean_environment() -> impl Iterator<Item = (OsString, OsString)> {
    let ours = |name: &str| ["ANYFN_", "AWS_", "CARGO"].iter().any(|prefix| name.starts_with(prefix));
    std::env::vars_os().filter(move |(name, _)| !ours(&name.to_string_lossy()))
}

/// Where package managers and toolchains of this machine keep what they need, for scripts whose home is empty.
pub(crate) fn toolchains() -> Vec<(OsString, OsString)> {
    let told = |name: &str| {
        ["PIP_", "RUSTUP_", "CARGO_HOME", "npm_config_", "SSL_"].iter().any(|p| name.starts_with(p))
    };
    let mut all: Vec<_> = std::env::vars_os().filter(|(name, _)| told(&name.to_string_lossy())).collect();
    let Some(home) = std::env::var_os("HOME").map(PathBuf::from) else { return all };
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if home.join(folder).is_dir() && all.iter().all(|(known, _)| known != name) {
            all.push((name.into(), home.join(folder).into()));
        }
    }
    all
}

pub(crate) fn in_path(program: &str) -> bool {
    std::env::split_paths(&path_variable()).any(|dir| dir.join(program).is_file())
}

/// The interpreter that lies in a part, if that is here.
pub(crate) fn part_python(parts: &Path, part: &str) -> Option<PathBuf> {
    Some(parts.join(part).join("bin/python")).filter(|path| path.exists())
}
