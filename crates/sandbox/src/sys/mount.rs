//! Attributes of mounts.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use super::check;

/// `struct mount_attr` of `<linux/mount.h>`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Attributes to add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attrs(u64);

impl Attrs {
    pub(crate) const RO: Self = Self(0x1);
    pub(crate) const NOSUID: Self = Self(0x2);
    pub(crate) const NODEV: Self = Self(0x4);
    pub(crate) const NOEXEC: Self = Self(0x8);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Adds attributes to the mount that `mount` is the root of; with `below` also to the mounts under it.
pub(crate) fn restrict(mount: impl AsFd, attrs: Attrs, below: bool) -> io::Result<()> {
    set(mount, &MountAttr { set: attrs.0, clear: 0, propagation: 0, userns_fd: 0 }, below)
}

/// Adds attributes to a single mount and cuts it off from the mounts of others.
pub(crate) fn seal(mount: impl AsFd, attrs: Attrs) -> io::Result<()> {
    let attr = MountAttr { set: attrs.0, clear: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    set(mount, &attr, false)
}

/// Lets the calling thread, which must be its process's only one, see the mounts of the namespace that `of` names: a
/// process by its descriptor, or the namespace itself. Root and working folder become the namespace's.
pub(crate) fn enter_mounts(of: impl AsFd) -> io::Result<()> {
    // SAFETY: takes numbers only; which files the process holds open does not change.
    check(unsafe { libc::setns(of.as_fd().as_raw_fd(), libc::CLONE_NEWNS) }.into()).map(drop)
}

/// Cuts the whole tree off from the mounts of others.
pub(crate) fn make_private(mount: impl AsFd) -> io::Result<()> {
    let attr = MountAttr { set: 0, clear: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    set(mount, &attr, true)
}

fn set(mount: impl AsFd, attr: &MountAttr, below: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if below { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty string that ends in NUL, the structure has the kernel's layout and its size is given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    check(done).map(drop)
}
