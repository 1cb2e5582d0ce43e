//! Disk images for `/tmp`: bytes and inodes have a quota, and what a guest writes is not its memory.
//!
//! An image is a file without a name behind a loop device, mounted without a place: a descriptor is all that holds the
//! three together, so nothing stays behind when the helper is killed. Making a file system takes longer than a sandbox, so
//! for each size in use it is made once, and images are copies of its few blocks of metadata, some kept ready.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, SeekFrom},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
        fsconfig_set_string, fsmount, fsopen, open_tree,
    },
};

use crate::sys::device;

/// Sizes that are remembered.
const SIZES: usize = 4;
/// Images of one size that are kept.
const READY_MAX: usize = 64;
/// Another program may take the loop device that was just found free.
const LOOP_TRIES: usize = 64;
/// The modification time of a fresh `/tmp`: the first second of 2020.
const LONG_AGO: i64 = 1_577_836_800;
/// Bytes of an inode on disk.
const INODE: u64 = 256;
const MKFS: [&str; 3] = ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/usr/bin/mkfs.ext4"];

/// A mounted file system that hangs nowhere.
#[derive(Debug)]
pub(crate) struct Image {
    mount: OwnedFd,
    file: File,
    fresh: Stamp,
    bytes: u64,
    inodes: u64,
}

/// What would differ if anything had been made, changed or removed in an image. The time of the root folder lies in the
/// past, so any name that came or went shows in it; a file that never had a name shows in the free inodes while it lives,
/// and in the blocks of the image's file if its contents ever got there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    free: (u64, u64),
    changed: [(i64, u64); 2],
    links: u64,
    size: i64,
}

/// Blocks of 512 bytes that an image's own upkeep may add to its file.
const UPKEEP: i64 = 128;

impl Image {
    fn new(mount: OwnedFd, file: File, bytes: u64, inodes: u64) -> io::Result<Self> {
        let fresh = Stamp::of(&mount)?;
        Ok(Self { mount, file, fresh, bytes, inodes })
    }

    /// Another mount of the same file system, for a sandbox. None: this kernel does not copy what hangs nowhere (before
    /// Linux 6.15), so the sandbox gets the image for good.
    pub(crate) fn share(&self) -> Option<OwnedFd> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        open_tree(&self.mount, "", flags).ok()
    }

    pub(crate) fn into_mount(self) -> OwnedFd {
        self.mount
    }

    /// Whether it is as it was when it was made.
    fn untouched(&self, blocks: i64) -> bool {
        let grown = rustix::fs::fstat(&self.file).map_or(i64::MAX, |stat| stat.st_blocks - blocks);
        grown <= UPKEEP && Stamp::of(&self.mount).is_ok_and(|now| now == self.fresh)
    }

    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.mount.as_fd(), self.file.as_fd()]
    }
}

impl Stamp {
    fn of(mount: &OwnedFd) -> io::Result<Self> {
        // The descriptor of a mount names its root folder.
        let (stat, system) = (rustix::fs::fstat(mount)?, rustix::fs::fstatfs(mount)?);
        Ok(Self {
            free: (system.f_bfree, system.f_ffree),
            changed: [(stat.st_mtime, stat.st_mtime_nsec as u64), (stat.st_ctime, stat.st_ctime_nsec as u64)],
            links: stat.st_nlink,
            size: stat.st_size,
        })
    }
}

/// The blocks of a fresh file system of one size.
#[derive(Debug)]
struct Template {
    bytes: u64,
    inodes: u64,
    len: u64,
    /// Blocks of 512 bytes that a fresh image's file takes; known once there is one.
    taken: i64,
    blocks: Vec<(u64, Vec<u8>)>,
    ready: Vec<Image>,
}

/// Images, some of them ready before they are needed.
#[derive(Debug)]
pub(crate) struct Images {
    scratch_dir: PathBuf,
    spare: usize,
    /// The program that makes file systems, or why there are no images.
    mkfs: Result<&'static str, String>,
    /// The last one used comes first.
    templates: Vec<Template>,
    /// Making one ahead failed; wait until one is needed.
    tired: bool,
}

impl Images {
    /// Tries it out. Without the privilege to mount there are no images.
    pub(crate) fn new(scratch_dir: &str, spare: usize, privileged: bool) -> Self {
        let mkfs = if privileged {
            MKFS.into_iter().find(|path| Path::new(path).exists()).ok_or_else(|| "no mkfs.ext4".to_owned())
        } else {
            Err("mounting images needs privileges".to_owned())
        };
        let mut images =
            Self { scratch_dir: scratch_dir.into(), spare, mkfs, templates: Vec::new(), tired: false };
        if let Err(e) = images.take(1 << 20, 64) {
            images.mkfs = Err(e.to_string());
        }
        images.templates.clear();
        images
    }

    pub(crate) fn describe(&self) -> (bool, String) {
        match &self.mkfs {
            Ok(mkfs) => (true, format!("ext4 images by {mkfs}")),
            Err(why) => (false, format!("/tmp is memory: {why}")),
        }
    }

    /// An image with room for `bytes` and `inodes`; None if `/tmp` must be memory.
    pub(crate) fn take(&mut self, bytes: u64, inodes: u64) -> io::Result<Option<Image>> {
        let Ok(mkfs) = self.mkfs else { return Ok(None) };
        self.tired = false;
        let known = self.templates.iter().position(|t| (t.bytes, t.inodes) == (bytes, inodes));
        let mut template = match known {
            Some(at) => self.templates.remove(at),
            None => Template::make(&self.scratch_dir, mkfs, bytes, inodes)?,
        };
        let image = match template.ready.pop() {
            Some(image) => Ok(image),
            None => template.image(&self.scratch_dir),
        };
        self.templates.insert(0, template);
        self.templates.truncate(SIZES);
        image.map(Some)
    }

