//! Limits for a sandbox as a whole. One type for both versions of the kernel's interface.
//!
//! Every helper owns one parent group, `anyfn-<name>`, in each hierarchy, and a child of it per sandbox.

mod v1;
mod v2;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::proto::Limits;

/// Times that a group is looked at before it is given up as busy.
const TRIES: usize = 200;

/// What a group has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) memory_bytes: u64,
    pub(crate) memory_peak_bytes: u64,
    pub(crate) cpu_us: u64,
    pub(crate) processes: u32,
    /// Something was killed because the memory limit was reached.
    pub(crate) out_of_memory: bool,
}

/// The hierarchies of this host.
#[derive(Debug)]
pub(crate) enum Cgroups {
    V2(v2::Parent),
    V1(v1::Parents),
    /// Not usable; the reason.
    Missing(String),
}

/// The group of one sandbox.
#[derive(Debug)]
pub(crate) enum Group {
    V2(v2::Child),
    V1(v1::Child),
    None,
}

impl Cgroups {
    /// Finds the hierarchies, makes the parent group, and cleans it of what an earlier run left.
    ///
    /// # Errors
    /// If another helper uses the name: cleaning would kill its sandboxes.
    pub(crate) fn open(name: &str) -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let name = format!("anyfn-{name}");
        let found = match v2::Parent::open(&mounts, &name) {
            Ok(Some(parent)) => return Ok(Self::V2(parent)),
            Ok(None) => v1::Parents::open(&mounts, &name),
            Err(e) => Err(e),
        };
        match found {
            Ok(Some(parents)) => Ok(Self::V1(parents)),
            Ok(None) => Ok(Self::Missing("no memory, pids and cpu controllers are mounted".into())),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => Err(e),
            Err(e) => Ok(Self::Missing(format!("controllers are mounted but cannot be used: {e}"))),
        }
    }

    /// Makes a group with its limits.
    pub(crate) fn create(&self, label: &str, limits: Limits) -> io::Result<Group> {
        match self {
            Self::V2(parent) => parent.create(label, limits).map(Group::V2),
            Self::V1(parents) => parents.create(label, limits).map(Group::V1),
            Self::Missing(_) => Ok(Group::None),
        }
    }

    /// How limits are kept, and whether they are.
    pub(crate) fn describe(&self) -> (bool, String) {
        match self {
            Self::V2(_) => (true, "version 2: memory, cpu, pids, freeze, kill".into()),
            Self::V1(parents) => parents.describe(),
            Self::Missing(why) => (false, why.clone()),
        }
    }

    /// Gives the parent group back.
    pub(crate) fn close(&self) {
        match self {
            Self::V2(parent) => parent.close(),
            Self::V1(parents) => parents.close(),
            Self::Missing(_) => {}
        }
    }
}

impl Group {
    pub(crate) fn freeze(&self, frozen: bool) -> io::Result<()> {
        match self {
            Self::V2(child) => child.freeze(frozen),
            Self::V1(child) => child.freeze(frozen),
            Self::None => Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)),
        }
    }

    pub(crate) fn limit(&self, limits: Limits) -> io::Result<()> {
        match self {
            Self::V2(child) => child.limit(limits),
            Self::V1(child) => child.limit(limits),
            Self::None => Ok(()),
        }
    }

    pub(crate) fn used(&self) -> io::Result<Used> {
        match self {
            Self::V2(child) => child.used(),
            Self::V1(child) => child.used(),
            Self::None => Ok(Used::default()),
        }
    }

    /// Removes the group; nothing lives in it any more.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match self {
            Self::V2(child) => child.remove(),
            Self::V1(child) => child.remove(),
            Self::None => Ok(()),
        }
    }
}

/// A mount of a cgroup file system: where, and its super options.
struct Mount<'a> {
    point: PathBuf,
    options: Vec<&'a str>,
}

/// Mounts of one file system type whose root is the hierarchy's root, from the text of `/proc/self/mountinfo`.
fn mounts<'a>(mountinfo: &'a str, kind: &'a str) -> impl Iterator<Item = Mount<'a>> {
    mountinfo.lines().filter_map(move |line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (fstype, _, options) = (right.next()?, right.next()?, right.next()?);
        let point = left.split(' ').nth(4)?;
        (fstype == kind).then(|| Mount { point: point.into(), options: options.split(',').collect() })
    })
}

fn number(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    // "max" and what overflows are as good as no bound.
    Ok(text.trim().parse().unwrap_or(u64::MAX))
}

/// The value beside a key in a file of `key value` lines; 0 if it is not there.
fn keyed(path: &Path, key: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let found = text.lines().filter_map(|line| line.split_once(' ')).find(|(name, _)| *name == key);
    Ok(found.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0))
}

/// Removes a group; one that is just being left by its last process is busy for a moment.
fn remove_dir(path: &Path) -> io::Result<()> {
    for _ in 0..TRIES {
        match fs::remove_dir(path) {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => pause(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => return other,
        }
    }
    fs::remove_dir(path)
}

/// Half a millisecond.
fn pause() {
    let moment = rustix::event::Timespec { tv_sec: 0, tv_nsec: 500_000 };
    // A poll of nothing is a sleep that needs no clock.
    let _ = rustix::event::poll(&mut [], Some(&moment));
}

/// Period and quota of the CPU limit in microseconds. A short period keeps the stalls of a small share short; the kernel
/// takes no quota under 1 ms.
fn cpu_quota(millis: u32) -> (u64, u64) {
    let period: u64 = if millis >= 50 { 20_000 } else { 100_000 };
    (period, (u64::from(millis) * period / 1000).max(1000))
}

/// Takes a parent group for this helper alone, for as long as the file lives. A helper that is just dying may still hold
/// it.
fn claim(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => pause(),
            Err(fs::TryLockError::Error(e)) => return Err(e),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "another helper uses this cgroup name"))
}

/// The folders in a group's folder.
fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

#[cfg(test)]
mod tests;
