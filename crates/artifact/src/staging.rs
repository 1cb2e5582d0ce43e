//! A folder that becomes a root by one rename, or goes away.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::error::Fault;

/// Removed with all it holds when dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Staging {
    path: Option<PathBuf>,
}

impl Staging {
    /// `parent/name` must not exist.
    pub(crate) fn create(parent: &Path, name: &str) -> Result<Self, Fault> {
        let path = parent.join(name);
        fs::create_dir(&path).map_err(Fault::disk("make a staging folder"))?;
        let staging = Self { path: Some(path) };
        set_mode(staging.path(), 0o755)?;
        Ok(staging)
    }

    pub(crate) fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or_else(|| Path::new(""))
    }

    /// Leaves it to the caller to remove, who may have a better moment for it.
    pub(crate) fn give_up(mut self) -> Option<PathBuf> {
        self.path.take()
    }

    /// Makes it the root `to`.
    pub(crate) fn keep(mut self, to: &Path) -> Result<(), Fault> {
        fs::rename(self.path(), to).map_err(Fault::disk("put a root in place"))?;
        self.path = None;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = fs::remove_dir_all(path)
        {
            // The next start removes what is left here.
            tracing::warn!(%error, "a staging folder stays behind");
        }
    }
}

/// Sets the mode whatever the process's umask is: sandboxes read under other uids.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), Fault> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Fault::disk("set a mode"))
}
