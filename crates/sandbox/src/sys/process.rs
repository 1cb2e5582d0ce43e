//! Processes: clone, fork, exec, descriptors, signals, filters.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use super::check;

/// What a clone returned.
#[derive(Debug)]
pub(crate) enum Cloned {
    Child,
    /// The parent gets a descriptor of the child.
    Parent(OwnedFd),
}

/// Clones the calling process into new namespaces (`flags` are `CLONE_NEW*`), if wanted straight into a v2 cgroup.
pub(crate) fn clone_process(flags: libc::c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all fields of the structure are plain numbers; zero means "not used".
    let mut args: libc::clone_args = unsafe { MaybeUninit::zeroed().assume_init() };
    args.flags = (flags | libc::CLONE_PIDFD) as u64;
    args.pidfd = ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::try_from(cgroup.as_raw_fd()).unwrap_or(0);
    }
    // SAFETY: no memory is shared with the child and no stack is given, so this is a fork: the child goes on with a copy
    // of everything. The helper has one thread, so no lock can be held by another. `args` and `pidfd` outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_mut(&mut args), size_of_val(&args)) };
    match check(pid)? {
        0 => Ok(Cloned::Child),
        // SAFETY: the kernel has just written a new descriptor that nobody else owns.
        _ => Ok(Cloned::Parent(unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// A plain fork; the parent gets the child's pid. For callers with one thread only.
pub(crate) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: callers have one thread, so the child's copy of the memory is consistent.
    let pid = unsafe { libc::fork() };
    check(pid.into())?;
    Ok((pid != 0).then_some(pid))
}

/// Sends a signal to every other process of the caller's pid namespace. Only init calls this; elsewhere it would reach
/// far.
pub(crate) fn signal_all(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::kill(-1, signal) }.into()).map(drop)
}

/// Ends the process without running destructors or exit handlers of the forked image.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: ends the process; nothing runs afterwards.
    unsafe { libc::_exit(code) }
}

/// What `execve` needs, made before the fork so that the child does not allocate.
#[derive(Debug)]
pub(crate) struct Image {
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
}

impl Image {
    /// An error if the list is empty or a string holds a NUL.
    pub(crate) fn new(argv: &[String], env: &[(String, String)], cwd: &str) -> io::Result<Self> {
        let argv = argv.iter().map(|a| CString::new(a.as_str())).collect::<Result<Vec<_>, _>>()?;
        let env = env.iter().map(|(k, v)| CString::new(format!("{k}={v}"))).collect::<Result<Vec<_>, _>>()?;
        if argv.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(Self { argv, env, cwd: CString::new(cwd)? })
    }

    /// Changes the folder and executes. Returns only on an error.
    pub(crate) fn exec(&self) -> io::Error {
        let pointers = |list: &[CString]| {
            list.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect::<Vec<*const libc::c_char>>()
        };
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        // SAFETY: `cwd` is a string that ends in NUL.
        if unsafe { libc::chdir(self.cwd.as_ptr()) } != 0 {
            return io::Error::last_os_error();
        }
        // SAFETY: both lists end in a null pointer, and their strings live in `self`.
        unsafe { libc::execve(argv[0], argv.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// Makes `to` a copy of `from` that survives exec.
pub(crate) fn place(from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
    // SAFETY: only called between fork and exec, where what `to` named before is no longer used by anybody.
    check(unsafe { libc::dup2(from.as_raw_fd(), to) }.into()).map(drop)
}

/// A copy of `from` at `lowest` or above, closed on exec.
pub(crate) fn lift(from: OwnedFd, lowest: RawFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(&from, lowest)?)
}

/// Marks every descriptor from `first` on as closed on exec.
pub(crate) fn cloexec_from(first: RawFd) -> io::Result<()> {
    // SAFETY: changes a flag of descriptors; none is closed here.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    check(done).map(drop)
}

/// Closes every descriptor but the given ones.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    keep.sort_unstable();
    let mut from = 0_u32;
    for kept in keep.into_iter().chain([u32::MAX]) {
        if kept > from {
            // SAFETY: called in a fresh clone whose copies of the helper's descriptors are never used again; owners of
            // them are forgotten, because the clone never returns.
            check(unsafe { libc::syscall(libc::SYS_close_range, from, kept - 1, 0) })?;
        }
        from = kept.saturating_add(1);
    }
    Ok(())
}

/// Blocks SIGCHLD and gives a descriptor that is readable when a child changed.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    let set = signal_set(libc::SIGCHLD)?;
    // SAFETY: `set` is initialised; the old mask is not wanted.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) }.into())?;
    // SAFETY: `set` is initialised.
    let fd =
        check(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into())?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn signal_set(signal: libc::c_int) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises what it is given.
    check(unsafe { libc::sigemptyset(set.as_mut_ptr()) }.into())?;
    // SAFETY: initialised above.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: initialised; the signal's number is valid.
    check(unsafe { libc::sigaddset(&raw mut set, signal) }.into())?;
    Ok(set)
}

/// Gives a program the signals as a fresh login has them: nothing blocked, SIGPIPE deadly (Rust ignores it).
pub(crate) fn plain_signals() -> io::Result<()> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises what it is given.
    check(unsafe { libc::sigemptyset(set.as_mut_ptr()) }.into())?;
    // SAFETY: initialised above; the old mask is not wanted.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut()) }.into())?;
    // SAFETY: sets the default action; no handler of ours is involved.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Installs a filter of system calls. `log` asks the kernel to write an audit record for every call it denies.
pub(crate) fn install_filter(program: &[seccompiler::sock_filter], log: bool) -> io::Result<()> {
    let len = libc::c_ushort::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    let flags = if log { libc::SECCOMP_FILTER_FLAG_LOG } else { 0 };
    // SAFETY: `sock_filter` of seccompiler has the kernel's layout (its `apply_filter` does the same cast); the kernel
    // copies the program and does not write to it.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    check(done).map(drop)
}
