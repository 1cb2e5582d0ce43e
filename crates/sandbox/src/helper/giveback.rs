//! What a sandbox leaves behind, put away when nobody waits: groups are removed or used again in idle moments, and file
//! systems are closed by a process of their own, because closing one takes as long as making a sandbox.

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::Timespec,
    process::{WaitId, WaitIdOptions, waitid},
};

use crate::{
    cgroup::Group,
    packet,
    sys::process::{self, Cloned, clone_process},
};

/// Above this the work is done between requests too, so that a host that is never idle does not fill up.
const PILE: usize = 64;
/// Times that a group may be busy before its removal is given up.
const TRIES: u32 = 1000;
/// Until a busy group is looked at again: 2 ms.
const LATER: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

#[derive(Debug, Default)]
pub(super) struct Leavings {
    /// With how often each was busy.
    groups: VecDeque<(Group, u32)>,
    /// All of them were busy at the last look.
    tired: bool,
}

impl Leavings {
    pub(super) fn add(&mut self, group: Group) {
        self.groups.push_back((group, 0));
        self.tired = false;
    }

    /// How long an idle helper may sleep; None: as long as it likes.
    pub(super) fn patience(&self) -> Option<&'static Timespec> {
        match (self.groups.is_empty(), self.tired) {
            (true, _) => None,
            (false, false) => Some(&NOW),
            (false, true) => Some(&LATER),
        }
    }

    pub(super) fn ready(&self) -> bool {
        !self.groups.is_empty() && !self.tired
    }

    pub(super) fn piled_up(&self) -> bool {
        self.groups.len() > PILE
    }

    /// Looks at one group. An error is one that will not go away.
    pub(super) fn work(&mut self) -> io::Result<()> {
        let Some((group, tries)) = self.groups.pop_front() else { return Ok(()) };
        match group.try_remove() {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) && tries < TRIES => {
                self.groups.push_back((group, tries + 1));
                self.tired = self.groups.iter().all(|(_, tries)| *tries > 0);
                Ok(())
            }
            other => {
                self.tired = false;
                other
            }
        }
    }

    /// All of it now.
    pub(super) fn finish(&mut self) {
        for (group, _) in self.groups.drain(..) {
            let _ = group.remove();
        }
    }
}

/// Closes descriptors for the helper.
#[derive(Debug)]
pub(super) struct Undertaker {
    line: OwnedFd,
    process: OwnedFd,
}

impl Undertaker {
    pub(super) fn start() -> io::Result<Self> {
        let (line, theirs) = packet::pair()?;
        match clone_process(0, None)? {
            Cloned::Parent(process) => {
                // The helper must not wait for it: it then closes things by itself.
                rustix::io::ioctl_fionbio(&line, true)?;
                Ok(Self { line, process })
            }
            Cloned::Child => {
                let done = process::close_all_but(&[theirs.as_fd()]).and_then(|()| close_what_comes(&theirs));
                process::exit_now(i32::from(done.is_err()))
            }
        }
    }

    pub(super) fn bury(&self, what: &[BorrowedFd<'_>]) {
        // Whatever it does not get is closed here.
        let _ = packet::send(self.line.as_fd(), b"x", what);
    }

    /// Waits until all is closed.
    pub(super) fn finish(self) {
        drop(self.line);
        let _ = waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED);
    }
}

fn close_what_comes(line: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; 16];
    while let Some((_, what)) = packet::receive(line.as_fd(), &mut buffer)? {
        drop(what);
    }
    Ok(())
}
