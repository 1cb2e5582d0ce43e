//! What the machine is and does, out of `/proc`.

use std::{collections::BTreeMap, fs};

use anyhow::Context as _;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = text("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = text("/proc/meminfo");
        let kib: u64 =
            memory.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease");
        let version: Vec<_> = release.trim().split(['.', '-']).take(2).collect();
        Self {
            cpu: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: format!("Linux {}", version.join(".")),
        }
    }
}

/// Of the last minute.
pub(crate) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// Every process with its parent.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, fields(id)?.first()?.parse().ok()?))).collect()
}

/// Of `/proc/PID/stat` from the parent on; the name before them may hold anything.
fn fields(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(after_name(&text)?.split_whitespace().skip(1).map(str::to_owned).collect())
}

fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(')').map(|(_, rest)| rest)
}

/// The process and all that it and they started.
pub(crate) fn tree(root: u32) -> Vec<u32> {
    family(&parents(), root)
}

fn family(parents: &BTreeMap<u32, u32>, root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(id, of)| **of == parent && **id != parent).map(|(id, _)| *id));
        at += 1;
    }
    found
}

/// The processes that run the same program as `root`: a server and its helper, without guests.
pub(crate) fn same_program(root: u32) -> Vec<u32> {
    let program = |id: u32| fs::read_link(format!("/proc/{id}/exe")).ok();
    let ours = program(root);
    tree(root).into_iter().filter(|id| program(*id) == ours).collect()
}

/// Seconds of processor time of processes and their threads, to the nanosecond. Threads that ended are not in it.
pub(crate) fn cpu_seconds(processes: &[u32]) -> f64 {
    let threads = processes
        .iter()
        .flat_map(|id| fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten());
    let nanos =
        threads.filter_map(|thread| run_nanos(&fs::read_to_string(thread.path().join("schedstat")).ok()?));
    nanos.sum::<f64>() / 1e9
}

fn run_nanos(schedstat: &str) -> Option<f64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// Proportional set size in KiB.
pub(crate) fn pss_kib(processes: &[u32]) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for id in processes {
        // One that ended meanwhile holds nothing.
        let Ok(text) = fs::read_to_string(format!("/proc/{id}/smaps_rollup")) else { continue };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        if let Some(line) = line {
            let number = line.split_whitespace().next().context("a number")?;
            sum += number.parse::<f64>().context("PSS")?;
        }
    }
    Ok(sum)
}

/// KiB of kernel memory of the processes' memory groups; None where the host does not count it.
pub(crate) fn kernel_kib(processes: &[u32]) -> Option<f64> {
    let groups: std::collections::BTreeSet<String> =
        processes.iter().filter_map(|id| memory_group(*id)).collect();
    let bytes: Vec<f64> = groups.iter().filter_map(|group| kernel_bytes(group)).collect();
    (!bytes.is_empty()).then(|| bytes.iter().sum::<f64>() / 1024.0)
}

fn memory_group(id: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
    group_of(&text)
}

/// The folder of the memory controller, version 1 before version 2. The root group is everybody's and says nothing.
fn group_of(text: &str) -> Option<String> {
    let mut unified = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        if controllers.split(',').any(|name| name == "memory") {
            return (path != "/").then(|| format!("/sys/fs/cgroup/memory{path}"));
        }
        if controllers.is_empty() && path != "/" {
            unified = Some(format!("/sys/fs/cgroup{path}"));
        }
    }
    unified
}

fn kernel_bytes(group: &str) -> Option<f64> {
    if let Ok(text) = fs::read_to_string(format!("{group}/memory.kmem.usage_in_bytes")) {
        return text.trim().parse().ok();
    }
    let text = fs::read_to_string(format!("{group}/memory.stat")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("kernel ")?.parse().ok())
}

#[cfg(test)]
mod tests;
