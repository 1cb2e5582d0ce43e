//! Writes a checked archive into a folder.
//!
//! Order matters: names first (nothing is written if any is bad), then folders and files, links last — so no file is
//! ever written through a link. Memory is two small buffers, whatever the archive says.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use anyfn_types::Limits;
use flate2::{Decompress, FlushDecompress, Status};

use crate::{
    archive::{self, Entry, Method},
    error::Fault,
    staging::set_mode,
    tree::{Node, Refusal, SafePath, TARGET_MAX, Tree},
};

const CHUNK: usize = 64 * 1024;
/// Targets of all links together, in bytes: they are held in memory.
const TARGETS_MAX: usize = 8 << 20;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// What an entry will be on disk.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Dir,
    File,
    Link(Box<str>),
}

/// Checks `zip` whole and unpacks it into `into`, an empty folder. Gives the bytes of all files together.
pub(crate) fn unpack(zip: &[u8], into: &Path, limits: &Limits) -> Result<u64, Fault> {
    let entries = archive::entries(zip, limits.package_entries)?;
    let mut total = 0_u64;
    for entry in &entries {
        // What claims to be too large is refused before it costs anything; what lies about it is found while unpacking.
        total = total.saturating_add(entry.size);
        if total > limits.unpacked_bytes {
            return Err(Fault::unpacked(limits.unpacked_bytes));
        }
    }
    let plans = plan(&entries, limits.package_entries)?;
    let mut buffer = vec![0; CHUNK];
    for (index, (entry, (path, plan))) in entries.iter().zip(&plans).enumerate() {
        let path = path.join();
        match plan {
            Plan::Dir => make_dirs(into, &path)?,
            Plan::File => {
                make_parent(into, &path)?;
                write_file(entry, &into.join(&path), index, &mut buffer)?;
            }
            Plan::Link(_) => make_parent(into, &path)?,
        }
    }
    for (index, (path, plan)) in plans.iter().enumerate() {
        if let Plan::Link(to) = plan {
            symlink(&**to, into.join(path.join())).map_err(|e| taken(e, index))?;
        }
    }
    Ok(total)
}

/// Decides what every entry becomes and proves that the names and links make sense together.
fn plan<'a>(entries: &[Entry<'a>], limit: u64) -> Result<Vec<(SafePath<'a>, Plan)>, Fault> {
    let mut tree = Tree::new(limit);
    let mut targets = 0;
    let mut plans = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let bad = |why| Fault::Entry { index, why };
        let path = SafePath::parse(entry.name).map_err(bad)?;
        let plan = kind(entry).map_err(bad)?;
        let node = match &plan {
            Plan::Dir => Node::Dir,
            Plan::File => Node::File,
            Plan::Link(to) => {
                targets += to.len();
                Node::Link(to.clone())
            }
        };
        if targets > TARGETS_MAX {
            return Err(bad("links hold too much"));
        }
        tree.insert(path, node).map_err(|refusal| match refusal {
            Refusal::Bad(why) => bad(why),
            Refusal::Full => Fault::TooMany(limit),
        })?;
        plans.push((path, plan));
    }
    tree.check_links().map_err(|(_, why)| Fault::Unreadable(why))?;
    Ok(plans)
}

