//! What a guest must not see or change.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyfn_core::ports::{Bind, ExitKind};

use crate::house::{House, open_file_as_guest, processes_of, python, read_all, root, run, start};

#[tokio::test]
async fn c1_the_host_s_files_are_not_there() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let secret = house.scratch.path().join("other");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("code.py"), "secret").unwrap();
    let sandbox = house.sandbox().await;
    let denied = ["ENOENT", "EACCES"];
    for path in [
        "/etc/shadow",
        "/root/.bashrc",
        "/root/.ssh",
        "/home/user",
        "/var/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/var/lib",
        "/sys/kernel",
        "/proc/1/root/etc/passwd",
        secret.join("code.py").to_str().unwrap(),
    ] {
        let said = open_file_as_guest(&*sandbox, path).await;
        assert!(denied.contains(&said.as_str()), "{path}: {said}");
    }
    let passwd = python(&*sandbox, "print(open('/etc/passwd').read().count('\\n'))").await;
    assert_eq!(passwd, "3\n");
    let listing = python(&*sandbox, "import os; print(sorted(os.listdir('/')))").await;
    assert!(!listing.contains("sys") && !listing.contains("work") && !listing.contains("mnt"), "{listing}");
    assert_eq!(
        python(&*sandbox, "import os; print(os.listdir('/root'), os.listdir('/var/task'))").await,
        "[] []\n"
    );
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c1_a_bind_cannot_be_led_out_of_its_root_by_a_link() {
    if !root() {
        return;
    }
    use anyfn_core::ports::Isolation as _;
    let house = House::open().await;
    std::os::unix::fs::symlink("/etc", house.scratch.path().join("link")).unwrap();
    let mut spec = house.spec();
    let source = house.scratch.path().join("link");
    spec.binds.push(Bind { source, target: "/var/task".into() });
    assert_eq!(house.processes.create(spec).await.err().unwrap().code, "sandbox_failed");
    let mut spec = house.spec();
    spec.binds.push(Bind { source: "/etc".into(), target: "/var/task".into() });
    assert_eq!(house.processes.create(spec).await.err().unwrap().code, "sandbox_refused");
    house.close().await;
}

#[tokio::test]
async fn c2_nothing_of_the_platform_is_in_proc() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let (sandbox, sibling) = (house.sandbox().await, house.sandbox().await);
    let (_, _output) = start(&*sibling, &["/bin/sleep", "1000"]).await;
    let script =
        "import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == [os.getpid()])";
    assert_eq!(python(&*sandbox, script).await, "True\n");
    for path in [
        "/proc/kcore",
        "/proc/keys",
        "/proc/timer_list",
        "/proc/kallsyms",
        "/proc/1/environ",
        "/proc/1/cmdline",
        "/proc/1/maps",
        "/proc/1/mem",
        "/proc/kmsg",
    ] {
        let said = open_file_as_guest(&*sandbox, path).await;
        assert!(["ENOENT", "EACCES", "EPERM"].contains(&said.as_str()), "{path}: {said}");
    }
    let script = r"
import errno
for path in ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/sys/fs/cgroup/cgroup.procs']:
    try: open(path, 'w').write('x'); print('written', path)
    except OSError as e: print(errno.errorcode[e.errno])
";
    let said = python(&*sandbox, script).await;
    // Kernels without the key have no such file.
    let (sysrq, rest) = said.split_once('\n').unwrap();
    assert!(["EACCES", "ENOENT"].contains(&sysrq), "{said}");
    assert_eq!(rest, "EROFS\nEROFS\nENOENT\n");
    assert_eq!(python(&*sandbox, "print(open('/proc/self/cgroup').read().count('anyfn'))").await, "0\n");
    sandbox.destroy().await.unwrap();
    sibling.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c4_siblings_cannot_be_signalled() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let (sandbox, sibling) = (house.sandbox().await, house.sandbox().await);
    let (victim, _output) = start(&*sibling, &["/bin/sleep", "1000"]).await;
    let pids = processes_of(&house.name);
    assert_eq!(pids.len(), 3, "two inits and a guest");
    // Different users for the host's kernel, whatever they are called inside.
    let users: std::collections::BTreeSet<u32> = pids.iter().map(|pid| user_of(*pid)).collect();
    assert_eq!(users.len(), 2);
    assert!(users.iter().all(|user| *user >= 200_000));
    let script = format!(
        "import os\nfor pid in {pids:?} + [-1]:\n  try: os.kill(pid, 9); print('killed', pid)\n  except OSError as e: print(type(e).__name__)"
    );
    assert_eq!(python(&*sandbox, &script).await, "ProcessLookupError\n".repeat(4));
    // The sibling is alive: it takes a signal from us.
    sibling.signal(victim, 15).await.unwrap();
    assert_eq!(sibling.next_exit().await.unwrap().kind, ExitKind::Signal(15));
    sandbox.destroy().await.unwrap();
    sibling.destroy().await.unwrap();
    house.close().await;
}

