//! One sandbox as the helper knows it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::tmp::Image;
use crate::{
    cgroup::{Cgroups, Group},
    inside::{self, Common, Ids, Plan, Tmp},
    packet,
    proto::{Create, Limits},
    sys::process::{Cloned, clone_process},
};

const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) pidfd: OwnedFd,
    pub(super) group: Group,
    /// The host user id that it has for itself.
    pub(super) user: Option<u32>,
    /// For processes that are forked into it.
    pub(super) open_files: u64,
    /// Requests that wait for its end.
    pub(super) waiting: Vec<u64>,
    pub(super) limits: Limits,
    /// There until it is furnished, if it may be: the memory limit that its `/dev/shm` was made for.
    pub(super) blank: Option<u64>,
}

/// How the init of a sandbox ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
}

/// Clones a sandbox; gives it and the server's end of its control socket. The clone sets itself up meanwhile.
pub(super) fn start(
    spec: &Create,
    common: &Common,
    cgroups: &Cgroups,
    user: Option<u32>,
    image: Option<Image>,
) -> io::Result<(Instance, OwnedFd)> {
    let (ours, control) = packet::pair()?;
    let group = cgroups.create(&spec.id.to_string(), spec.limits())?;
    match launch(spec, common, &group, user, image, control) {
        Ok(pidfd) => {
            let (open_files, limits) = (spec.open_files, spec.limits());
            let blank = spec.blank.then_some(spec.memory_bytes);
            Ok((Instance { pidfd, group, user, open_files, waiting: Vec::new(), limits, blank }, ours))
        }
        Err(e) => {
            let _ = group.remove();
            Err(e)
        }
    }
}

fn launch(
    spec: &Create,
    common: &Common,
    group: &Group,
    user: Option<u32>,
    image: Option<Image>,
    control: OwnedFd,
) -> io::Result<OwnedFd> {
    let (procs, cpu_procs, into) = places(group)?;
    let (ids, user_namespace) = match user {
        Some(user) => (Ids::Own(user), 0),
        None => (Ids::Helper { uid: euid(), gid: egid() }, libc::CLONE_NEWUSER),
    };
    let tmp = match image {
        // The helper lets go of it after the clone: then the sandbox's end is the image's end.
        Some(Image(mount)) => Tmp::Image(mount),
        None => Tmp::Memory,
    };
    match clone_process(NAMESPACES | user_namespace, into.as_ref().map(AsFd::as_fd))? {
        Cloned::Parent(pidfd) => Ok(pidfd),
        Cloned::Child => inside::enter(Plan { spec, common, control, procs, cpu_procs, tmp, ids }),
    }
}

pub(super) type Places = (Vec<File>, Option<File>, Option<OwnedFd>);

pub(super) fn places(group: &Group) -> io::Result<Places> {
    match group {
        Group::V1(child) => child.procs().map(|(procs, cpu)| (procs, Some(cpu), None)),
        Group::V2(child) => child.folder().map(|folder| (Vec::new(), None, Some(folder))),
        Group::None => Ok((Vec::new(), None, None)),
    }
}

pub(super) fn euid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn egid() -> u32 {
    rustix::process::getegid().as_raw()
}

impl Instance {
    /// As the host knows the init.
    pub(super) fn pid(&self) -> io::Result<i32> {
        super::fork::pid_of(&self.pidfd)
    }

    /// Kills the init, and with it everything in its pid namespace. A frozen process would not notice.
    pub(super) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let _ = self.group.freeze(false);
    }

    /// Waits for the init, which ends last.
    pub(super) fn reap(&self) -> End {
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => End { code: status.exit_status(), signal: status.terminating_signal() },
            _ => End::default(),
        }
    }
}
