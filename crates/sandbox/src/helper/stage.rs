//! The part of a sandbox's root that is the same for many: runtime folders, devices, made-up files, all read-only. It is
//! built once in a mount namespace where there is nothing else, and a sandbox begins with a copy of that namespace instead
//! of one of the host's. So a start costs the same on a host with many mounts.
//!
//! Sandboxes share the read-only files of a stage as they share `/usr`: none of them can write to it.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::{
    inside::{self, Common},
    packet,
    proto::Create,
    sys::process::{self, Cloned, clone_process},
};

/// What differs between stages.
const STAGES: usize = 8;
/// Files of `/etc` are shown as they were when the stage was built.
const AGE_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Stages(Vec<Stage>);

#[derive(Debug)]
struct Stage {
    hostname: String,
    internet: bool,
    built: Instant,
    mounts: File,
}

impl Stages {
    /// The namespace with the stage for a sandbox; an error if it cannot be built.
    #[allow(clippy::disallowed_methods, reason = "the helper has no runtime, and nobody simulates it")]
    pub(super) fn find(&mut self, spec: &Create, common: &Common) -> io::Result<&File> {
        if common.runtime_prefixes.iter().any(|prefix| prefix.starts_with("/tmp")) {
            // A sandbox's own `/tmp` comes after the stage, and would hide it.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let now = Instant::now();
        let fits =
            |stage: &Stage| (stage.hostname.as_str(), stage.internet) == (&*spec.hostname, spec.internet);
        let at = match self.0.iter().position(fits) {
            Some(at) if now.saturating_duration_since(self.0[at].built) < AGE_MAX => at,
            old => {
                let mounts = build(spec, common)?;
                let (hostname, internet) = (spec.hostname.clone(), spec.internet);
                if let Some(old) = old {
                    self.0.remove(old);
                }
                self.0.truncate(STAGES - 1);
                self.0.insert(0, Stage { hostname, internet, built: now, mounts });
                0
            }
        };
        Ok(&self.0[at].mounts)
    }
}

/// In a process of its own, which ends when the namespace can be held without it.
fn build(spec: &Create, common: &Common) -> io::Result<File> {
    let (ours, theirs) = packet::pair()?;
    match clone_process(libc::CLONE_NEWNS, None)? {
        Cloned::Child => {
            let built = build_here(spec, common, &theirs);
            process::exit_now(i32::from(built.is_err()))
        }
        Cloned::Parent(builder) => {
            drop(theirs);
            let got = packet::receive(ours.as_fd(), &mut [0; 16])?;
            waitid(WaitId::PidFd(builder.as_fd()), WaitIdOptions::EXITED)?;
            let mounts = got.and_then(|(_, mut fds)| fds.pop());
            mounts.map(File::from).ok_or_else(|| io::Error::other("the stage was not built"))
        }
    }
}

fn build_here(spec: &Create, common: &Common, line: &OwnedFd) -> io::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Under the stage's root there is no `/proc`.
    let mounts = File::open("/proc/self/ns/mnt")?;
    inside::stage(common, spec).map_err(|trouble| trouble.source)?;
    packet::send(line.as_fd(), b"x", &[mounts.as_fd()])
}
