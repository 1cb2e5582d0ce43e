//! Roots laid over each other, as an overlay file system would, but once and on disk: files are hard links, so it costs
//! names and no bytes.
//!
//! What must stay true: nothing is written through a link (a folder that meets a link replaces it), and since a link
//! that was fine in its own root may lead out among the others' folders, all links are checked again at the end.

use std::{borrow::Cow, fs, io, os::unix::fs::symlink, path::Path};

use crate::{
    error::Fault,
    staging::set_mode,
    tree::{Node, Refusal, Tree},
};

/// Lays `roots` over each other into `into`, an empty folder; later ones overwrite earlier ones. Gives the bytes of all
/// files. At most `entries` names.
pub(crate) fn merge(roots: &[&Path], into: &Path, entries: u64) -> Result<u64, Fault> {
    for root in roots {
        lay(root, into)?;
    }
    let mut tree = Tree::new(entries);
    let bytes = read(into, 0, &mut tree, entries)?;
    tree.check_links().map_err(|(_, why)| Fault::Unreadable(why))?;
    Ok(bytes)
}

/// Depth is bounded by the packages' own check.
fn lay(from: &Path, into: &Path) -> Result<(), Fault> {
    for entry in fs::read_dir(from).map_err(Fault::disk("read a root"))? {
        let entry = entry.map_err(Fault::disk("read a root"))?;
        let kind = entry.file_type().map_err(Fault::disk("read a root"))?;
        let (source, target) = (entry.path(), into.join(entry.file_name()));
        if kind.is_dir() {
            if make_room(&target, true)? {
                fs::create_dir(&target).map_err(Fault::disk("make a folder"))?;
                set_mode(&target, 0o755)?;
            }
            lay(&source, &target)?;
        } else {
            make_room(&target, false)?;
            if kind.is_symlink() {
                let to = fs::read_link(&source).map_err(Fault::disk("read a link"))?;
                symlink(to, &target).map_err(Fault::disk("make a link"))?;
            } else {
                link_or_copy(&source, &target).map_err(Fault::disk("link a file"))?;
            }
        }
    }
    Ok(())
}

/// Removes what `target` is now, unless it is a folder and a folder comes. Gives whether the name is free.
fn make_room(target: &Path, for_dir: bool) -> Result<bool, Fault> {
    let removed = match fs::symlink_metadata(target) {
        Ok(now) if now.is_dir() && for_dir => return Ok(false),
        Ok(now) if now.is_dir() => fs::remove_dir_all(target),
        Ok(_) => fs::remove_file(target),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    };
    removed.map_err(Fault::disk("replace a file"))?;
    Ok(true)
}

/// File systems bound the links of one file, and some have none.
fn link_or_copy(source: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(source, target) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(source, target).map(drop),
    }
}

fn read(dir: &Path, id: u32, tree: &mut Tree<'static>, entries: u64) -> Result<u64, Fault> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).map_err(Fault::disk("read a root"))? {
        let entry = entry.map_err(Fault::disk("read a root"))?;
        let meta = entry.metadata().map_err(Fault::disk("read a root"))?;
        let name = Cow::Owned(entry.file_name().into_string().map_err(|_| Fault::Unreadable("a name"))?);
        let node = if meta.is_dir() {
            Node::Dir
        } else if meta.is_symlink() {
            let to = fs::read_link(entry.path()).map_err(Fault::disk("read a link"))?;
            Node::Link(to.to_string_lossy().into())
        } else {
            bytes += meta.len();
            Node::File
        };
        let child = tree.add(id, name, node).map_err(|refusal| match refusal {
            Refusal::Full => Fault::TooMany(entries),
            Refusal::Bad(why) => Fault::Unreadable(why),
        })?;
        if meta.is_dir() {
            bytes += read(&entry.path(), child, tree, entries)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