fn kind(entry: &Entry<'_>) -> Result<Plan, &'static str> {
    let slash = entry.name.ends_with('/');
    match entry.mode & S_IFMT {
        0 | S_IFDIR if slash => {}
        S_IFDIR => {}
        _ if slash => return Err("a folder's name on something else"),
        0 | S_IFREG => return Ok(Plan::File),
        S_IFLNK => return link_target(entry).map(|to| Plan::Link(to.into())),
        _ => return Err("neither file, folder nor link"),
    }
    if entry.size == 0 { Ok(Plan::Dir) } else { Err("a folder with content") }
}

fn link_target(entry: &Entry<'_>) -> Result<String, &'static str> {
    if entry.size > TARGET_MAX as u64 {
        return Err("link has no sane target");
    }
    let mut target = Vec::new();
    let mut buffer = [0; TARGET_MAX + 1];
    inflate(entry, &mut buffer, |piece| {
        target.extend_from_slice(piece);
        Ok(())
    })
    .map_err(|_: Inflate| "data is damaged")?;
    String::from_utf8(target).map_err(|_| "link has no sane target")
}

fn make_parent(into: &Path, path: &str) -> Result<(), Fault> {
    path.rsplit_once('/').map_or(Ok(()), |(parent, _)| make_dirs(into, parent))
}

/// Like `create_dir_all`, but sets the mode of every folder that it makes.
fn make_dirs(into: &Path, path: &str) -> Result<(), Fault> {
    let full = into.join(path);
    if path.is_empty() || full.is_dir() {
        return Ok(());
    }
    make_parent(into, path)?;
    fs::create_dir(&full).map_err(Fault::disk("make a folder"))?;
    set_mode(&full, 0o755)
}

fn write_file(entry: &Entry<'_>, target: &Path, index: usize, buffer: &mut [u8]) -> Result<(), Fault> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(|e| taken(e, index))?;
    let mut head = [0_u8; 4];
    let mut seen = 0;
    inflate(entry, buffer, |piece| {
        for byte in piece.iter().take(4_usize.saturating_sub(seen)) {
            head[seen] = *byte;
            seen += 1;
        }
        file.write_all(piece)
    })
    .map_err(|e| match e {
        Inflate::Damaged(why) => Fault::Entry { index, why },
        Inflate::Disk(source) => Fault::Disk { what: "write a file", source },
    })?;
    let mode = if executable(entry, &head) { 0o755 } else { 0o644 };
    finish(&file, mode, entry.modified).map_err(Fault::disk("finish a file"))
}

/// The archive's own word if it gives any permission bits. Archives without (made on Windows, or by code that sets none)
/// get the bit for what can be run: scripts with `#!`, ELF files, and `bootstrap`.
fn executable(entry: &Entry<'_>, head: &[u8]) -> bool {
    let bits = entry.mode & 0o777;
    if bits != 0 {
        return bits & 0o111 != 0;
    }
    head.starts_with(b"#!") || head == b"\x7fELF" || matches!(entry.name, "bootstrap" | "./bootstrap")
}

/// setuid, setgid and sticky never get here: only these two modes exist.
fn finish(file: &File, mode: u32, modified: Option<u64>) -> std::io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    match modified {
        Some(seconds) => file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        None => Ok(()),
    }
}

/// A name that is taken although the tree found it free: the disk folds case or Unicode forms. Refused, not overwritten.
fn taken(source: std::io::Error, index: usize) -> Fault {
    if source.kind() == std::io::ErrorKind::AlreadyExists {
        return Fault::Entry { index, why: "name collides with another" };
    }
    Fault::Disk { what: "make a file", source }
}

#[derive(Debug)]
enum Inflate {
    Damaged(&'static str),
    Disk(std::io::Error),
}

/// Hands the content over in pieces. Never more than the entry's claimed size, never less, and with its checksum.
fn inflate(
    entry: &Entry<'_>,
    buffer: &mut [u8],
    mut sink: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<(), Inflate> {
    let mut crc = crc32fast::Hasher::new();
    let mut left = entry.size;
    let mut take = |piece: &[u8]| {
        left = left.checked_sub(piece.len() as u64).ok_or(Inflate::Damaged("larger than it claims"))?;
        crc.update(piece);
        sink(piece).map_err(Inflate::Disk)
    };
    match entry.method {
        Method::Stored => entry.data.chunks(buffer.len()).try_for_each(&mut take)?,
        Method::Deflated => deflated(entry.data, buffer, &mut take)?,
    }
    if left != 0 {
        return Err(Inflate::Damaged("smaller than it claims"));
    }
    if crc.finalize() != entry.crc {
        return Err(Inflate::Damaged("checksum differs"));
    }
    Ok(())
}

fn deflated(
    data: &[u8],
    buffer: &mut [u8],
    take: &mut impl FnMut(&[u8]) -> Result<(), Inflate>,
) -> Result<(), Inflate> {
    let mut stream = Decompress::new(false);
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let from = usize::try_from(read).map_err(|_| Inflate::Damaged("data is damaged"))?;
        let status = stream
            .decompress(&data[from..], buffer, FlushDecompress::None)
            .map_err(|_| Inflate::Damaged("data is damaged"))?;
        let made = usize::try_from(stream.total_out() - written).unwrap_or(buffer.len());
        take(&buffer[..made])?;
        match status {
            Status::StreamEnd if stream.total_in() == data.len() as u64 => return Ok(()),
            Status::StreamEnd => return Err(Inflate::Damaged("bytes after the data")),
            Status::Ok | Status::BufError if made == 0 && stream.total_in() == read => {
                return Err(Inflate::Damaged("data is cut short"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
mod tests;
