//! The words between the helper and a template, and what a fork needs of a sandbox. The other side is
//! `crates/zygote/native/template.h`.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::{Mode, OFlags, openat};

use super::instance::{self, Instance};
use crate::{inside::template::NUMBER_MAX, packet};

/// In the order that the template expects.
const NAMESPACES: [&str; 7] = ["pid", "mnt", "net", "ipc", "uts", "cgroup", "user"];
/// Descriptors that a forked child may be given.
pub(super) const FDS_MAX: usize = 16;

/// Asks a template for a child. What does not fit at once is an error: a template takes orders in no time unless it hangs.
pub(super) fn order(
    socket: &OwnedFd,
    serial: u32,
    into: &Instance,
    fds: &[OwnedFd],
    numbers: &[i32],
) -> io::Result<()> {
    let user = into.user.ok_or(io::ErrorKind::Unsupported)?;
    let (namespaces, procs) = (namespaces(into)?, procs(into)?);
    let mut bytes = Vec::with_capacity(104);
    for number in [serial, user] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(into.open_files.to_ne_bytes());
    bytes.extend((4 * u64::from(into.limits.pids)).to_ne_bytes());
    bytes.extend((procs.len() as u32).to_ne_bytes());
    bytes.extend((fds.len() as u32).to_ne_bytes());
    for at in 0..FDS_MAX {
        bytes.extend(numbers.get(at).copied().unwrap_or(0).to_ne_bytes());
    }
    let attached: Vec<BorrowedFd<'_>> =
        namespaces.iter().chain(procs.iter()).chain(fds).map(AsFd::as_fd).collect();
    packet::send(socket.as_fd(), &bytes, &attached)
}

/// Whether the numbers can be had.
pub(super) fn check(fds: &[OwnedFd], numbers: &[i32]) -> Result<(), String> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
    let named = numbers.iter().all(|number| (0..=NUMBER_MAX).contains(number));
    if fds.len() != numbers.len() || numbers.len() > FDS_MAX || !distinct || !named {
        return Err(format!("at most {FDS_MAX} descriptors, numbered apart from 0 to {NUMBER_MAX}"));
    }
    Ok(())
}

/// A sandbox's namespaces are its init's. Its number cannot be another process's: only the helper reaps it.
fn namespaces(of: &Instance) -> io::Result<Vec<OwnedFd>> {
    let folder = format!("/proc/{}/ns", of.pid()?);
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let open = |name: &&str| openat(&folder, *name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    Ok(NAMESPACES.iter().map(open).collect::<Result<_, _>>()?)
}

fn procs(of: &Instance) -> io::Result<Vec<OwnedFd>> {
    let (others, cpu, folder) = instance::places(&of.group)?;
    let mut procs: Vec<OwnedFd> = others.into_iter().chain(cpu).map(OwnedFd::from).collect();
    if let Some(folder) = folder {
        procs.push(openat(&folder, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?);
    }
    Ok(procs)
}

/// What a template says.
#[derive(Debug)]
pub(super) enum Word {
    Ready,
    Forked { serial: u32, pid: i32, pidfd: OwnedFd },
    Became { serial: u32, errno: i32, step: i32 },
    Exited { pid: i32, code: Option<i32>, signal: Option<i32> },
    Failed { errno: i32, text: String },
}

/// The next word; None at the end of the socket.
pub(super) fn hear(socket: BorrowedFd<'_>) -> io::Result<Option<Word>> {
    let mut buffer = [0; 2048];
    let Some((len, fds)) = packet::receive(socket, &mut buffer)? else { return Ok(None) };
    read(&buffer[..len], fds).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn read(bytes: &[u8], fds: Vec<OwnedFd>) -> Option<Word> {
    let (head, text) = bytes.split_at_checked(16)?;
    let mut numbers = head.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(u32::from_ne_bytes);
    let (word, serial) = (numbers.next()?, numbers.next()?);
    let (a, b) = (numbers.next()?.cast_signed(), numbers.next()?.cast_signed());
    Some(match word {
        1 => Word::Ready,
        2 => Word::Forked { serial, pid: a, pidfd: fds.into_iter().next()? },
        3 => Word::Became { serial, errno: a, step: b },
        4 => {
            let code = (a >= 0).then_some(a);
            let signal = code.is_none().then_some(b);
            Word::Exited { pid: serial.cast_signed(), code, signal }
        }
        crate::inside::template::FAILED => {
            Word::Failed { errno: a, text: String::from_utf8_lossy(text).into_owned() }
        }
        _ => return None,
    })
}

/// The pid of a process that a descriptor names.
pub(super) fn pid_of(pidfd: &OwnedFd) -> io::Result<i32> {
    use std::os::fd::AsRawFd as _;
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|number| number.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// `/proc/self/ns` must be readable for other users' processes.
pub(super) fn able() -> bool {
    use rustix::thread::CapabilitySet;
    let needed = CapabilitySet::SYS_PTRACE | CapabilitySet::SYS_CHROOT | CapabilitySet::KILL;
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
        && File::open("/proc/self/ns/pid").is_ok()
}
