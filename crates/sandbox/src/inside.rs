//! What a clone does between its birth and its first guest process. It never returns: it becomes the sandbox's init, or
//! it reports the step that failed and ends.

mod filter;
mod ids;
mod limits;
pub(crate) mod net;
mod owned;
mod root;
pub(crate) mod template;

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::thread::UnshareFlags;

pub(crate) use filter::Filters;
pub(crate) use ids::Ids;
pub(crate) use root::{PLACES, detached, own_mounts};

use crate::{
    init,
    packet::send_value,
    proto::{Create, Report},
    sys::process,
};

/// The user that guests see themselves as.
pub const GUEST_UID: u32 = 993;
/// The group that guests see themselves in.
pub const GUEST_GID: u32 = 990;

/// What all sandboxes of a helper have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// None: the helper was started by the server and goes as far as it says.
    pub(crate) allowed: Option<Vec<PathBuf>>,
    pub(crate) bind_roots: Vec<PathBuf>,
    pub(crate) runtime_prefixes: Vec<PathBuf>,
    pub(crate) filters: Filters,
}

impl Common {
    /// The folders below which no link is followed when a bind's source is opened. Where the helper has an owner of its own,
    /// these are the owner's: a server could make one of its roots a link.
    pub(crate) fn trusted<'a>(&'a self, otherwise: &'a [PathBuf]) -> &'a [PathBuf] {
        self.allowed.as_deref().unwrap_or(otherwise)
    }
}

/// Where `/tmp` comes from.
#[derive(Debug)]
pub(crate) enum Tmp {
    /// A mounted disk image that hangs nowhere yet.
    Image(OwnedFd),
    /// Memory, with the same limits.
    Memory,
}

/// One sandbox to be.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) spec: &'a Create,
    pub(crate) common: &'a Common,
    pub(crate) control: OwnedFd,
    /// `cgroup.procs` of the groups whose limits hold from the first step on.
    pub(crate) procs: Vec<File>,
    /// `cgroup.procs` of the group with the CPU limit. Joined last: the set-up is the platform's time.
    pub(crate) cpu_procs: Option<File>,
    pub(crate) tmp: Tmp,
    pub(crate) ids: Ids,
}

/// The step that failed, and why.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) step: String,
    pub(crate) source: io::Error,
}

/// Names the step of a result.
pub(crate) trait At<T> {
    fn at(self, step: &str) -> Result<T, Trouble>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: &str) -> Result<T, Trouble> {
        self.map_err(|source| Trouble { step: step.to_owned(), source: source.into() })
    }
}

/// Descriptors that go to the server once the sandbox stands.
#[derive(Debug, Default)]
pub(crate) struct Gifts {
    pub(crate) listener: Option<OwnedFd>,
    pub(crate) tun: Option<OwnedFd>,
}

/// Sets the sandbox up and becomes its init.
pub(crate) fn enter(plan: Plan<'_>) -> ! {
    let control = plan.control.as_fd();
    match set_up(&plan, control) {
        Ok((gifts, oom)) => {
            let fds: Vec<BorrowedFd<'_>> =
                [&gifts.listener, &gifts.tun].into_iter().flatten().map(AsFd::as_fd).collect();
            let ready = Report::Ready { listener: gifts.listener.is_some(), tun: gifts.tun.is_some() };
            if send_value(&control, &ready, &fds).is_err() {
                process::exit_now(1);
            }
            drop(fds);
            drop(gifts);
            init::run(control, oom)
        }
        Err(trouble) => {
            let errno = trouble.source.raw_os_error().unwrap_or(libc::EIO);
            let _ = send_value(&control, &Report::Failed { step: trouble.step, errno }, &[]);
            process::exit_now(1)
        }
    }
}

fn set_up(plan: &Plan<'_>, control: BorrowedFd<'_>) -> Result<(Gifts, File), Trouble> {
    forget_the_helper(plan, control).at("close descriptors")?;
    // What is made here is for another user to read.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    plan.ids.map_early().at("map ids")?;
    for procs in &plan.procs {
        join(procs).at("join cgroups")?;
    }
    rustix::system::sethostname(plan.spec.hostname.as_bytes()).at("set host name")?;
    let gifts = net::set_up(plan.spec)?;
    root::build(plan)?;
    // The ones from before were opened in the host's tree.
    quiet().at("open /dev/null")?;
    limits::set(plan).at("set limits")?;
    let mut oom =
        File::options().read(true).write(true).open("/proc/self/oom_score_adj").at("open oom score")?;
    oom.write_all(init::OWN_OOM_SCORE).at("set oom score")?;
    if let Some(procs) = &plan.cpu_procs {
        join(procs).at("join the cpu cgroup")?;
    }
    unshare(UnshareFlags::NEWCGROUP).at("leave the cgroup namespace")?;
    plan.ids.map_late().at("map ids")?;
    ids::drop_privileges().at("drop privileges")?;
    plan.common.filters.install().at("install the system call filter")?;
    // The helper may have died before the death signal was armed: then nobody holds the other end any more.
    let mut poll = [rustix::event::PollFd::new(&control, rustix::event::PollFlags::HUP)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut poll, Some(&now)).at("look at the control socket")?;
    if poll[0].revents().contains(rustix::event::PollFlags::HUP) {
        process::exit_now(1);
    }
    Ok((gifts, oom))
}

/// Closes what belongs to the helper and to other sandboxes.
fn forget_the_helper(plan: &Plan<'_>, control: BorrowedFd<'_>) -> io::Result<()> {
    quiet()?;
    // SAFETY: descriptors 0 to 2 stay open for the life of this process; they have just been filled.
    let standard = [0, 1, 2].map(|n| unsafe { BorrowedFd::borrow_raw(n) });
    let mut keep = vec![control];
    keep.extend(standard);
    keep.extend(plan.procs.iter().chain(&plan.cpu_procs).map(AsFd::as_fd));
    if let Tmp::Image(mount) = &plan.tmp {
        keep.push(mount.as_fd());
    }
    process::close_all_but(&keep)
}

/// Fills the standard descriptors with nothing.
fn quiet() -> io::Result<()> {
    let null = process::lift(File::options().read(true).write(true).open("/dev/null")?.into(), 3)?;
    (0..=2).try_for_each(|number| process::place(null.as_fd(), number))
}

fn join(mut procs: &File) -> io::Result<()> {
    procs.write_all(b"0")
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: the flags used in this room (user and cgroup namespaces) change no descriptor table and no memory.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}
