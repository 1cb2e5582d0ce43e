//! What the clone that becomes a template does before it executes the language. It is not a sandbox: it stays real root in
//! the host's user and pid namespaces, because only such a process can be forked into sandboxes. What it keeps is four
//! capabilities, a root like a sandbox's, an empty network, and the guests' filter but for `setns`.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{At, Plan, Trouble, forget_the_helper, join, limits, owned, quiet, root};
use crate::{
    packet,
    sys::process::{self, Image},
};

/// To enter namespaces, and to become a sandbox's user.
const KEPT: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID);
/// The number of the control socket.
pub(crate) const CONTROL: i32 = 3;
/// The highest number that a forked child's descriptor may get (`NUMBER_MAX` in the native code). All of them are taken
/// from the start, so that nothing of the language's own lies where a child's descriptors will.
pub(crate) const NUMBER_MAX: i32 = 31;
/// The first word of a packet that says why there is no template; then the error's number, then text.
pub(crate) const FAILED: u32 = 5;

/// Sets up and executes. Never returns.
pub(crate) fn enter(plan: &Plan<'_>, image: &Image, system_checked: bool) -> ! {
    let control = plan.control.as_fd();
    let (trouble, control) = match set_up(plan, control, system_checked) {
        // SAFETY: it was just placed there, and stays open until the end of this process.
        Ok(()) => (Trouble { step: "execute".into(), source: image.exec() }, unsafe {
            BorrowedFd::borrow_raw(CONTROL)
        }),
        Err(trouble) => (trouble, control),
    };
    let errno = trouble.source.raw_os_error().unwrap_or(0);
    let mut word = [FAILED, 0, errno.cast_unsigned(), 0].map(u32::to_ne_bytes).concat();
    let text =
        if errno == 0 { format!("{}: {}", trouble.step, trouble.source) } else { trouble.step.clone() };
    word.extend(text.bytes().take(1000));
    let _ = packet::send(control, &word, &[]);
    process::exit_now(1)
}

fn set_up(plan: &Plan<'_>, control: BorrowedFd<'_>, system_checked: bool) -> Result<(), Trouble> {
    forget_the_helper(plan, control).at("close descriptors")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    for procs in plan.procs.iter().chain(&plan.cpu_procs) {
        join(procs).at("join cgroups")?;
    }
    rustix::system::sethostname(plan.spec.hostname.as_bytes()).at("set host name")?;
    root::build(plan)?;
    quiet().at("open /dev/null")?;
    owned::check(system_checked).at("look for files that others may write")?;
    limits::set(plan).at("set limits")?;
    drop_privileges().at("drop privileges")?;
    plan.common.filters.install_for_template().at("install the system call filter")?;
    descriptors(control).at("place descriptors")
}

fn drop_privileges() -> io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    let now = rustix::thread::capabilities(None)?;
    // What an exec as root gives is the bounding and the inheritable set together; so the one is emptied, and the other
    // holds what is kept. First the inheritable one: nothing can be added to it that is not in the bounding set.
    rustix::thread::set_capabilities(None, CapabilitySets { inheritable: KEPT, ..now })?;
    super::ids::empty_bounding_set()?;
    let kept = CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: KEPT };
    rustix::thread::set_capabilities(None, kept)?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

fn descriptors(control: BorrowedFd<'_>) -> io::Result<()> {
    process::plain_signals()?;
    process::cloexec_from(CONTROL)?;
    let null = rustix::io::fcntl_dupfd_cloexec(io::stdin(), NUMBER_MAX + 1)?;
    // The control socket first: its old number may be one of those that are filled.
    process::place(control, CONTROL)?;
    (CONTROL + 1..=NUMBER_MAX).try_for_each(|number| process::place(null.as_fd(), number))
}
