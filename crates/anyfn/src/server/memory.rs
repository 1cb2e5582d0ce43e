//! The host's memory as the kernel tells it: `/proc/meminfo`, this server's own control group if it has a limit (version 1 or
//! 2), and the stall information of `/proc/pressure/memory`, where the kernel has it.

use std::{fs, path::PathBuf};

use anyfn_engine::{MemoryGauge, MemoryReading};

/// The files of the control group that this process is in.
#[derive(Debug)]
struct Group {
    dir: PathBuf,
    limit: &'static str,
    usage: &'static str,
}

/// Reads a handful of small files; each is made by the kernel at once, none lies on a disk.
#[derive(Debug)]
pub(super) struct HostMemory {
    group: Option<Group>,
}

impl HostMemory {
    pub(super) fn new() -> Self {
        let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { group: group(&text).filter(|group| group.dir.join(group.limit).exists()) }
    }

    /// Limit and use of the own group in MiB, if it has a limit. Files that can be dropped are not counted.
    fn grouped(&self) -> Option<(u64, u64)> {
        let group = self.group.as_ref()?;
        let number = |name: &str| fs::read_to_string(group.dir.join(name)).ok()?.trim().parse::<u64>().ok();
        let (limit, usage) = (number(group.limit)?, number(group.usage)?);
        let stat = fs::read_to_string(group.dir.join("memory.stat")).unwrap_or_default();
        let files = ["total_inactive_file ", "inactive_file "].iter().find_map(|name| field(&stat, name));
        Some((limit >> 20, usage.saturating_sub(files.unwrap_or(0)) >> 20))
    }
}

impl MemoryGauge for HostMemory {
    fn read(&self) -> Option<MemoryReading> {
        let host = fs::read_to_string("/proc/meminfo").ok()?;
        let stalls = fs::read_to_string("/proc/pressure/memory").unwrap_or_default();
        reading(&host, &stalls, self.grouped())
    }
}

fn group(text: &str) -> Option<Group> {
    let mut lines = text.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
    let one = lines.clone().find_map(|line| match line[..] {
        [_, "memory", path] => Some(path.to_owned()),
        _ => None,
    });
    if let Some(path) = one {
        let dir = format!("/sys/fs/cgroup/memory{path}").into();
        return Some(Group { dir, limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes" });
    }
    lines.find_map(|line| match line[..] {
        ["0", "", path] => {
            let dir = format!("/sys/fs/cgroup{path}").into();
            Some(Group { dir, limit: "memory.max", usage: "memory.current" })
        }
        _ => None,
    })
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// `some avg10=1.25 …` is 12 thousandths.
fn stalled(text: &str) -> Option<u32> {
    let rest = text.lines().find_map(|line| line.strip_prefix("some avg10="))?;
    let (whole, parts) = rest.split_whitespace().next()?.split_once('.')?;
    let tenth = parts.get(..1)?.parse::<u32>().ok()?;
    Some(whole.parse::<u32>().ok()?.saturating_mul(10) + tenth)
}

fn reading(host: &str, stalls: &str, group: Option<(u64, u64)>) -> Option<MemoryReading> {
    let (total, available) = (field(host, "MemTotal:")? >> 10, field(host, "MemAvailable:")? >> 10);
    let stalled_permille = stalled(stalls).unwrap_or(0);
    let whole = MemoryReading { total_mib: total, available_mib: available, stalled_permille };
    match group {
        Some((limit, used)) if limit < total => Some(MemoryReading {
            total_mib: limit,
            available_mib: available.min(limit.saturating_sub(used)),
            stalled_permille,
        }),
        _ => Some(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str =
        "MemTotal:       24683520 kB\nMemFree:        22000000 kB\nMemAvailable:   23552000 kB\n";
    const STALLS: &str =
        "some avg10=12.34 avg60=0.00 avg300=0.06 total=9744335\nfull avg10=0.00 avg60=0.00\n";

    #[test]
    fn the_smaller_of_host_and_group_counts() {
        let got = |stalls, group| reading(HOST, stalls, group).unwrap();
        let reading = |total_mib, available_mib, stalled_permille| MemoryReading {
            total_mib,
            available_mib,
            stalled_permille,
        };
        assert_eq!(got(STALLS, None), reading(24105, 23000, 123));
        assert_eq!(got("", None), reading(24105, 23000, 0));
        assert_eq!(got("", Some((1024, 1000))), reading(1024, 24, 0));
        assert_eq!(got("", Some((1 << 40, 1000))), reading(24105, 23000, 0));
    }

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let one = group("9:name=systemd:/\n4:memory:/a/b\n0::/\n").unwrap();
        assert_eq!(
            (one.dir.to_str(), one.limit),
            (Some("/sys/fs/cgroup/memory/a/b"), "memory.limit_in_bytes")
        );
        let two = group("0::/system.slice/anyfn.service\n").unwrap();
        assert_eq!(
            (two.dir.to_str(), two.limit),
            (Some("/sys/fs/cgroup/system.slice/anyfn.service"), "memory.max")
        );
        assert!(group("").is_none());
    }
}
