use std::os::fd::AsFd as _;

use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::*;
use crate::sys::process::{Cloned, clone_process};

const LIMITS: Limits = Limits { memory_bytes: 128 << 20, cpu_millis: 500, pids: 64 };

/// Plain files stand for the kernel's: hosts of the tests may have the controllers in version 1.
#[test]
fn limits_and_usage_are_in_the_files_of_the_kernel_s_document() {
    let folder = tempfile::tempdir().unwrap();
    let parent = Parent::claimed(folder.path().join("anyfn-x")).unwrap();
    let child = parent.create("ins_1", LIMITS).unwrap();
    let read = |name: &str| fs::read_to_string(child.0.join(name)).unwrap();
    assert_eq!(read("memory.max"), "134217728");
    assert_eq!(read("memory.oom.group"), "1");
    assert_eq!(read("pids.max"), "64");
    assert_eq!(read("cpu.max"), "10000 20000");
    for (name, text) in [
        ("memory.current", "4096\n"),
        ("memory.peak", "8192\n"),
        ("cpu.stat", "usage_usec 17\nuser_usec 9\n"),
        ("pids.current", "3\n"),
        ("memory.events", "low 0\noom 1\noom_kill 2\n"),
    ] {
        fs::write(child.0.join(name), text).unwrap();
    }
    let used = child.used().unwrap();
    assert_eq!((used.memory_bytes, used.memory_peak_bytes), (4096, 8192));
    assert_eq!((used.cpu_us, used.processes, used.out_of_memory), (17, 3, true));
}

/// Placement, freezing and killing need no controller, so a real hierarchy of any kind will do.
#[test]
fn c14_a_clone_is_born_in_its_group_and_freezes_and_dies_with_it() {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let Some(mount) = mounts(&mountinfo, "cgroup2").next() else {
        eprintln!("skipped: no cgroup version 2");
        return;
    };
    let folder = mount.point.join(format!("anyfn-t-v2-{}", std::process::id()));
    let Ok(parent) = Parent::claimed(folder.clone()) else {
        eprintln!("skipped: cgroup version 2 is not writable");
        return;
    };
    let child = Child(folder.join("ins_1"));
    fs::create_dir(&child.0).unwrap();
    let into = child.folder().unwrap();
    let pidfd = match clone_process(0, Some(into.as_fd())).unwrap() {
        // Nothing here may allocate: other threads of the test may hold locks.
        Cloned::Child => loop {
            let _ = rustix::event::poll(&mut [], None);
        },
        Cloned::Parent(pidfd) => pidfd,
    };
    assert_eq!(fs::read_to_string(child.0.join("cgroup.procs")).unwrap().lines().count(), 1);
    child.freeze(true).unwrap();
    assert_eq!(keyed(&child.0.join("cgroup.events"), "frozen").unwrap(), 1);
    child.freeze(false).unwrap();
    assert_eq!(keyed(&child.0.join("cgroup.events"), "frozen").unwrap(), 0);
    child.freeze(true).unwrap();
    // What a dead helper left, frozen even, is killed by the next one.
    parent.close();
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    assert_eq!(status.terminating_signal(), Some(9));
    assert!(!folder.exists());
}
