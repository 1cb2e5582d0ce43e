//! One sandbox as the helper knows it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
};

use super::{furnish::Home, stage::Stages, tmp::Image};
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
    /// Its `/tmp`, if that can be looked at when it has ended.
    pub(super) image: Option<Image>,
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
    (user, image): (Option<u32>, Option<Image>),
    staging: Option<(&mut Stages, &Home)>,
) -> io::Result<(Instance, OwnedFd)> {
    let (ours, control) = packet::pair()?;
    let group = cgroups.create(&spec.id.to_string(), spec.limits())?;
    let shared = image.as_ref().and_then(Image::share);
    let (tmp, image) = match (shared, image) {
        (Some(mount), image) => (Tmp::Image(mount), image),
        // The helper lets go of it after the clone: then the sandbox's end is the image's end.
        (None, Some(image)) => (Tmp::Image(image.into_mount()), None),
        (None, None) => (Tmp::Memory, None),
    };
    let ids = match user {
        Some(user) => Ids::Own(user),
        None => Ids::Helper { uid: euid(), gid: egid() },
    };
    match launch((spec, common), &group, ids, (tmp, control), staging) {
        Ok(pidfd) => {
            let (open_files, limits) = (spec.open_files, spec.limits());
            let blank = spec.blank.then_some(spec.memory_bytes);
            let waiting = Vec::new();
            Ok((Instance { pidfd, group, user, open_files, waiting, image, limits, blank }, ours))
        }
        Err(e) => {
            let _ = group.remove();
            Err(e)
        }
    }
}

fn launch(
    (spec, common): (&Create, &Common),
    group: &Group,
    ids: Ids,
    (tmp, control): (Tmp, OwnedFd),
    staging: Option<(&mut Stages, &Home)>,
) -> io::Result<OwnedFd> {
    let (procs, cpu_procs, into) = places(group)?;
    let user_namespace = if matches!(ids, Ids::Own(_)) { 0 } else { libc::CLONE_NEWUSER };
    let mut plan = Plan { spec, common, control, procs, cpu_procs, tmp, ids, staged: None, tun: None };
    let start =
        |plan: Plan<'_>| match clone_process(NAMESPACES | user_namespace, into.as_ref().map(AsFd::as_fd))? {
            Cloned::Parent(pidfd) => Ok(pidfd),
            Cloned::Child => inside::enter(plan),
        };
    // Other places for code have to be made, and a stage is finished.
    let known = spec.binds.iter().all(|(_, target)| inside::PLACES.contains(&target.as_str()));
    let Some((stages, home)) = staging.filter(|_| known) else { return start(plan) };
    let show = |(source, target): &(String, String)| {
        inside::detached(common, Path::new(source)).map(|mount| (mount, target.clone()))
    };
    let (Ok(shown), Ok(stage)) =
        (spec.binds.iter().map(show).collect::<io::Result<Vec<_>>>(), stages.find(spec, common))
    else {
        // What is wrong is best said by a whole set-up.
        return start(plan);
    };
    plan.staged = Some(shown);
    if spec.internet {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        plan.tun = Some(rustix::fs::open("/dev/net/tun", flags, Mode::empty())?);
    }
    home.visit(stage, || start(plan))
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
