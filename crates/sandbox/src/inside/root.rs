//! The root that a guest sees: a small tmpfs with read-only binds, made-up files, and three places to write to
//! (`/tmp`, `/dev/shm` and, within its own user's rights, `/proc`).

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{PermissionsExt as _, symlink},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
    },
};

use super::Common;
use super::{At, GUEST_GID, GUEST_UID, Plan, Tmp, Trouble, net::PEER_V4};
use crate::sys::mount::{Attrs, make_private, restrict, seal};

const QUIET: Attrs = Attrs::NOSUID.and(Attrs::NODEV);
const READ_ONLY: Attrs = QUIET.and(Attrs::RO);
/// Any folder of the host that always exists; the new root hangs there until it becomes the root.
const FOOTHOLD: &str = "/sys";
/// The host's runtime folders.
const RUNTIME: &[&str] = &["usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32"];
/// What runtimes read of the host's `/etc`.
const ETC: &[&str] = &[
    "ld.so.cache",
    "localtime",
    "alternatives",
    "ssl/certs",
    "ssl/openssl.cnf",
    "ssl/cert.pem",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "pki/java",
    "ca-certificates",
    "mime.types",
    "protocols",
    "services",
];
/// And what begins so: these hold parts of the runtimes under `/usr`.
const ETC_FAMILIES: &[&str] = &["java", "python3", "perl", "fonts"];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// Of `/proc`: what tells of the host or of the kernel's secrets.
const PROC_HIDDEN: &[&str] = &[
    "kcore",
    "keys",
    "key-users",
    "sysrq-trigger",
    "timer_list",
    "sched_debug",
    "latency_stats",
    "kallsyms",
    "kmsg",
    "modules",
    "acpi",
    "scsi",
    "asound",
    "driver",
];
/// Hides a file of `/proc`.
const UNREADABLE: &str = "dev/.hidden";
const PROC_READ_ONLY: &[&str] = &["sys", "bus", "fs", "irq"];

/// Folders of every root where code can be shown once the sandbox stands.
pub(crate) const PLACES: &[&str] = &["/var/task", "/var/runtime", "/var/lang", "/opt"];

/// Builds the root and enters it.
pub(super) fn build(plan: &Plan<'_>) -> Result<(), Trouble> {
    own_mounts().at("make mounts private")?;
    // Before the foothold hides a folder that sources may lie in.
    let (prefixes, binds) = (prefixes(plan)?, binds(plan)?);
    let root = tmpfs(&[("mode", "0755"), ("size", "1m"), ("nr_inodes", "4096")]).at("make the root")?;
    attach(&root, FOOTHOLD).at("attach the root")?;
    std::env::set_current_dir(FOOTHOLD).at("enter the root")?;
    folders().at("make folders")?;
    host_folders()?;
    etc(plan).at("make /etc")?;
    devices(plan).at("make /dev")?;
    tmp(plan).at("make /tmp")?;
    proc().at("make /proc")?;
    for shown in prefixes.iter().chain(&binds) {
        show(&shown.mount, shown.folder, &shown.inside, READ_ONLY).at("bind")?;
    }
    switch().at("switch the root")?;
    restrict(&tree("/", false).at("open the root")?, READ_ONLY, false).at("make the root read-only")
}

/// Cuts the mounts of a new mount namespace off from the host's.
pub(crate) fn own_mounts() -> io::Result<()> {
    make_private(&tree("/", false)?)
}

/// The mount at `path`, or with `copy` a detached copy of what is there.
fn tree(path: impl AsRef<Path>, copy: bool) -> io::Result<OwnedFd> {
    let flags = if copy { OpenTreeFlags::OPEN_TREE_CLONE } else { OpenTreeFlags::empty() };
    Ok(open_tree(CWD, path.as_ref(), flags | OpenTreeFlags::OPEN_TREE_CLOEXEC)?)
}

fn attach(mount: impl AsFd, target: impl AsRef<Path>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(move_mount(mount, "", CWD, target.as_ref(), flags)?)
}

fn tmpfs(options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    filesystem("tmpfs", options, MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV)
}

fn filesystem(kind: &str, options: &[(&str, &str)], attrs: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attrs)?)
}