    /// Takes an image back from a sandbox that has ended; gives it again if it cannot be used any more.
    pub(crate) fn give_back(&mut self, image: Image) -> Option<Image> {
        let key = (image.bytes, image.inodes);
        match self.templates.iter_mut().find(|t| (t.bytes, t.inodes) == key) {
            Some(template) if template.ready.len() < READY_MAX && image.untouched(template.taken) => {
                template.ready.push(image);
                None
            }
            _ => Some(image),
        }
    }

    /// Lets go of all.
    pub(crate) fn close(&mut self) {
        self.templates.clear();
    }

    /// Whether an idle moment can be used.
    pub(crate) fn wants_work(&self) -> bool {
        !self.tired && self.templates.first().is_some_and(|template| template.ready.len() < self.spare)
    }

    /// Makes one image ahead.
    pub(crate) fn work(&mut self) {
        if let Some(template) = self.templates.first_mut()
            && template.ready.len() < self.spare
        {
            match template.image(&self.scratch_dir) {
                Ok(image) => template.ready.push(image),
                Err(_) => self.tired = true,
            }
        }
    }
}

impl Template {
    fn make(scratch_dir: &Path, mkfs: &str, bytes: u64, inodes: u64) -> io::Result<Self> {
        // What the file system needs for itself comes on top: inode tables, bitmaps, descriptors.
        let len = (bytes + inodes * INODE + bytes / 1024 + (1 << 20)).next_multiple_of(1 << 20);
        let file = nameless(scratch_dir, len)?;
        format(mkfs, &file, inodes)?;
        let mount = mount(&file)?;
        rustix::fs::unlinkat(&mount, "lost+found", AtFlags::REMOVEDIR)?;
        rustix::fs::chmodat(&mount, ".", Mode::from_raw_mode(0o1777), AtFlags::empty())?;
        // Older than anything that can happen to an image.
        let long_ago = rustix::fs::Timespec { tv_sec: LONG_AGO, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: long_ago, last_modification: long_ago };
        rustix::fs::utimensat(&mount, ".", &times, AtFlags::empty())?;
        drop(mount);
        let blocks = blocks(&file)?;
        Ok(Self { bytes, inodes, len, taken: 0, blocks, ready: Vec::new() })
    }

    fn image(&mut self, scratch_dir: &Path) -> io::Result<Image> {
        let file = nameless(scratch_dir, self.len)?;
        for (offset, bytes) in &self.blocks {
            file.write_all_at(bytes, *offset)?;
        }
        let mount = mount(&file)?;
        self.taken = self.taken.max(rustix::fs::fstat(&file)?.st_blocks);
        Image::new(mount, file, self.bytes, self.inodes)
    }
}

/// A sparse file that nothing but its descriptor holds.
fn nameless(folder: &Path, len: u64) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?);
    file.set_len(len)?;
    Ok(file)
}

/// No journal: an image does not outlive a crash. No reserved blocks: the quota is the guest's.
fn format(mkfs: &str, file: &File, inodes: u64) -> io::Result<()> {
    let inodes = inodes.to_string();
    let args = [
        "-q",
        "-F",
        "-m",
        "0",
        "-b",
        "4096",
        "-I",
        "256",
        "-N",
        &inodes,
        "-O",
        "^has_journal,^resize_inode",
        "-E",
        "lazy_itable_init=1,nodiscard",
        "/proc/self/fd/0",
    ];
    let status = Command::new(mkfs)
        .args(args.map(OsStr::new))
        .env_clear()
        .env("MKE2FS_CONFIG", "/dev/null")
        .stdin(Stdio::from(file.try_clone()?))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("mkfs.ext4 ended with {status}"))) }
}

/// Mounts the file system in a file, nowhere.
fn mount(file: &File) -> io::Result<OwnedFd> {
    let (device, path) = loop_device(file)?;
    let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", path.as_str())?;
    // Nobody reads an image after a crash: no flushes, and no zeroing of inode tables that are holes already.
    for flag in ["nobarrier", "noinit_itable"] {
        fsconfig_set_flag(&context, flag)?;
    }
    fsconfig_create(&context)?;
    let attrs = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOATIME;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attrs)?;
    // From here on the mount holds the device, and the device holds the file.
    drop(device);
    Ok(mount)
}

fn loop_device(file: &File) -> io::Result<(File, String)> {
    let open = |path: &str| File::options().read(true).write(true).open(path);
    let control = open("/dev/loop-control")?;
    for _ in 0..LOOP_TRIES {
        let path = format!("/dev/loop{}", device::free_loop(&control)?);
        let device = open(&path)?;
        match device::attach_loop(&device, file) {
            Ok(()) => return Ok((device, path)),
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EBUSY))
}

/// What a sparse file holds, by offset.
fn blocks(file: &File) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut blocks = Vec::new();
    let mut at = 0;
    loop {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            // No data after this.
            Err(rustix::io::Errno::NXIO) => return Ok(blocks),
            Err(e) => return Err(e.into()),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        blocks.push((start, bytes));
        at = end;
    }
}

#[cfg(test)]
mod tests;
