//! Packages as base64 of zips.

use std::{fs, io::Write as _, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zip::{ZipWriter, write::SimpleFileOptions};

pub(super) fn file(name: &str, content: &[u8], mode: u32) -> anyhow::Result<String> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = ZipWriter::new(&mut bytes);
    zip.start_file(name, SimpleFileOptions::default().unix_permissions(mode))?;
    zip.write_all(content)?;
    zip.finish()?;
    Ok(STANDARD.encode(bytes.into_inner()))
}

/// A folder's files below `prefix`; byte code and links are left out.
pub(super) fn folder(root: &Path, prefix: &str) -> anyhow::Result<String> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = ZipWriter::new(&mut bytes);
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        let listed = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut entries = listed.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind, name) = (entry.path(), entry.file_type()?, entry.file_name());
            if kind.is_dir() && name != "__pycache__" && name != ".bin" {
                open.push(path);
            } else if kind.is_file() {
                let below = path.strip_prefix(root)?.to_string_lossy().into_owned();
                zip.start_file(
                    format!("{prefix}/{below}"),
                    SimpleFileOptions::default().unix_permissions(0o644),
                )?;
                zip.write_all(&fs::read(&path)?)?;
            }
        }
    }
    zip.finish()?;
    Ok(STANDARD.encode(bytes.into_inner()))
}

#[cfg(test)]
mod tests;
