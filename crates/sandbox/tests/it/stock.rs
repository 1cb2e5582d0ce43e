//! Sandboxes made ahead, and what is used again: nobody may find anything of anybody.

use std::sync::{Arc, Mutex};

use anyfn_core::ports::{Bind, ExitKind, Furnish, Isolation as _, Network, SandboxSpec};
use rustix::process::{Pid, Signal, kill_process};

use crate::house::{House, MIB, cgroups, helper_of, images_in, processes_of, python, root, run, until};

fn furnish(house: &House, targets: &[&str]) -> Furnish {
    let source = house.scratch.path().join("code");
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("main.py"), "print('mine')").unwrap();
    let bind = |target: &&str| Bind { source: source.clone(), target: (*target).to_owned() };
    Furnish { binds: targets.iter().map(bind).collect(), memory_bytes: 128 * MIB, cpu_millis: 1000, pids: 32 }
}

const LOOK: &str = r"
import os
for place in ['/var/task', '/var/runtime', '/opt', '/var/lang']: print(place, os.listdir(place))
try: open('/var/task/x', 'w')
except OSError as e: print(e.errno)
s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize >> 20)
";

#[tokio::test]
async fn furnishing_shows_the_code_read_only_and_nothing_else() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let mut blank = house.processes.blank(house.spec()).await.unwrap();
    let empty = "/var/task []\n/var/runtime []\n/opt []\n/var/lang []\n30\n128\n";
    assert_eq!(python(&*blank, LOOK).await, empty);
    blank.furnish(furnish(&house, &["/var/task", "/opt"])).await.unwrap();
    let shown = "/var/task ['main.py']\n/var/runtime []\n/opt ['main.py']\n/var/lang []\n30\n64\n";
    assert_eq!(python(&*blank, LOOK).await, shown);
    // What is mounted on the host later does not come after.
    let usage = blank.usage().await.unwrap();
    assert!(usage.memory_bytes < 128 * MIB);
    let memory = "try: b'x' * (200 << 20)\nexcept MemoryError: pass";
    let (exit, _) = run(&*blank, &["/usr/bin/python3", "-I", "-S", "-c", memory]).await;
    assert!(exit.out_of_memory, "{exit:?}");
    blank.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_furnished_is_refused() {
    if !root() {
        return;
    }
    let house = House::open().await;
    for targets in [&["/etc"][..], &["/var/task/deep"], &["/tmp"], &["/var/task", "/var/task"], &["/home"]] {
        let mut blank = house.processes.blank(house.spec()).await.unwrap();
        let error = blank.furnish(furnish(&house, targets)).await.unwrap_err();
        assert_eq!(error.code, "sandbox_refused", "{targets:?}");
        // It is blank still.
        blank.furnish(furnish(&house, &["/var/task"])).await.unwrap();
        let error = blank.furnish(furnish(&house, &["/opt"])).await.unwrap_err();
        assert_eq!(error.code, "sandbox_refused");
        blank.destroy().await.unwrap();
    }
    let mut blank = house.processes.blank(house.spec()).await.unwrap();
    let mut outside = furnish(&house, &["/var/task"]);
    outside.binds[0].source = "/etc".into();
    assert_eq!(blank.furnish(outside).await.unwrap_err().code, "sandbox_refused");
    std::os::unix::fs::symlink("/etc", house.scratch.path().join("link")).unwrap();
    let mut link = furnish(&house, &["/var/task"]);
    link.binds[0].source = house.scratch.path().join("link");
    assert!(blank.furnish(link).await.is_err());
    assert_eq!(python(&*blank, "import os; print(os.listdir('/var/task'))").await, "[]\n");
    blank.destroy().await.unwrap();
    let mut whole = house.sandbox().await;
    let error = whole.furnish(furnish(&house, &["/var/task"])).await.unwrap_err();
    assert_eq!(error.code, "sandbox_refused");
    whole.destroy().await.unwrap();
    house.close().await;
}

async fn stocked() -> House {
    House::with(|options| options.stock_max = 4).await
}

