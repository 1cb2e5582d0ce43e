//! Ends: of children, of templates, of sandboxes, of the helper. Nothing may hang and nothing may be left.

use std::{fs::File, io::Read as _, os::fd::OwnedFd, sync::Arc};

use anyfn_core::ports::{ExitKind, Isolation as _};
use anyfn_sandbox::{HelperCommand, Mode};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    forks::{forked, python_spec, python_template, start_fork},
    house::{HELPER, House, helper_of, processes_of, root, until},
};

const FOREVER: &str = "import signal\nprint('up', flush=True)\nwhile True: signal.pause()";

const WAITS: &str = "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\nprint('up', flush=True)\nsignal.sigwait([signal.SIGUSR1])\nos._exit(5)";

/// Waits for the first line.
async fn up(output: &OwnedFd) {
    let mut from = File::from(output.try_clone().unwrap());
    let read = tokio::task::spawn_blocking(move || {
        let mut line = [0; 3];
        from.read_exact(&mut line).unwrap();
        line
    });
    assert_eq!(&read.await.unwrap(), b"up\n");
}

/// Host pid of the only template.
fn template_of(name: &str) -> i32 {
    let comm = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    *processes_of(name).iter().find(|pid| comm(pid).contains("/template-")).unwrap()
}

#[tokio::test]
async fn a_forked_child_is_signalled_and_goes_with_its_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let (process, _output) = start_fork(&*sandbox, &*template, FOREVER).await;
    let (other, _output) = start_fork(&*sandbox, &*template, FOREVER).await;
    assert_ne!(process, other);
    sandbox.signal(process, 15).await.unwrap();
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!((exit.process, exit.kind), (Some(process), ExitKind::Signal(15)));
    assert_eq!(sandbox.usage().await.unwrap().processes, 2, "init and a child");
    sandbox.freeze().await.unwrap();
    sandbox.destroy().await.unwrap();
    until("only the template is left", || processes_of(&house.name).len() == 1).await;
    drop(template);
    until("the template is gone", || processes_of(&house.name).is_empty()).await;
    house.close().await;
}

#[tokio::test]
async fn children_outlive_their_template_and_their_ends_are_told() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let (one, two) = (house.sandbox().await, house.sandbox().await);
    let (first, output) = start_fork(&*one, &*template, WAITS).await;
    let (second, _output) = start_fork(&*two, &*template, FOREVER).await;
    up(&output).await;
    kill_process(Pid::from_raw(template_of(&house.name)).unwrap(), Signal::KILL).unwrap();
    template.ended().await;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let error = one.fork(template.id(), vec![(write, 1)]).await.unwrap_err();
    assert_eq!((error.code, error.kind), ("template_gone", anyfn_types::Kind::Unavailable));
    drop(read);
    // They are there, take signals, and end with their own codes.
    one.signal(first, 10).await.unwrap();
    let exit = one.next_exit().await.unwrap();
    assert_eq!((exit.process, exit.kind), (Some(first), ExitKind::Code(5)));
    two.signal(second, 15).await.unwrap();
    let exit = two.next_exit().await.unwrap();
    assert_eq!((exit.process, exit.kind), (Some(second), ExitKind::Signal(15)));
    // And there is a new one.
    let again = python_template(&house).await;
    assert_ne!(again.id(), template.id());
    assert_eq!(forked(&*one, &*again, "print(1)").await.1, "1\n");
    one.destroy().await.unwrap();
    two.destroy().await.unwrap();
    drop((template, again));
    house.close().await;
}

