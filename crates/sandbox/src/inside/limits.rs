//! Limits per process. What concerns the sandbox as a whole is the cgroups' matter.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Ids, Plan};

/// Bytes that a process may lock in memory.
const MEMLOCK: u64 = 64 * 1024;
/// Bytes of POSIX message queues.
const MSGQUEUE: u64 = 819_200;

/// Less than a page means no core file; exactly 1 means that a host's core program is not started either (0 would start
/// it). The filter denies guests to change it.
const CORE: u64 = 1;

pub(super) fn set(plan: &Plan<'_>) -> io::Result<()> {
    let spec = plan.spec;
    let mut wanted = vec![
        (Resource::Core, CORE),
        (Resource::Nofile, spec.open_files),
        (Resource::Memlock, MEMLOCK),
        (Resource::Msgqueue, MSGQUEUE),
        (Resource::Sigpending, 4 * u64::from(spec.pids)),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ];
    if matches!(plan.ids, Ids::Helper { .. }) {
        // Without cgroups this is the only bound; the kernel counts it per user namespace.
        wanted.push((Resource::Nproc, u64::from(spec.pids)));
    }
    for (resource, most) in wanted {
        let now = getrlimit(resource);
        let limit = now.maximum.map_or(most, |hard| hard.min(most));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
    }
    Ok(())
}
