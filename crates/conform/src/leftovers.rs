//! What a stopped server must have taken with it: processes, mounts, control groups.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyfn_base::Clock;

/// A killed process may take this long to be reaped by whoever inherited it.
const PATIENCE: u32 = 50;

/// Taken while the server runs.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Descendants: pid to start time and name.
    processes: BTreeMap<u32, (u64, String)>,
    data: PathBuf,
    group: String,
}

impl Watch {
    pub(crate) fn new(server: u32, data: &Path) -> Self {
        let data = data.canonicalize().unwrap_or_else(|_| data.to_path_buf());
        // The server names what it makes outside of its data folder after that folder's path (FNV-1a).
        let hash =
            data.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
            });
        Self { processes: descendants(server), group: format!("anyfn-{hash:016x}"), data }
    }

    /// What is still there, in words.
    pub(crate) async fn left(&self) -> Vec<String> {
        let clock = Clock::system();
        for _ in 0..PATIENCE {
            if self.count().is_empty() {
                return Vec::new();
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
        self.count()
    }

    fn count(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (pid, (start, name)) in &self.processes {
            let alive = stat(*pid).filter(|now| now.start == *start && now.state != 'Z');
            left.extend(alive.map(|_| format!("process {pid} ({name})")));
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let data = self.data.to_string_lossy();
        left.extend(mounts.lines().filter(|line| line.contains(&*data)).map(|line| format!("mount {line}")));
        let groups = groups(Path::new("/sys/fs/cgroup"), &self.group);
        left.extend(groups.iter().map(|path| format!("control group {}", path.display())));
        left
    }
}

#[derive(Debug)]
struct Stat {
    parent: u32,
    state: char,
    start: u64,
    name: String,
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `proc_pid_stat(5)`: the name may hold blanks and brackets.
fn parse(text: &str) -> Option<Stat> {
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<_> = rest.split_whitespace().collect();
    let state = fields.first()?.chars().next()?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, state, start: fields.get(19)?.parse().ok()?, name })
}

fn descendants(root: u32) -> BTreeMap<u32, (u64, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: BTreeMap<u32, Stat> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let below = |mut pid: u32| {
        while let Some(one) = all.get(&pid) {
            if one.parent == root {
                return true;
            }
            pid = one.parent;
        }
        false
    };
    all.iter()
        .filter(|(pid, _)| below(**pid))
        .map(|(pid, one)| (*pid, (one.start, one.name.clone())))
        .collect()
}

/// Folders of that name, at most four levels down: one for each hierarchy.
fn groups(root: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![root.to_path_buf()];
    for _ in 0..4 {
        let entries = level.iter().flat_map(fs::read_dir).flatten().filter_map(Result::ok);
        level =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink()).collect();
        found.extend(level.iter().filter(|path| path.file_name().is_some_and(|n| n == name)).cloned());
    }
    found
}

#[cfg(test)]
mod tests;
