//! A sandbox comes up, runs programs, and goes.

use anyfn_core::ports::{ExitKind, Isolation as _};

use crate::house::{House, cgroups, command, python, read_all, root, run, start};

#[tokio::test]
async fn a_program_runs_and_its_exit_is_told() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let (exit, text) = run(&*sandbox, &["/bin/sh", "-c", "echo hello; id -u; id -g; hostname; exit 7"]).await;
    assert_eq!(text, "hello\n993\n990\nfn\n");
    assert_eq!(exit.kind, ExitKind::Code(7));
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn several_processes_end_on_their_own_and_with_the_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let (first, _keep) = start(&*sandbox, &["/bin/sleep", "1000"]).await;
    let (second, _too) = start(&*sandbox, &["/bin/sleep", "1000"]).await;
    assert_ne!(first, second);
    sandbox.signal(second, 15).await.unwrap();
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!((exit.process, exit.kind), (Some(second), ExitKind::Signal(15)));
    assert!(!cgroups(&house.name).is_empty());
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_an_error_of_the_spawn() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let error = sandbox.spawn(command(&["/no/such"], vec![])).await.unwrap_err();
    assert_eq!(error.code, "sandbox_exec_failed");
    let error = sandbox.spawn(command(&["sh"], vec![])).await.unwrap_err();
    assert_eq!(error.code, "sandbox_refused");
    // The sandbox is as good as before.
    assert_eq!(run(&*sandbox, &["/bin/true"]).await.0.kind, ExitKind::Code(0));
    drop(sandbox);
    house.close().await;
}

#[tokio::test]
async fn descriptors_get_their_numbers_and_nothing_else_is_inherited() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let script = "import os; os.write(9, repr(sorted(int(n) for n in os.listdir('/proc/self/fd'))).encode())";
    sandbox.spawn(command(&["/usr/bin/python3", "-I", "-S", "-c", script], vec![(write, 9)])).await.unwrap();
    assert_eq!(sandbox.next_exit().await.unwrap().kind, ExitKind::Code(0));
    // 3 is the listing's own.
    assert_eq!(read_all(read).await, "[0, 1, 2, 3, 9]");
    // What is not given is nothing, and not the host's.
    let script = "import os; print(os.readlink('/proc/self/fd/0'), os.read(0, 1))";
    assert_eq!(python(&*sandbox, script).await, "/dev/null b''\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn the_listener_inside_is_served_from_outside() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let mut sandbox = house.sandbox_with(|spec| spec.listen = Some(9001)).await;
    let listener = sandbox.take_listener().unwrap();
    assert!(sandbox.take_listener().is_none());
    let served = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"from outside").unwrap();
    });
    let script = "import socket; print(socket.create_connection(('127.0.0.1', 9001)).recv(99).decode())";
    assert_eq!(python(&*sandbox, script).await, "from outside\n");
    served.await.unwrap();
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_helper_says_what_the_host_can_do() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let names: Vec<String> = house.processes.capabilities().parts.into_iter().map(|part| part.0).collect();
    assert_eq!(
        names,
        [
            "helper",
            "separate user ids",
            "user namespaces",
            "mount, pid, ipc, uts namespaces",
            "network namespaces",
            "cgroups",
            "system call filter",
            "disk-backed /tmp",
            "tun device",
            "sandboxes ahead",
        ]
    );
    house.close().await;
}

#[tokio::test]
async fn runtime_folders_are_shown_read_only_at_their_own_paths() {
    if !root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let prefix = place.path().join("runtimes/tool-1");
    std::fs::create_dir_all(&prefix).unwrap();
    std::fs::create_dir_all(place.path().join("runtimes/tool-2")).unwrap();
    std::fs::copy("/bin/echo", prefix.join("tool")).unwrap();
    let shown = prefix.clone();
    let house = House::with(|options| options.runtime_prefixes.push(shown)).await;
    let sandbox = house.sandbox().await;
    let (_, text) = run(&*sandbox, &[prefix.join("tool").to_str().unwrap(), "here"]).await;
    assert_eq!(text, "here\n");
    let (exit, _) = run(&*sandbox, &["/bin/touch", prefix.join("x").to_str().unwrap()]).await;
    assert_eq!(exit.kind, ExitKind::Code(1));
    let (_, text) = run(&*sandbox, &["/bin/ls", place.path().join("runtimes").to_str().unwrap()]).await;
    assert_eq!(text, "tool-1\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_second_helper_of_the_same_name_is_refused() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let options = crate::house::options(&house.name, house.scratch.path());
    let base = anyfn_base::Base::system();
    let error = anyfn_sandbox::Processes::start(base, options).await.unwrap_err();
    assert_eq!(error.code, "sandbox_refused");
    assert_eq!(run(&*sandbox, &["/bin/true"]).await.0.kind, ExitKind::Code(0));
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn an_id_is_used_once() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let spec = house.spec();
    let sandbox = house.processes.create(spec.clone()).await.unwrap();
    assert_eq!(house.processes.create(spec).await.err().unwrap().code, "sandbox_refused");
    // The refusal did not touch the first one.
    assert_eq!(run(&*sandbox, &["/bin/true"]).await.0.kind, ExitKind::Code(0));
    sandbox.destroy().await.unwrap();
    house.close().await;
}
