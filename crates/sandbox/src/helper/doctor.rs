//! What this host and the helper's privileges allow, by name.

use std::{fs, io, path::Path};

use rustix::thread::CapabilitySet;

use super::{instance::euid, tmp::Images};
use crate::{
    cgroup::Cgroups,
    inside,
    options::Mode,
    sys::process::{Cloned, clone_process, exit_now},
};

/// What the helper needs to give each sandbox a host user of its own.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_ADMIN);

/// Whether sandboxes get host users of their own; an error if that was asked for and cannot be.
pub(super) fn own_users(mode: Mode) -> Result<bool, String> {
    let able = euid() == 0
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(NEEDED))
        && (!Path::new("/proc/self/uid_map").exists() || maps_all());
    match mode {
        Mode::Unprivileged => Ok(false),
        Mode::Auto => Ok(able),
        Mode::Privileged if able => Ok(true),
        Mode::Privileged => {
            Err("privileged mode needs root with SYS_ADMIN, SETUID, SETGID, SETPCAP and NET_ADMIN".into())
        }
    }
}

/// In a user namespace with few ids there are none to hand out.
fn maps_all() -> bool {
    let text = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let lengths = text.lines().filter_map(|line| line.split_whitespace().nth(2));
    lengths.filter_map(|n| n.parse::<u64>().ok()).sum::<u64>() > u64::from(u32::MAX) / 2
}

pub(super) fn parts(own_users: bool, cgroups: &Cgroups, images: &Images) -> Vec<(String, bool, String)> {
    let mut parts = Vec::new();
    let mut add = |name: &str, (here, how): (bool, String)| parts.push((name.to_owned(), here, how));
    let helper =
        if own_users { "privileged" } else { "unprivileged: everything in a user namespace of its own user" };
    add("helper", (true, helper.into()));
    let separate =
        if own_users { "one host user id per sandbox" } else { "sandboxes share the helper's user id" };
    add("separate user ids", (own_users, separate.into()));
    add("user namespaces", probe(libc::CLONE_NEWUSER));
    let user = if own_users { 0 } else { libc::CLONE_NEWUSER };
    add(
        "mount, pid, ipc, uts namespaces",
        probe(user | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS),
    );
    add("network namespaces", probe(user | libc::CLONE_NEWNET));
    add("cgroups", cgroups.describe());
    add("system call filter", filter());
    add("disk-backed /tmp", images.describe());
    add("tun device", tun());
    parts
}

/// Not having it costs time, not isolation.
pub(super) fn stock(furnish: bool) -> (String, bool, String) {
    let how = if furnish {
        "sandboxes are made ahead and get their code when they are needed"
    } else {
        "each start makes its sandbox whole: furnishing one that stands needs privileges (SYS_ADMIN, SYS_CHROOT)"
    };
    ("sandboxes ahead".into(), true, how.into())
}

/// Really clones; where there is a mount namespace also uses it, because some hosts let anyone make one and nobody use it.
fn probe(flags: libc::c_int) -> (bool, String) {
    let cloned = clone_process(flags, None).and_then(|cloned| match cloned {
        Cloned::Child => {
            let used = flags & libc::CLONE_NEWNS == 0 || inside::own_mounts().is_ok();
            exit_now(i32::from(!used))
        }
        Cloned::Parent(pidfd) => {
            use std::os::fd::AsFd as _;
            let id = rustix::process::WaitId::PidFd(pidfd.as_fd());
            rustix::process::waitid(id, rustix::process::WaitIdOptions::EXITED).map_err(io::Error::from)
        }
    });
    match cloned {
        Ok(Some(status)) if status.exit_status() != Some(0) => (false, "made, but may not be used".into()),
        Ok(_) => (true, "made and left again".into()),
        Err(e) => (false, e.to_string()),
    }
}

fn filter() -> (bool, String) {
    match fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail") {
        Ok(actions) => (actions.contains("errno"), actions.trim().to_owned()),
        Err(e) => (false, e.to_string()),
    }
}

fn tun() -> (bool, String) {
    match fs::File::options().read(true).write(true).open("/dev/net/tun") {
        Ok(_) => (true, "/dev/net/tun".into()),
        Err(e) => (false, format!("/dev/net/tun: {e}")),
    }
}