#[tokio::test]
async fn fifty_forks_at_once_and_sandboxes_that_go_meanwhile() {
    if !root() {
        return;
    }
    let house = Arc::new(House::open().await);
    let template = python_template(&house).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (house, template) = (house.clone(), template.clone());
        tasks.spawn(async move {
            let sandbox = house.sandbox().await;
            if n % 5 == 0 {
                // Ends while its fork is under way.
                let (_, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
                let fork = sandbox.fork(template.id(), vec![(write, 1)]);
                let _ = futures_lite(fork, n).await;
                drop(sandbox);
                return 0;
            }
            let (exit, text) = forked(&*sandbox, &*template, &format!("print({n})")).await;
            assert_eq!((exit.kind, text), (ExitKind::Code(0), format!("{n}\n")));
            sandbox.destroy().await.unwrap();
            1
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u32>(), 40);
    let name = house.name.clone();
    until("only the template is left", || processes_of(&name).len() == 1).await;
    drop(template);
    let house = Arc::try_unwrap(house).ok().unwrap();
    house.close().await;
}

/// Polls a few times, then gives up.
async fn futures_lite<T>(future: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = 1 + polls / 5;
    std::future::poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_template_killed_amid_forks_leaves_nothing_that_keeps_a_sandbox() {
    if !root() {
        return;
    }
    let house = Arc::new(House::open().await);
    for _ in 0..6 {
        let template = python_template(&house).await;
        let pid = template_of(&house.name);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let (house, template) = (house.clone(), template.clone());
            tasks.spawn(async move {
                let sandbox = house.sandbox().await;
                if n == 4 {
                    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
                }
                let (_output, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
                let forked = sandbox.fork(template.id(), vec![(write, 1)]).await;
                let ended = match forked {
                    // The test's template ends by itself without descriptor 5.
                    Ok(process) => {
                        assert_eq!(sandbox.next_exit().await.unwrap().process, Some(process));
                        1
                    }
                    Err(e) => {
                        assert_eq!(e.code, "template_gone");
                        0
                    }
                };
                sandbox.destroy().await.unwrap();
                ended
            });
        }
        assert!(tasks.join_all().await.into_iter().sum::<u32>() < 8);
        template.ended().await;
    }
    assert_eq!(processes_of(&house.name), Vec::<i32>::new());
    Arc::try_unwrap(house).ok().unwrap().close().await;
}

#[tokio::test]
async fn a_template_that_ends_too_early_says_how() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let mut spec = python_spec(&house);
    spec.argv = ["/usr/bin/python3", "-c", "import os; os._exit(9)"].map(str::to_owned).to_vec();
    let error = house.processes.template(spec).await.err().unwrap();
    assert_eq!(error.code, "sandbox_refused");
    assert!(error.public.contains("with code 9"), "{}", error.public);
    let mut spec = python_spec(&house);
    spec.argv = vec!["/no/such".into()];
    assert_eq!(house.processes.template(spec).await.err().unwrap().code, "sandbox_failed");
    let mut spec = python_spec(&house);
    spec.binds[0].source = "/etc".into();
    assert_eq!(house.processes.template(spec).await.err().unwrap().code, "sandbox_refused");
    until("nothing is left", || processes_of(&house.name).is_empty()).await;
    house.close().await;
}

#[tokio::test]
async fn a_killed_helper_ends_its_templates() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let pid = template_of(&house.name);
    kill_process(Pid::from_raw(helper_of(&house.name)).unwrap(), Signal::KILL).unwrap();
    template.ended().await;
    until("the template is gone", || !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
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
    assert_eq!(again.fork(template.id(), vec![]).await.unwrap_err().code, "template_gone");
    again.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn descriptors_of_a_fork_are_numbered_within_bounds() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let null = || std::fs::File::open("/dev/null").unwrap().into();
    for fds in [vec![(null(), 32)], vec![(null(), -1)], vec![(null(), 4), (null(), 4)]] {
        assert_eq!(sandbox.fork(template.id(), fds).await.unwrap_err().code, "sandbox_refused");
    }
    // All numbers that there may be at once, and the highest.
    let fds = (16..32).map(|number| (null(), number)).collect();
    let process = sandbox.fork(template.id(), fds).await.unwrap();
    // Without descriptor 5 the script of this test's template fails.
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!((exit.process, exit.kind), (Some(process), ExitKind::Code(1)));
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn without_privileges_there_is_no_template() {
    if !root() {
        return;
    }
    let house = House::with(|options| options.mode = Mode::Unprivileged).await;
    let error = house.processes.template(python_spec(&house)).await.err().unwrap();
    assert_eq!((error.code, error.kind), ("sandbox_unsupported", anyfn_types::Kind::Unsupported));
    house.close().await;
}

#[tokio::test]
async fn a_helper_of_another_owner_runs_no_template() {
    if !root() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("helper.sock");
    let roots = std::env::temp_dir();
    let served = std::process::Command::new(HELPER)
        .args(["serve", path.to_str().unwrap(), "0", roots.to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .spawn();
    let _served = Ends(served.unwrap());
    // The path is there a moment before anybody listens at it.
    let listens = |line: &str| line.contains(" 00010000 ") && line.ends_with(path.to_str().unwrap());
    let all = || std::fs::read_to_string("/proc/net/unix").unwrap();
    until("the helper listens", || all().lines().any(listens)).await;
    let house = House::with(|options| options.helper = HelperCommand::Connect(path.clone())).await;
    let error = house.processes.template(python_spec(&house)).await.err().unwrap();
    assert_eq!(error.code, "sandbox_unsupported");
    house.close().await;
}

/// Also if the test fails.
struct Ends(std::process::Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
