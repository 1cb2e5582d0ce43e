//! Version 2: one folder, and a clone is born in it.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::PathBuf,
};

use super::{TRIES, Used, children, claim, cpu_quota, keyed, mounts, number, pause, remove_dir};
use crate::proto::Limits;

const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];

/// The parent group.
#[derive(Debug)]
pub(crate) struct Parent {
    folder: PathBuf,
    /// Held open: the claim on the name.
    _claim: File,
}

/// The group of one sandbox.
#[derive(Debug)]
pub(crate) struct Child(PathBuf);

impl Parent {
    /// None if this hierarchy does not have the controllers (then version 1 has them).
    pub(super) fn open(mountinfo: &str, name: &str) -> io::Result<Option<Self>> {
        let Some(mount) = mounts(mountinfo, "cgroup2").next() else { return Ok(None) };
        let controllers = fs::read_to_string(mount.point.join("cgroup.controllers"))?;
        if !NEEDED.iter().all(|needed| controllers.split_whitespace().any(|c| c == *needed)) {
            return Ok(None);
        }
        fs::write(mount.point.join("cgroup.subtree_control"), "+memory +cpu +pids")?;
        let parent = Self::claimed(mount.point.join(name))?;
        fs::write(parent.folder.join("cgroup.subtree_control"), "+memory +cpu +pids")?;
        Ok(Some(parent))
    }

    fn claimed(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let parent = Self { _claim: claim(&folder)?, folder };
        parent.clean();
        Ok(parent)
    }

    fn clean(&self) {
        for folder in children(&self.folder) {
            let child = Child(folder);
            child.kill();
            let _ = child.remove();
        }
    }

    pub(super) fn create(&self, label: &str, limits: Limits) -> io::Result<Child> {
        let child = Child(self.folder.join(label));
        fs::create_dir(&child.0)?;
        let made = child.limit(limits);
        if made.is_err() {
            let _ = child.remove();
        }
        made.map(|()| child)
    }

    pub(super) fn close(&self) {
        self.clean();
        let _ = remove_dir(&self.folder);
    }
}

impl Child {
    pub(super) fn limit(&self, limits: Limits) -> io::Result<()> {
        fs::write(self.0.join("memory.max"), limits.memory_bytes.to_string())?;
        // Hosts without swap have no such file.
        let _ = fs::write(self.0.join("memory.swap.max"), "0");
        // One killed process would leave a half-dead instance.
        fs::write(self.0.join("memory.oom.group"), "1")?;
        fs::write(self.0.join("pids.max"), limits.pids.to_string())?;
        let (period, quota) = cpu_quota(limits.cpu_millis);
        fs::write(self.0.join("cpu.max"), format!("{quota} {period}"))
    }

    /// For `CLONE_INTO_CGROUP`.
    pub(crate) fn folder(&self) -> io::Result<OwnedFd> {
        File::open(&self.0).map(OwnedFd::from)
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        fs::write(self.0.join("cgroup.freeze"), if frozen { "1" } else { "0" })?;
        for _ in 0..TRIES {
            if keyed(&self.0.join("cgroup.events"), "frozen")? == u64::from(frozen) {
                return Ok(());
            }
            pause();
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(super) fn used(&self) -> io::Result<Used> {
        // The peak came with Linux 5.19.
        let memory_bytes = number(&self.0.join("memory.current"))?;
        Ok(Used {
            memory_bytes,
            memory_peak_bytes: number(&self.0.join("memory.peak")).unwrap_or(memory_bytes),
            cpu_us: keyed(&self.0.join("cpu.stat"), "usage_usec")?,
            processes: u32::try_from(number(&self.0.join("pids.current"))?).unwrap_or(u32::MAX),
            out_of_memory: keyed(&self.0.join("memory.events"), "oom_kill")? > 0,
        })
    }

    fn kill(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        for _ in 0..TRIES {
            if keyed(&self.0.join("cgroup.events"), "populated").unwrap_or(0) == 0 {
                return;
            }
            pause();
        }
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        remove_dir(&self.0)
    }
}

#[cfg(test)]
mod tests;
