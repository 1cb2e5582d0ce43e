//! Which file of a package is the function.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use crate::{Error, control::Flavor};

/// What a WebAssembly file may have: more than any toolchain makes, less than what fills a disk.
const FILE_MAX: u64 = 128 << 20;

/// The function's file, open.
#[derive(Debug)]
pub(crate) struct Source {
    /// Within the package.
    pub(crate) path: String,
    pub(crate) flavor: Flavor,
    pub(crate) file: File,
}

/// Opens a file of the package, whatever links lie on the way: none may lead out of it.
pub(crate) fn open_beneath(root: &Path, path: &Path) -> io::Result<File> {
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let found: File = openat2(&root, path, flags, Mode::empty(), how)?.into();
    if found.metadata()?.is_file() { Ok(found) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// A relative path without `..`, as handlers give it; a leading `./` is taken off.
fn plain(handler: &str) -> Option<PathBuf> {
    let path: PathBuf = Path::new(handler).components().filter(|c| *c != Component::CurDir).collect();
    let clean = path.components().all(|c| matches!(c, Component::Normal(_)));
    (clean && !path.as_os_str().is_empty()).then_some(path)
}

fn has_wasm_name(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("wasm"))
}

/// The one `.wasm` file that lies at the top of the package.
fn only_one(root: &Path) -> Result<PathBuf, Error> {
    let mut found: Vec<_> = std::fs::read_dir(root)
        .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
        .map_err(Error::Package)?
        .into_iter()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| has_wasm_name(name))
        .collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Error::NotFound(
            "name it as the handler, or put one `.wasm` file at the top of the package".into(),
        )),
        (Some(_), more) => Err(Error::NotFound(format!(
            "{} `.wasm` files lie at its top; name one as the handler",
            more + 1
        ))),
    }
}

/// The handler if it names a `.wasm` file, else `bootstrap` if that is WebAssembly, else the only `.wasm` file.
pub(crate) fn find(root: &Path, handler: &str) -> Result<Source, Error> {
    let named = plain(handler).filter(|path| has_wasm_name(path));
    if let Some(path) = named {
        let missing = |e: io::Error| Error::NotFound(format!("`{}`: {}", path.display(), e.kind()));
        return checked(open_beneath(root, &path).map_err(missing)?, &path);
    }
    let bootstrap = Path::new("bootstrap");
    if let Ok(file) = open_beneath(root, bootstrap)
        && let Ok(source) = checked(file, bootstrap)
    {
        return Ok(source);
    }
    let path = only_one(root)?;
    checked(open_beneath(root, &path).map_err(Error::Package)?, &path)
}

/// Looks at the first bytes (core specification, binary format, modules; component model, `Binary.md`, preamble).
fn checked(mut file: File, path: &Path) -> Result<Source, Error> {
    let path = path.display().to_string();
    if file.metadata().map_err(Error::Package)?.len() > FILE_MAX {
        return Err(Error::Invalid(format!("{path} (more than {} MiB)", FILE_MAX >> 20)));
    }
    let mut magic = Vec::with_capacity(8);
    (&mut file).take(8).read_to_end(&mut magic).map_err(Error::Package)?;
    file.rewind().map_err(Error::Package)?;
    let flavor = match magic.as_slice() {
        b"\0asm\x01\0\0\0" => Flavor::Module,
        b"\0asm\x0d\0\x01\0" => Flavor::Component,
        // Engines keep machine code in ELF files.
        [0x7f, b'E', b'L', b'F', ..] => return Err(Error::Precompiled(path)),
        _ => return Err(Error::Invalid(path)),
    };
    Ok(Source { path, flavor, file })
}

/// Whether a file begins as WebAssembly does, for whoever must choose a contract before the code is unpacked.
pub fn is_wasm(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(b"\0asm")
}

/// Opens the server's own program, to be started inside of a sandbox.
pub(crate) fn program(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests;
