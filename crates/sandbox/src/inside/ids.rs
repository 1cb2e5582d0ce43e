//! User ids and capabilities.

use std::{fs, io};

use rustix::{
    process::{DumpableBehavior, Gid, Signal, Uid},
    thread::{CapabilitySet, CapabilitySets, UnshareFlags},
};

use super::{GUEST_GID, GUEST_UID, unshare};

/// Whom the guest is for the host's kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ids {
    /// A host id that no other living sandbox has. The set-up runs as real root; then the id is taken and a user namespace
    /// entered. All other namespaces stay owned by the host's, so no capability gained inside could touch them.
    Own(u32),
    /// The helper's own user; the clone starts in a user namespace of it.
    Helper { uid: u32, gid: u32 },
}

impl Ids {
    /// Before the set-up.
    pub(super) fn map_early(self) -> io::Result<()> {
        match self {
            Self::Own(_) => Ok(()),
            Self::Helper { uid, gid } => write_maps(uid, gid),
        }
    }

    /// After the set-up.
    pub(super) fn map_late(self) -> io::Result<()> {
        let Self::Own(id) = self else { return Ok(()) };
        let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        // The kernel made this process undumpable with the change of ids, and then `/proc/self` belongs to root.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        unshare(UnshareFlags::NEWUSER)?;
        write_maps(id, id)
    }
}

/// One id each. Without `setgroups` the kernel lets an unprivileged process map its own group.
fn write_maps(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{GUEST_UID} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{GUEST_GID} {gid} 1"))
}

/// No capability now or ever again; unreadable for guests; dies with the helper. The last call of the three, because a
/// change of credentials disarms the death signal.
pub(super) fn drop_privileges() -> io::Result<()> {
    empty_bounding_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(())
}

/// No exec gains a capability any more, but for those that are inheritable.
pub(super) fn empty_bounding_set() -> io::Result<()> {
    for number in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << number);
        match rustix::thread::remove_capability_from_bounding_set(one) {
            // The kernel knows no more of them; or a security module lets nobody use capabilities in a user namespace, this
            // one included. The set only bounds what an exec could gain, and with `no_new_privs` that is nothing.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::PERM) => break,
            other => other?,
        }
    }
    Ok(())
}
