//! Deaths of the helper and of the server, and many sandboxes at once. Nothing may be left.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

use anyfn_base::Base;
use anyfn_core::ports::{ExitKind, Isolation as _};
use rustix::process::{Pid, Signal, kill_process};

use crate::house::{House, cgroups, helper_of, images_in, processes_of, python, root, run, start, until};

#[tokio::test]
async fn fifty_sandboxes_at_once_come_and_go() {
    if !root() {
        return;
    }
    let house = Arc::new(House::open().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let house = house.clone();
        tasks.spawn(async move {
            let sandbox = house.sandbox().await;
            let (exit, text) = run(&*sandbox, &["/bin/sh", "-c", "echo $$ > /tmp/x && cat /tmp/x"]).await;
            assert_eq!(exit.kind, ExitKind::Code(0), "{text}");
            sandbox
        });
    }
    let sandboxes = tasks.join_all().await;
    assert_eq!(processes_of(&house.name).len(), 50, "one init each");
    assert_eq!(sandboxes.len(), 50);
    let (kept, dropped): (Vec<_>, Vec<_>) = sandboxes.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
    drop(dropped);
    for (_, sandbox) in kept {
        sandbox.destroy().await.unwrap();
    }
    let house = Arc::try_unwrap(house).ok().unwrap();
    let (name, scratch) = (house.name.clone(), house.scratch.path().to_path_buf());
    until("dropped sandboxes are gone", || processes_of(&name).is_empty()).await;
    let keep = house.close().await;
    assert_eq!(images_in(&scratch), 0);
    drop(keep);
}

#[tokio::test]
async fn a_killed_helper_takes_everything_with_it_and_is_started_again() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let (one, two) = (house.sandbox().await, house.sandbox().await);
    let (process, _output) = start(&*one, &["/bin/sleep", "1000"]).await;
    two.freeze().await.unwrap();
    let old = processes_of(&house.name);
    assert_eq!(old.len(), 3);
    let helper = helper_of(&house.name);
    kill_process(Pid::from_raw(helper).unwrap(), Signal::KILL).unwrap();
    let exit = one.next_exit().await.unwrap();
    assert_ne!(exit.process, Some(process));
    assert_eq!((exit.process, exit.kind), (None, ExitKind::Signal(9)));
    assert_eq!(one.next_exit().await, None);
    assert_eq!(two.next_exit().await.unwrap().process, None);
    assert_eq!(one.usage().await.unwrap_err().code, "sandbox_helper_gone");
    // A new helper cleans up and serves. Frozen processes of version 1 die only when it thaws them.
    until("the old processes are gone", || old.iter().all(|pid| !alive(*pid))).await;
    until("the cgroups are gone", || {
        cgroups(&house.name).iter().all(|c| c.ends_with(format!("anyfn-{}", house.name)))
    })
    .await;
    let mut tries = 0;
    let again = loop {
        match house.processes.create(house.spec()).await {
            Ok(sandbox) => break sandbox,
            Err(e) => assert_eq!(e.code, "sandbox_helper_gone"),
        }
        tries += 1;
        assert!(tries < 1000);
        house.base.clock.sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!(python(&*again, "print('again')").await, "again\n");
    // With its helper a sandbox is gone too.
    one.destroy().await.unwrap();
    drop(two);
    again.destroy().await.unwrap();
    let scratch = house.scratch.path().to_path_buf();
    let keep = house.close().await;
    assert_eq!(images_in(&scratch), 0);
    drop(keep);
}

fn alive(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_killed_server_leaves_nothing() {
    if !root() {
        return;
    }
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "accidents::the_server_that_is_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said =
        lines.filter_map(|line| line.split_once("ready ").map(|(_, rest)| rest.to_owned())).next().unwrap();
    let (name, scratch) = said.split_once(' ').unwrap();
    let scratch = std::path::PathBuf::from(scratch);
    let (processes, helper) = (processes_of(name), helper_of(name));
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts().contains(scratch.to_str().unwrap()), "nothing is ever mounted where the host sees it");
    let before = mounts();
    assert_eq!(processes.len(), 5, "three inits, one of them frozen, and two guests");
    assert!(images_in(&scratch) >= 3);
    server.kill().unwrap();
    server.wait().unwrap();
    until("the helper is gone", || !alive(helper)).await;
    until("the processes are gone", || processes.iter().all(|pid| !alive(*pid))).await;
    assert_eq!(cgroups(name), Vec::<std::path::PathBuf>::new());
    assert_eq!(images_in(&scratch), 0);
    assert_eq!(mounts(), before);
    std::fs::remove_dir_all(&scratch).unwrap();
}

/// Run by the test above, in a process of its own.
#[tokio::test]
#[ignore = "only another test starts it"]
#[allow(clippy::print_stdout, reason = "this is how the other test learns that it is ready")]
async fn the_server_that_is_killed() {
    let house = House::open().await;
    let mut held = Vec::new();
    for n in 0..3 {
        let sandbox = house.sandbox().await;
        if n == 0 {
            sandbox.freeze().await.unwrap();
        } else {
            held.push(start(&*sandbox, &["/bin/sleep", "1000"]).await.1);
        }
        std::mem::forget(sandbox);
    }
    println!("ready {} {}", house.name, house.scratch.path().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn leftovers_of_a_server_of_the_same_name_are_cleaned_at_the_start() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let name = house.name.clone();
    let stale = cgroups(&name).into_iter().next().unwrap().join("ins_stale");
    house.close().await;
    std::fs::create_dir_all(&stale).unwrap();
    let mut sleeper = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    std::fs::write(stale.join("cgroup.procs"), sleeper.id().to_string()).unwrap();
    let fixed = name.clone();
    let house = House::with(move |options| options.cgroup_name = fixed).await;
    assert!(!stale.exists());
    use std::os::unix::process::ExitStatusExt as _;
    assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
    let parent = cgroups(&name);
    assert!(!parent.is_empty());
    drop(house.close().await);
    assert_eq!(cgroups(&name), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_helper() {
    if !root() {
        return;
    }
    let House { base, processes, name, scratch } = House::open().await;
    let sandbox = processes.create(House::spec_of(&base)).await.unwrap();
    drop(processes);
    // The sandbox keeps the helper.
    assert_eq!(python(&*sandbox, "print(1)").await, "1\n");
    drop(sandbox);
    until("the cgroups are gone", || cgroups(&name).is_empty()).await;
    until("the tasks are gone", || base.tasks.alive().is_empty()).await;
    assert_eq!(images_in(scratch.path()), 0);
    let _: &Base = &base;
}

#[tokio::test]
async fn a_create_that_nobody_waits_for_leaves_nothing() {
    if !root() {
        return;
    }
    let house = House::open().await;
    for polls in 0..30 {
        let mut create = Box::pin(house.processes.create(house.spec()));
        let mut left = polls;
        let given_up = std::future::poll_fn(|context| {
            let done = create.as_mut().poll(context).is_ready();
            left -= 1;
            if done || left <= 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        given_up.await;
        drop(create);
    }
    until("what was begun is gone", || processes_of(&house.name).is_empty()).await;
    let scratch = house.scratch.path().to_path_buf();
    let keep = house.close().await;
    assert_eq!(images_in(&scratch), 0);
    drop(keep);
}