/// Paths from here on are relative: the working folder is the new root.
fn folders() -> io::Result<()> {
    for path in [
        "etc",
        "dev",
        "proc",
        "tmp",
        "var",
        "var/task",
        "var/runtime",
        "var/lang",
        "opt",
        "run",
        "home",
        "root",
    ] {
        fs::create_dir(path)?;
    }
    symlink("/tmp", "var/tmp")?;
    symlink("/run", "var/run")
}

fn host_folders() -> Result<(), Trouble> {
    for name in RUNTIME {
        let host = Path::new("/").join(name);
        let Ok(kind) = fs::symlink_metadata(&host) else { continue };
        if kind.is_symlink() {
            fs::read_link(&host).and_then(|to| symlink(to, name)).at("copy a link of the root")?;
        } else {
            expose(&host, Path::new(name)).at("bind runtime folders")?;
        }
    }
    Ok(())
}

/// A part of the host's tree, detached, and where it will be seen.
struct Shown {
    mount: OwnedFd,
    folder: bool,
    inside: PathBuf,
}

/// Runtimes outside of the host's runtime folders.
fn prefixes(plan: &Plan<'_>) -> Result<Vec<Shown>, Trouble> {
    let mut found = Vec::new();
    for prefix in &plan.common.runtime_prefixes {
        let inside = inner(prefix).at("name a runtime folder")?;
        if !RUNTIME.iter().any(|name| inside.starts_with(name)) {
            let trusted = plan.common.trusted(std::slice::from_ref(prefix));
            found.push(detach(prefix, trusted, inside).at("open a runtime folder")?);
        }
    }
    Ok(found)
}

/// An absolute path as one relative to the new root, without any step up.
fn inner(path: &Path) -> io::Result<PathBuf> {
    let clean = path.components().all(|c| matches!(c, Component::RootDir | Component::Normal(_)));
    let inside = path.strip_prefix("/").ok().filter(|p| clean && !p.as_os_str().is_empty());
    inside.map(Path::to_owned).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Shows a file or folder of the host read-only.
fn expose(host: &Path, inside: &Path) -> io::Result<()> {
    show(&tree(host, true)?, host.is_dir(), inside, READ_ONLY)
}

fn show(mount: &OwnedFd, folder: bool, inside: &Path, attrs: Attrs) -> io::Result<()> {
    restrict(mount, attrs, false)?;
    place_for(inside, folder)?;
    attach(mount, inside)
}

/// Makes the file or folder that a mount will hide.
fn place_for(inside: &Path, folder: bool) -> io::Result<()> {
    if folder {
        return fs::create_dir_all(inside);
    }
    if let Some(parent) = inside.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(inside).map(drop)
}

fn etc(plan: &Plan<'_>) -> io::Result<()> {
    let host = &plan.spec.hostname;
    let name_server = if plan.spec.internet { format!("nameserver {PEER_V4}\n") } else { String::new() };
    let files = [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/root:/sbin/nologin\nsandbox:x:{GUEST_UID}:{GUEST_GID}::/tmp:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
            ),
        ),
        ("group", format!("root:x:0:\nsandbox:x:{GUEST_GID}:\nnogroup:x:65534:\n")),
        ("hosts", format!("127.0.0.1 localhost {host}\n::1 localhost\n")),
        ("hostname", format!("{host}\n")),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n".into(),
        ),
        ("resolv.conf", name_server),
    ];
    for (name, text) in files {
        fs::write(Path::new("etc").join(name), text)?;
    }
    let of_families =
        fs::read_dir("/etc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let of_families = of_families.filter(|name| ETC_FAMILIES.iter().any(|family| name.starts_with(family)));
    for name in of_families.chain(ETC.iter().map(|name| (*name).to_owned())) {
        let host = Path::new("/etc").join(&name);
        if host.exists() {
            expose(&host, &Path::new("etc").join(name))?;
        }
    }
    Ok(())
}