fn with_code(house: &House) -> SandboxSpec {
    SandboxSpec { binds: furnish(house, &["/var/task"]).binds, ..house.spec() }
}

async fn until_stocked(house: &House) {
    until("the stock is full", || house.processes.ready() == 2).await;
}

#[tokio::test]
async fn the_stock_fills_behind_the_first_start_and_serves_the_next() {
    if !root() {
        return;
    }
    let house = stocked().await;
    assert_eq!(house.processes.ready(), 0, "no demand, no stock");
    let first = house.processes.create(with_code(&house)).await.unwrap();
    until_stocked(&house).await;
    let ready = processes_of(&house.name);
    let second = house.processes.create(with_code(&house)).await.unwrap();
    for sandbox in [&first, &second] {
        assert_eq!(python(&**sandbox, "exec(open('/var/task/main.py').read())").await, "mine\n");
    }
    first.destroy().await.unwrap();
    second.destroy().await.unwrap();
    let left = || processes_of(&house.name).into_iter().filter(|pid| ready.contains(pid)).count();
    assert_eq!(left(), 1, "the first is gone, the second was one of the two that were ready");
    house.close().await;
}

#[tokio::test]
async fn other_shapes_and_other_targets_are_built_whole() {
    if !root() {
        return;
    }
    let house = stocked().await;
    let first = house.processes.create(house.spec()).await.unwrap();
    until_stocked(&house).await;
    let mut other = house.spec();
    other.hostname = "other".into();
    let other = house.processes.create(other).await.unwrap();
    assert_eq!(python(&*other, "import socket; print(socket.gethostname())").await, "other\n");
    let mut deep = house.spec();
    deep.binds = furnish(&house, &["/srv/code"]).binds;
    let deep = house.processes.create(deep).await.unwrap();
    assert_eq!(python(&*deep, "exec(open('/srv/code/main.py').read())").await, "mine\n");
    for sandbox in [first, other, deep] {
        sandbox.destroy().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn a_killed_helper_takes_its_stock_along() {
    if !root() {
        return;
    }
    let house = stocked().await;
    let first = house.processes.create(house.spec()).await.unwrap();
    until_stocked(&house).await;
    let old = processes_of(&house.name);
    kill_process(Pid::from_raw(helper_of(&house.name)).unwrap(), Signal::KILL).unwrap();
    assert_eq!(first.next_exit().await.unwrap().kind, ExitKind::Signal(9));
    let alive = |pid: &i32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    until("the old processes are gone", || !old.iter().any(alive)).await;
    let scratch = house.scratch.path().to_path_buf();
    until("what it left is cleaned", || {
        cgroups(&house.name).iter().all(|c| c.ends_with(format!("anyfn-{}", house.name)))
    })
    .await;
    let keep = house.close().await;
    assert_eq!(images_in(&scratch), 0);
    drop(keep);
}

#[tokio::test]
async fn the_network_is_served_when_a_sandbox_is_handed_out_under_its_own_id() {
    if !root() {
        return;
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let (on, off) = (told.clone(), told.clone());
    let house = House::with(move |options| {
        options.stock_max = 4;
        options.on_tun = Some(Arc::new(move |id, _| on.lock().unwrap().push((id, true))));
        options.on_gone = Some(Arc::new(move |id| off.lock().unwrap().push((id, false))));
    })
    .await;
    let spec = || SandboxSpec { network: Network::Internet, ..house.spec() };
    let (one, two) = (spec(), spec());
    let mut wanted = Vec::new();
    for spec in [one, two] {
        wanted.extend([(spec.id, true), (spec.id, false)]);
        let again = spec.clone();
        let sandbox = house.processes.create(spec).await.unwrap();
        let error = house.processes.create(again).await.err().unwrap();
        assert_eq!(error.code, "sandbox_refused", "the id is taken");
        until_stocked(&house).await;
        sandbox.destroy().await.unwrap();
    }
    let keep = house.close().await;
    assert_eq!(*told.lock().unwrap(), wanted, "nobody hears of a sandbox that was never handed out");
    drop(keep);
}