fn user_of(pid: i32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn c7_setuid_and_file_capabilities_have_no_effect() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let code = house.scratch.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::copy("/usr/bin/id", code.join("id")).unwrap();
    fs::set_permissions(code.join("id"), fs::Permissions::from_mode(0o6755)).unwrap();
    fs::copy("/usr/bin/cat", code.join("cat")).unwrap();
    // `struct vfs_cap_data`, version 2, effective: all capabilities.
    let caps: Vec<u8> =
        [0x0200_0001_u32, u32::MAX, 0, 0x1ff, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
    rustix::fs::setxattr(code.join("cat"), "security.capability", &caps, rustix::fs::XattrFlags::empty())
        .unwrap();
    let sandbox = house
        .sandbox_with(|spec| spec.binds.push(Bind { source: code.clone(), target: "/var/task".into() }))
        .await;
    assert_eq!(run(&*sandbox, &["/var/task/id", "-u"]).await.1, "993\n");
    let (_, status) = run(&*sandbox, &["/var/task/cat", "/proc/self/status"]).await;
    for line in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(status.contains(&format!("{line}:\t0000000000000000")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Seccomp:\t2"), "{status}");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c8_code_and_system_cannot_be_written() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let code = house.scratch.path().join("code");
    fs::create_dir(&code).unwrap();
    fs::set_permissions(&code, fs::Permissions::from_mode(0o777)).unwrap();
    let sandbox = house
        .sandbox_with(|spec| spec.binds.push(Bind { source: code.clone(), target: "/var/task".into() }))
        .await;
    let script = r"
import errno, os, stat
for path in ['/var/task/x', '/usr/x', '/etc/x', '/x', '/dev/x', '/opt/x', '/var/x', '/run/x', '/home/x']:
    try: open(path, 'w'); print('written', path)
    except OSError as e: print(errno.errorcode[e.errno])
for kind in [stat.S_IFCHR, stat.S_IFBLK]:
    try: os.mknod('/tmp/n', kind | 0o666, os.makedev(1, 1)); print('made')
    except OSError as e: print(errno.errorcode[e.errno])
os.mkfifo('/tmp/fifo')
print(os.path.exists('/dev/mem'), os.path.exists('/dev/tty'), os.path.exists('/dev/loop0'))
";
    let expected = "EROFS\n".repeat(9) + "EPERM\nEPERM\nFalse False False\n";
    assert_eq!(python(&*sandbox, script).await, expected);
    assert_eq!(fs::read_dir(&code).unwrap().count(), 0);
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c10_a_crash_leaves_no_core() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let script = "import os; os.chdir('/tmp'); os.abort()";
    let (exit, _) = run(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", script]).await;
    assert_eq!(exit.kind, ExitKind::Signal(6));
    assert!(!exit.out_of_memory);
    assert_eq!(python(&*sandbox, "import os; print(os.listdir('/tmp'))").await, "[]\n");
    // 1 and not 0: see `inside::limits`.
    let script = r"
import resource as r
print(r.getrlimit(r.RLIMIT_CORE))
try: r.setrlimit(r.RLIMIT_CORE, (0, 0)); print('changed')
except (OSError, ValueError) as e: print('denied')
";
    assert_eq!(python(&*sandbox, script).await, "(1, 1)\ndenied\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn c14_a_daemon_gets_no_cpu_while_frozen_and_goes_with_the_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let script = "import os\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\nos.close(1); os.close(2)\nwhile True: pass";
    let (process, output) = start(&*sandbox, &["/usr/bin/python3", "-I", "-S", "-c", script]).await;
    read_all(output).await;
    assert_eq!(sandbox.next_exit().await.unwrap().process, Some(process));
    // The process in between is still being reaped.
    while sandbox.usage().await.unwrap().processes > 2 {}
    sandbox.freeze().await.unwrap();
    let before = sandbox.usage().await.unwrap();
    assert_eq!(before.processes, 2, "init and the daemon");
    for _ in 0..20 {
        // Real work elsewhere, so that time passes.
        house.sandbox().await.destroy().await.unwrap();
    }
    assert_eq!(sandbox.usage().await.unwrap().cpu_us, before.cpu_us);
    sandbox.thaw().await.unwrap();
    let mut tries = 0;
    while sandbox.usage().await.unwrap().cpu_us == before.cpu_us {
        tries += 1;
        assert!(tries < 100_000, "the daemon does not run after the thaw");
    }
    // Frozen again: the kill must get through all the same.
    sandbox.freeze().await.unwrap();
    sandbox.destroy().await.unwrap();
    assert_eq!(processes_of(&house.name), Vec::<i32>::new());
    house.close().await;
}
