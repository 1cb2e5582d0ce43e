//! Version 1: one folder per controller, a process joins each of them by itself.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{TRIES, Used, children, claim, cpu_quota, keyed, mounts, number, pause, remove_dir};
use crate::proto::Limits;

/// Parent folders by controller.
#[derive(Debug)]
pub(crate) struct Parents {
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    cpuacct: Option<PathBuf>,
    freezer: Option<PathBuf>,
    /// Held open: the claim on the name.
    _claim: File,
}

/// Folders of one sandbox.
#[derive(Debug)]
pub(crate) struct Child {
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    cpuacct: Option<PathBuf>,
    freezer: Option<PathBuf>,
}

impl Parents {
    /// None if a needed controller is not mounted.
    pub(super) fn open(mountinfo: &str, name: &str) -> io::Result<Option<Self>> {
        let find = |controller: &str| {
            mounts(mountinfo, "cgroup")
                .find(|mount| mount.options.contains(&controller))
                .map(|mount| mount.point.join(name))
        };
        let (Some(memory), Some(pids), Some(cpu)) = (find("memory"), find("pids"), find("cpu")) else {
            return Ok(None);
        };
        fs::create_dir_all(&memory)?;
        let claim = claim(&memory)?;
        let (cpuacct, freezer) = (find("cpuacct"), find("freezer"));
        let parents = Self { memory, pids, cpu, cpuacct, freezer, _claim: claim };
        for folder in parents.folders() {
            fs::create_dir_all(&folder)?;
        }
        // Children of version 1 do not count towards their parent unless this is set (newer kernels always do).
        let _ = fs::write(parents.memory.join("memory.use_hierarchy"), "1");
        parents.clean();
        Ok(Some(parents))
    }

    /// Each folder once: cpu and cpuacct are often one hierarchy.
    fn folders(&self) -> Vec<PathBuf> {
        unique([
            Some(&self.memory),
            Some(&self.pids),
            Some(&self.cpu),
            self.cpuacct.as_ref(),
            self.freezer.as_ref(),
        ])
    }

    fn clean(&self) {
        // Frozen processes do not die, in whichever hierarchy they are found.
        for child in self.freezer.iter().flat_map(|folder| children(folder)) {
            let _ = fs::write(child.join("freezer.state"), "THAWED");
        }
        for folder in self.folders() {
            for child in children(&folder) {
                empty(&child);
                let _ = remove_dir(&child);
            }
        }
    }

    pub(super) fn create(&self, label: &str, limits: Limits) -> io::Result<Child> {
        let below = |folder: &PathBuf| folder.join(label);
        let child = Child {
            memory: below(&self.memory),
            pids: below(&self.pids),
            cpu: below(&self.cpu),
            cpuacct: self.cpuacct.as_ref().map(below),
            freezer: self.freezer.as_ref().map(below),
        };
        let made = child.make(limits);
        if made.is_err() {
            let _ = child.remove();
        }
        made.map(|()| child)
    }

    pub(super) fn describe(&self) -> (bool, String) {
        let missing: Vec<&str> = [("cpuacct", &self.cpuacct), ("freezer", &self.freezer)]
            .into_iter()
            .filter_map(|(name, folder)| folder.is_none().then_some(name))
            .collect();
        match missing.as_slice() {
            [] => (true, "version 1: memory, cpu, cpuacct, pids, freezer".into()),
            names => (false, format!("version 1 without {}", names.join(", "))),
        }
    }

    pub(super) fn close(&self) {
        self.clean();
        for folder in self.folders() {
            let _ = remove_dir(&folder);
        }
    }
}

impl Child {
    fn folders(&self) -> Vec<PathBuf> {
        unique([
            Some(&self.memory),
            Some(&self.pids),
            Some(&self.cpu),
            self.cpuacct.as_ref(),
            self.freezer.as_ref(),
        ])
    }

    fn make(&self, limits: Limits) -> io::Result<()> {
        for folder in self.folders() {
            fs::create_dir(folder)?;
        }
        self.limit(limits)
    }

    pub(super) fn limit(&self, limits: Limits) -> io::Result<()> {
        let memory = limits.memory_bytes.to_string();
        let alone = || fs::write(self.memory.join("memory.limit_in_bytes"), &memory);
        // The bound of memory and swap together is never below the one of memory, so its turn depends on the direction.
        let first = alone();
        if first.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::InvalidInput) {
            return first;
        }
        // Not every kernel has it.
        match fs::write(self.memory.join("memory.memsw.limit_in_bytes"), &memory) {
            Err(e) if e.kind() != io::ErrorKind::NotFound && e.kind() != io::ErrorKind::PermissionDenied => {
                return Err(e);
            }
            _ => {}
        }
        if first.is_err() {
            alone()?;
        }
        fs::write(self.pids.join("pids.max"), limits.pids.to_string())?;
        let (period, quota) = cpu_quota(limits.cpu_millis);
        fs::write(self.cpu.join("cpu.cfs_period_us"), period.to_string())?;
        fs::write(self.cpu.join("cpu.cfs_quota_us"), quota.to_string())
    }

    /// `tasks` of all groups but the one with the CPU limit, and of that one. Who writes "0" to it moves its own thread, which
    /// is all of a process that has just been cloned. The same to `cgroup.procs` would stop the forks and exits of the whole
    /// host until every processor has been through the scheduler: milliseconds each time.
    pub(crate) fn procs(&self) -> io::Result<(Vec<File>, File)> {
        let open = |folder: &PathBuf| File::options().write(true).open(folder.join("tasks"));
        let others = self
            .folders()
            .iter()
            .filter(|folder| **folder != self.cpu)
            .map(open)
            .collect::<io::Result<_>>()?;
        Ok((others, open(&self.cpu)?))
    }

    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        let Some(folder) = &self.freezer else {
            return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        };
        let (state, wanted) = (folder.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" });
        fs::write(&state, wanted)?;
        // A process in the middle of a fork is caught at the next try.
        for _ in 0..TRIES {
            if fs::read_to_string(&state)?.trim() == wanted {
                return Ok(());
            }
            pause();
            fs::write(&state, wanted)?;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    pub(super) fn used(&self) -> io::Result<Used> {
        let cpu_ns = match &self.cpuacct {
            Some(folder) => number(&folder.join("cpuacct.usage"))?,
            None => 0,
        };
        Ok(Used {
            memory_bytes: number(&self.memory.join("memory.usage_in_bytes"))?,
            memory_peak_bytes: number(&self.memory.join("memory.max_usage_in_bytes"))?,
            cpu_us: cpu_ns / 1000,
            processes: u32::try_from(number(&self.pids.join("pids.current"))?).unwrap_or(u32::MAX),
            out_of_memory: keyed(&self.memory.join("memory.oom_control"), "oom_kill")? > 0,
        })
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        self.folders().iter().map(|folder| remove_dir(folder)).fold(Ok(()), Result::and)
    }
}

/// Kills what a dead helper left in a group.
fn empty(group: &Path) {
    for _ in 0..TRIES {
        let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        let pids: Vec<Pid> = text.lines().filter_map(|l| l.parse().ok().and_then(Pid::from_raw)).collect();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            let _ = kill_process(pid, Signal::KILL);
        }
        pause();
    }
}

fn unique<const N: usize>(folders: [Option<&PathBuf>; N]) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = Vec::with_capacity(N);
    for folder in folders.into_iter().flatten() {
        if !out.contains(folder) {
            out.push(folder.clone());
        }
    }
    out
}
