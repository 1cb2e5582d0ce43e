//! Code and limits for a sandbox that stands already: the helper opens what may be shown, as it does for a new sandbox,
//! goes into the sandbox's mount namespace, hangs it over the empty folders, and comes back.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    mount::{FsPickFlags, MoveMountFlags, fsconfig_reconfigure, fsconfig_set_string, fspick, move_mount},
    process::{chdir, chroot, fchdir},
};

use super::instance::Instance;
use crate::{
    inside::{Common, detached},
    proto::Furnish,
    sys::{mount::enter_mounts, process::exit_now},
};

/// The way back.
#[derive(Debug)]
pub(super) struct Home {
    mounts: File,
    root: OwnedFd,
    folder: OwnedFd,
}

impl Home {
    /// Tries the way; an error if this helper cannot go it.
    pub(super) fn find() -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = |path| rustix::fs::open(path, flags, Mode::empty());
        let home =
            Self { mounts: File::open("/proc/self/ns/mnt")?, root: folder("/")?, folder: folder(".")? };
        home.visit(&home.mounts, || Ok(()))?;
        Ok(home)
    }

    /// Does something with the mounts of another namespace before the eyes. A helper that cannot come back ends, and with
    /// it everything that it runs.
    fn visit<T>(&self, of: impl AsFd, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        enter_mounts(of)?;
        let done = work();
        if self.come_back().is_err() {
            exit_now(1);
        }
        done
    }

    /// Entering a namespace forgets that the helper may have had another root than the namespace's own.
    fn come_back(&self) -> io::Result<()> {
        enter_mounts(&self.mounts)?;
        fchdir(&self.root)?;
        chroot(".")?;
        chdir("/")?;
        Ok(fchdir(&self.folder)?)
    }
}

/// The request has been checked.
pub(super) fn furnish(
    instance: &mut Instance,
    home: &Home,
    common: &Common,
    with: &Furnish,
) -> Result<(), (&'static str, io::Error)> {
    let memory = instance.blank.take().ok_or(("furnish twice", io::ErrorKind::AlreadyExists.into()))?;
    let mut shown = Vec::with_capacity(with.binds.len());
    for (source, target) in &with.binds {
        let mount = detached(common, Path::new(source)).map_err(|e| ("open a bind's source", e))?;
        shown.push((mount, target));
    }
    let resize = (memory != with.limits.memory_bytes).then_some(with.limits.memory_bytes);
    let work = || {
        shown.iter().try_for_each(|(mount, target)| hang(mount, target))?;
        resize.map_or(Ok(()), resize_shm)
    };
    if !shown.is_empty() || resize.is_some() {
        home.visit(&instance.pidfd, work).map_err(|e| ("show code", e))?;
    }
    if instance.limits != with.limits {
        instance.group.limit(with.limits).map_err(|e| ("set limits", e))?;
        instance.limits = with.limits;
    }
    Ok(())
}

/// Over a folder of the sandbox's own root, where nothing hangs yet.
fn hang(mount: &OwnedFd, target: &str) -> io::Result<()> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat2(CWD, target.trim_start_matches('/'), flags, Mode::empty(), how)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", &folder, "", flags)?)
}

/// Half of the memory, as a new sandbox has it.
fn resize_shm(memory_bytes: u64) -> io::Result<()> {
    let context = fspick(CWD, "dev/shm", FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_SYMLINK_NOFOLLOW)?;
    fsconfig_set_string(&context, "size", (memory_bytes / 2).to_string().as_str())?;
    Ok(fsconfig_reconfigure(&context)?)
}
