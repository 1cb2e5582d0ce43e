//! Whether a template would run only what the host's owner wrote. A template is root, so every file that it could load has
//! to belong to root and to be writable for root alone. Looked at from inside of the template's own root, after it is
//! built: what is checked is what is there, whatever its path on the host is.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Entries looked at before giving up.
const MOST: usize = 1_000_000;
/// Made by the set-up, and empty or the kernel's.
const OWN: &[&str] = &["/proc", "/dev", "/tmp", "/run"];
/// Of these only the parts that hold code.
const SYSTEM: &[&str] = &["/usr", "/usr/local"];
const SYSTEM_CODE: &[&str] = &["bin", "sbin", "lib", "local"];

/// An error names the first file that others may write. With `system_checked` the host's own runtime folders are known to
/// be good.
pub(super) fn check(system_checked: bool) -> io::Result<()> {
    let mut left = vec![PathBuf::from("/")];
    let mut seen = 0;
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            seen += 1;
            if seen > MOST {
                return Err(io::Error::other(format!("more than {MOST} files")));
            }
            if skipped(&folder, &path, system_checked) {
                continue;
            }
            let found = entry.metadata()?;
            // A link has no mode of its own; where it leads to is looked at where it lies.
            let open = !found.is_symlink() && found.mode() & 0o022 != 0;
            if found.uid() != 0 || open {
                let (uid, mode) = (found.uid(), found.mode() & 0o7777);
                let path = path.display();
                return Err(io::Error::other(format!(
                    "{path} (user {uid}, mode {mode:o}) is not root's alone"
                )));
            }
            if found.is_dir() {
                left.push(path);
            }
        }
    }
    Ok(())
}

fn skipped(folder: &Path, path: &Path, system_checked: bool) -> bool {
    if OWN.iter().any(|own| path == Path::new(own)) || (system_checked && path == Path::new("/usr")) {
        return true;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    SYSTEM.iter().any(|system| folder == Path::new(system))
        && !SYSTEM_CODE.iter().any(|code| name.starts_with(code))
}
