//! The SDK that functions find without bringing it, as on Lambda: boto3 and what it needs for Python, `@aws-sdk` for Node.
//!
//! It is whatever this host's interpreters have, never fetched. Guests must see it under `/var/runtime` and nothing else of
//! the folder that it comes from, so it is linked there if guests see that folder anyway, and else copied, once.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::interpreters::{ALWAYS_THERE, Interpreters, Language, Release};

/// What boto3 consists of.
const PYTHON: [&str; 7] = ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"];
const NODE: [&str; 3] = ["@aws-sdk", "@smithy", "@aws-crypto"];

/// Blocks, the first time for as long as copying some 2,000 small files takes. What fails is not provided.
pub(crate) fn provide(runtime_dir: &Path, interpreters: &Interpreters, search: &[PathBuf]) {
    let mut node = false;
    for (language, release, found) in interpreters.releases() {
        let made = match language {
            Language::Python => python(runtime_dir, release, search),
            Language::Node if !node => {
                let folder = found.host.ancestors().nth(2).map(|prefix| prefix.join("lib/node_modules"));
                node = true;
                folder.map_or(Ok(()), |folder| {
                    bring(&folder, &NODE[..1], &NODE, &runtime_dir.join("node_modules"))
                })
            }
            Language::Node => Ok(()),
        };
        if let Err(error) = made {
            tracing::debug!(?release, %error, "the SDK is not provided");
        }
    }
}

fn python(runtime_dir: &Path, (major, minor): Release, search: &[PathBuf]) -> io::Result<()> {
    let name = format!("python{major}.{minor}");
    let mut folders = vec![
        PathBuf::from(format!("/usr/local/lib/{name}/dist-packages")),
        PathBuf::from(format!("/usr/local/lib/{name}/site-packages")),
        PathBuf::from("/usr/lib/python3/dist-packages"),
        PathBuf::from(format!("/usr/lib/{name}/site-packages")),
    ];
    for folder in search {
        let below = |folder: &Path| folder.join("lib").join(&name).join("site-packages");
        folders.push(below(folder));
        let mut versions: Vec<_> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        versions.sort();
        folders.extend(versions.iter().map(|version| below(version)));
    }
    let Some(folder) =
        folders.into_iter().find(|folder| PYTHON.iter().all(|part| folder.join(part).exists()))
    else {
        return Ok(());
    };
    bring(&folder, &PYTHON, &PYTHON, &runtime_dir.join(name))
}

/// Makes `target` hold those parts of `folder` that are there, whole or not at all.
fn bring(folder: &Path, needed: &[&str], parts: &[&str], target: &Path) -> io::Result<()> {
    let folder = folder.canonicalize()?;
    if target.exists() || !needed.iter().all(|part| folder.join(part).exists()) {
        return Ok(());
    }
    let fresh = target.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir_all(&fresh)?;
    let seen = ALWAYS_THERE.iter().any(|place| folder.starts_with(place));
    for part in parts.iter().filter(|part| folder.join(part).exists()) {
        if seen {
            symlink(folder.join(part), fresh.join(part))?;
        } else {
            copy(&folder.join(part), &fresh.join(part))?;
        }
    }
    fs::rename(fresh, target)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from)?.file_type();
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if kind.is_file() {
        // A link costs nothing; it cannot cross file systems.
        if fs::hard_link(from, to).is_err() {
            fs::copy(from, to)?;
            // Byte code is valid for a source of exactly this time.
            fs::File::options().append(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
