//! Whether what a server asks for makes sense and is within what it may ask for.

use std::path::{Component, Path, PathBuf};

use crate::{
    inside::PLACES,
    proto::{Create, Furnish, Hello, Limits, Template},
};

/// 4 MiB: below, not even the set-up fits.
const MEMORY_MIN: u64 = 4 << 20;
/// Folders of a sandbox that no bind may hide or add to.
const OWN: &[&str] =
    &["/proc", "/dev", "/etc", "/tmp", "/run", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/sys"];
const BINDS_MAX: usize = 64;

pub(super) fn hello(hello: &Hello, allowed: Option<&[PathBuf]>) -> Result<(), String> {
    let name = &hello.cgroup_name;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 40 || !name.bytes().all(plain) {
        return Err("the cgroup name needs 1 to 40 letters, digits, `-` or `_`".into());
    }
    if hello.spare_tmp > 64 {
        return Err("at most 64 spare images".into());
    }
    let roots = hello.bind_roots.iter().chain(&hello.runtime_prefixes);
    for root in roots.chain([&hello.scratch_dir]) {
        let path = Path::new(root);
        if !clean(path) {
            return Err(format!("{root} is no clean absolute path"));
        }
        if allowed.is_some_and(|allowed| !allowed.iter().any(|a| path.starts_with(a))) {
            return Err(format!("{root} is not among the folders that this helper may show"));
        }
    }
    Ok(())
}

pub(super) fn create(spec: &Create, roots: &[PathBuf]) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let host = &spec.hostname;
    if host.is_empty() || host.len() > 63 || !host.bytes().all(plain) {
        return Err("the host name needs 1 to 63 letters, digits, `-` or `.`".into());
    }
    limits(spec.limits())?;
    within(&[
        ("open_files", spec.open_files, 16, 1 << 20),
        ("tmp_bytes", spec.tmp_bytes, 1 << 20, 1 << 44),
        ("tmp_inodes", spec.tmp_inodes, 16, 1 << 30),
    ])?;
    if spec.listen == Some(0) {
        return Err("the port must be named".into());
    }
    if spec.binds.len() > BINDS_MAX {
        return Err(format!("at most {BINDS_MAX} binds"));
    }
    spec.binds.iter().try_for_each(|(source, target)| bind(source, target, roots))
}

pub(super) fn limits(limits: Limits) -> Result<(), String> {
    within(&[
        ("memory_bytes", limits.memory_bytes, MEMORY_MIN, 1 << 46),
        ("cpu_millis", limits.cpu_millis.into(), 1, 1 << 20),
        ("pids", limits.pids.into(), 2, 1 << 20),
    ])
}

pub(super) fn furnish(with: &Furnish, roots: &[PathBuf]) -> Result<(), String> {
    limits(with.limits)?;
    for (at, (source, target)) in with.binds.iter().enumerate() {
        bind(source, target, roots)?;
        let again = with.binds[..at].iter().any(|(_, earlier)| earlier == target);
        if again || !PLACES.contains(&target.as_str()) {
            return Err(format!("{target} is no place for code in a sandbox that stands"));
        }
    }
    Ok(())
}

fn within(ranges: &[(&str, u64, u64, u64)]) -> Result<(), String> {
    let out = ranges.iter().find(|(_, value, least, most)| !(least..=most).contains(&value));
    out.map_or(Ok(()), |(name, value, least, most)| {
        Err(format!("{name} is {value}; the range is {least} to {most}"))
    })
}

pub(super) fn template(spec: &Template, roots: &[PathBuf]) -> Result<(), String> {
    if !spec.argv.first().is_some_and(|program| clean(Path::new(program))) {
        return Err("the template's program needs a clean absolute path".into());
    }
    create(&spec.root, roots)
}

fn bind(source: &str, target: &str, roots: &[PathBuf]) -> Result<(), String> {
    let (from, to) = (Path::new(source), Path::new(target));
    if !clean(from) || !roots.iter().any(|root| from.starts_with(root)) {
        return Err(format!("the source of {target} is outside of the folders that may be shown"));
    }
    if !clean(to) || to == Path::new("/") || OWN.iter().any(|own| to.starts_with(own)) {
        return Err(format!("{target} cannot be the target of a bind"));
    }
    Ok(())
}

/// Absolute, and without `.`, `..` or doubled slashes to hide behind.
fn clean(path: &Path) -> bool {
    let plain = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    path.is_absolute() && plain && !path.as_os_str().as_encoded_bytes().contains(&0)
}

#[cfg(test)]
mod tests;
