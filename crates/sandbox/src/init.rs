//! Process 1 of a sandbox: spawns what the server asks for, reaps, and reports. It has no privilege, holds no secret, and
//! is neither dumpable nor visible for guests. When the server or the helper goes, it goes, and the pid namespace with it.

mod connect;

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, setsid, wait},
};

use crate::{
    packet::{self, PACKET_MAX, send_value},
    proto::{Order, Report},
    sys::process::{self, Image},
};

/// The kernel prefers guests when memory runs out.
pub(crate) const OWN_OOM_SCORE: &[u8] = b"300";
const GUEST_OOM_SCORE: &[u8] = b"1000";
/// The highest number that a passed descriptor may get.
const FD_NUMBER_MAX: i32 = 255;

/// Serves until the control socket ends.
pub(crate) fn run(control: BorrowedFd<'_>, oom: File) -> ! {
    let served = process::child_signals()
        .and_then(|signals| Init { control, oom, running: Vec::new() }.serve(&signals));
    process::exit_now(i32::from(served.is_err()))
}

struct Init<'a> {
    control: BorrowedFd<'a>,
    oom: File,
    /// Host-visible numbers are the server's; pids are this namespace's.
    running: Vec<(u32, Pid)>,
}

impl Init<'_> {
    fn serve(&mut self, signals: &OwnedFd) -> io::Result<()> {
        let mut buffer = vec![0; PACKET_MAX];
        loop {
            let mut ready = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
            match poll(&mut ready, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let (order, child) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
            if child {
                let _ = rustix::io::read(signals, &mut [0_u8; 128]);
                self.reap()?;
            }
            if order {
                let Some((len, fds)) = packet::receive(self.control, &mut buffer)? else { return Ok(()) };
                self.obey(packet::decode(&buffer[..len])?, fds)?;
            }
        }
    }

    fn tell(&self, report: &Report) -> io::Result<()> {
        send_value(&self.control, report, &[])
    }

    fn reap(&mut self) -> io::Result<()> {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            // Others are orphans that came to process 1.
            let Some(at) = self.running.iter().position(|(_, running)| *running == pid) else { continue };
            let (process, _) = self.running.swap_remove(at);
            self.tell(&exited(process, status))?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order, fds: Vec<OwnedFd>) -> io::Result<()> {
        match order {
            Order::Pause(paused) => {
                // An error means that nobody is there.
                let _ = process::signal_all(if paused { libc::SIGSTOP } else { libc::SIGCONT });
                Ok(())
            }
            Order::Signal { process, signal } => {
                let known = self.running.iter().find(|(number, _)| *number == process);
                if let (Some((_, pid)), Some(signal)) = (known, Signal::from_named_raw(signal)) {
                    let _ = kill_process(*pid, signal);
                }
                Ok(())
            }
            Order::Connect { ask, to } => match connect::reach(&to) {
                Ok((socket, under_way)) => {
                    let report = Report::Connected { ask, under_way };
                    send_value(&self.control, &report, &[socket.as_fd()])
                }
                Err(e) => {
                    let errno = e.raw_os_error().unwrap_or(libc::EINVAL);
                    self.tell(&Report::NotConnected { ask, errno })
                }
            },
            Order::Spawn { process, argv, env, cwd, fds: numbers } => {
                let spawned =
                    Image::new(&argv, &env, &cwd).and_then(|image| self.spawn(&image, fds, &numbers));
                match spawned {
                    Ok(pid) => {
                        self.running.push((process, pid));
                        self.tell(&Report::Spawned { process })
                    }
                    Err(e) => {
                        let errno = e.raw_os_error().unwrap_or(libc::EINVAL);
                        self.tell(&Report::NotSpawned { process, errno })
                    }
                }
            }
        }
    }

    /// Forks and executes; an error of the exec is this function's error.
    fn spawn(&mut self, image: &Image, fds: Vec<OwnedFd>, numbers: &[i32]) -> io::Result<Pid> {
        let named = numbers.iter().all(|n| (0..=FD_NUMBER_MAX).contains(n));
        if fds.len() != numbers.len() || !named {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // Above every number that will be handed out, so that placing one does not overwrite another.
        let above = numbers.iter().fold(2, |most, number| most.max(*number)) + 1;
        let fds = fds.into_iter().map(|fd| process::lift(fd, above)).collect::<io::Result<Vec<_>>>()?;
        let (result, report) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let report = process::lift(report, above)?;
        self.oom.write_all(GUEST_OOM_SCORE)?;
        let child = process::fork();
        if let Ok(None) = child {
            let error = become_guest(image, &fds, numbers);
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            let _ = rustix::io::write(&report, &errno.to_ne_bytes());
            process::exit_now(127);
        }
        self.oom.write_all(OWN_OOM_SCORE)?;
        drop(report);
        let pid = child?.and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let mut errno = [0; 4];
        // An end without a word means that the exec closed the pipe.
        match File::from(result).read_exact(&mut errno) {
            Err(_) => Ok(pid),
            Ok(()) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        }
    }
}

/// Runs in the child. Returns only on an error.
fn become_guest(image: &Image, fds: &[OwnedFd], numbers: &[i32]) -> io::Error {
    let prepare = || -> io::Result<()> {
        setsid()?;
        process::plain_signals()?;
        process::cloexec_from(3)?;
        for (fd, number) in fds.iter().zip(numbers) {
            process::place(fd.as_fd(), *number)?;
        }
        Ok(())
    };
    match prepare() {
        Ok(()) => image.exec(),
        Err(e) => e,
    }
}

fn exited(process: u32, status: WaitStatus) -> Report {
    Report::Exited { process, code: status.exit_status(), signal: status.terminating_signal() }
}