fn devices(plan: &Plan<'_>) -> io::Result<()> {
    for name in DEVICES {
        let inside = Path::new("dev").join(name);
        let mount = tree(Path::new("/dev").join(name), true)?;
        show(&mount, false, &inside, Attrs::NOSUID.and(Attrs::NOEXEC))?;
    }
    symlink("/proc/self/fd", "dev/fd")?;
    for (number, name) in ["stdin", "stdout", "stderr"].iter().enumerate() {
        symlink(format!("/proc/self/fd/{number}"), Path::new("dev").join(name))?;
    }
    let size = (plan.spec.memory_bytes / 2).to_string();
    let shm = tmpfs(&[("mode", "1777"), ("size", &size), ("nr_inodes", "16384")])?;
    show(&shm, true, Path::new("dev/shm"), QUIET)
}

fn tmp(plan: &Plan<'_>) -> io::Result<()> {
    match &plan.tmp {
        Tmp::Image(mount) => show(mount, true, Path::new("tmp"), QUIET),
        Tmp::Memory => {
            let (size, inodes) = (plan.spec.tmp_bytes.to_string(), plan.spec.tmp_inodes.to_string());
            attach(tmpfs(&[("mode", "1777"), ("size", &size), ("nr_inodes", &inodes)])?, "tmp")
        }
    }
}

fn proc() -> io::Result<()> {
    let attrs = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    // Init is not dumpable, so with this option guests do not even see that it is there.
    attach(filesystem("proc", &[("hidepid", "invisible")], attrs)?, "proc")?;
    let empty = tmpfs(&[("mode", "0555"), ("size", "0"), ("nr_inodes", "1")])?;
    restrict(&empty, READ_ONLY, false)?;
    attach(&empty, "run")?;
    let unreadable = fs::File::create(UNREADABLE)?;
    unreadable.set_permissions(fs::Permissions::from_mode(0o000))?;
    for name in PROC_HIDDEN {
        let path = Path::new("proc").join(name);
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        let nothing = tree(if kind.is_dir() { "run" } else { UNREADABLE }, true)?;
        restrict(&nothing, READ_ONLY, false)?;
        attach(&nothing, &path)?;
    }
    for name in PROC_READ_ONLY {
        let path = Path::new("proc").join(name);
        if path.exists() {
            let mount = tree(&path, true)?;
            restrict(&mount, READ_ONLY.and(Attrs::NOEXEC), false)?;
            attach(&mount, &path)?;
        }
    }
    Ok(())
}

fn binds(plan: &Plan<'_>) -> Result<Vec<Shown>, Trouble> {
    let trusted = plan.common.trusted(&plan.common.bind_roots);
    let one = |(source, target): &(String, String)| {
        let inside = inner(Path::new(target)).at("name a bind's target")?;
        detach(Path::new(source), trusted, inside).at("open a bind's source")
    };
    plan.spec.binds.iter().map(one).collect()
}

fn detach(source: &Path, trusted: &[PathBuf], inside: PathBuf) -> io::Result<Shown> {
    let found = resolve(source, trusted)?;
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(&found, "", flags)?;
    let kind = rustix::fs::fstat(&found)?;
    let folder = rustix::fs::FileType::from_raw_mode(kind.st_mode).is_dir();
    Ok(Shown { mount, folder, inside })
}

/// A folder that may be shown, as a tree that hangs nowhere, is read-only and hears of no mount of the host.
pub(crate) fn detached(common: &Common, source: &Path) -> io::Result<OwnedFd> {
    let shown = detach(source, common.trusted(&common.bind_roots), PathBuf::new())?;
    if !shown.folder {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    seal(&shown.mount, READ_ONLY)?;
    Ok(shown.mount)
}

/// Opens a source within the roots that the helper was given. No link is followed below them: the server could be made to
/// plant one.
fn resolve(source: &Path, roots: &[PathBuf]) -> io::Result<OwnedFd> {
    let found = roots.iter().find_map(|root| source.strip_prefix(root).ok().map(|rest| (root, rest)));
    let (root, rest) = found.ok_or(io::ErrorKind::PermissionDenied)?;
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let rest = if rest.as_os_str().is_empty() { Path::new(".") } else { rest };
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(openat2(&root, rest, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how)?)
}

/// The working folder becomes the root, and the host's tree goes away.
fn switch() -> io::Result<()> {
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")
}
