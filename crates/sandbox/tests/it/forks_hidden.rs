//! A forked child against a process that init spawned in the same sandbox: what is true of the one must be true of the
//! other, and what the spawned one cannot do, the forked one cannot do either.

use anyfn_core::ports::{ExitKind, Isolation as _, Sandbox, Template};

use crate::{
    forks::{forked, python_template},
    house::{House, python, root},
    network::reach,
};

async fn child(sandbox: &dyn Sandbox, template: &dyn Template, script: &str) -> String {
    // The child ends as a program does.
    let (exit, text) = forked(sandbox, template, script).await;
    assert_eq!(exit.kind, ExitKind::Code(0), "{text}");
    text
}

#[tokio::test]
async fn a_forked_child_has_what_a_spawned_process_has() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let script = r"
import os, resource
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
for key in ['Umask', 'Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp',
            'SigBlk', 'SigIgn', 'SigCgt', 'Threads', 'NStgid', 'TracerPid']:
    print(key, '1 level' if key in ('NStgid',) and len(status[key].split()) == 1 else status[key].split())
for key in sorted(os.listdir('/proc/self/ns')): print(key, os.readlink('/proc/self/ns/' + key))
for name in ['uid_map', 'gid_map', 'setgroups', 'cgroup', 'oom_score_adj', 'limits', 'mountinfo', 'loginuid']:
    try: print(name, open('/proc/self/' + name).read())
    except OSError as e: print(name, e.errno)
print(os.readlink('/proc/self/root'), os.readlink('/proc/self/cwd'))
print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getpid() == int(os.readlink('/proc/self')))
print(os.stat('/proc/self/status').st_uid, os.access('/proc/self/mem', os.W_OK))
print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()) == [os.getpid()])
try: open('/dev/tty'); print('terminal')
except OSError as e: print(e.errno)
for n in (0,): print(os.readlink(f'/proc/self/fd/{n}'))
import ctypes
prctl = ctypes.CDLL(None).prctl
print('dumpable', prctl(3), 'parent death', prctl(2, ctypes.byref(d := ctypes.c_int())), d.value, 'securebits', prctl(27), 'keep', prctl(7), 'subreaper', prctl(37, ctypes.byref(d)), d.value)
print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0)))
";
    let (spawned, forked) = (python(&*sandbox, script).await, child(&*sandbox, &*template, script).await);
    for (forked, spawned) in forked.lines().zip(spawned.lines()) {
        assert_eq!(forked, spawned);
    }
    assert_eq!(forked.lines().count(), spawned.lines().count());
    assert!(forked.contains("CapBnd ['0000000000000000']") && forked.contains("Seccomp ['2']"), "{forked}");
    // Of one sandbox, not of the host.
    let ours = std::fs::read_link("/proc/self/ns/pid").unwrap();
    assert!(!forked.contains(ours.to_str().unwrap()));
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn c2_a_forked_child_knows_nothing_of_the_host_beyond_its_program() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let script = r"
import os
print(open('/proc/self/environ').read().rstrip('\0').split('\0'))
print(open('/proc/self/cmdline').read().rstrip('\0').split('\0'))
print(os.readlink('/proc/self/exe').startswith('/usr/bin/python3'))
print(sorted({line.split(None, 5)[5].split('/')[1] for line in open('/proc/self/maps') if '/' in line}))
print(sorted(int(n) for n in os.listdir('/proc/self/fd')))
for way in ['/proc/self/root/etc/shadow', '/proc/self/cwd/work', '/proc/1/root', '/proc/self/map_files']:
    try: print(os.listdir(way) if os.path.isdir(way) else open(way).read(1))
    except OSError as e: print(e.errno)
for n in range(3, 1024):
    try: os.fstat(n); print('open', n)
    except OSError: pass
";
    let said = child(&*sandbox, &*template, script).await;
    let scratch = house.scratch.path().to_str().unwrap();
    assert!(!said.contains(scratch), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "['PATH=/usr/bin:/bin', 'ANYFN_TEMPLATE_FD=3']",
            "['/usr/bin/python3', '-I', '-S', '/var/runtime/template.py']",
            "True",
            "['usr', 'var']",
            // 3 is the listing's own; the script's own pipe is closed.
            "[0, 1, 2, 3]",
        ]
    );
    assert!(!said.contains("open"), "{said}");
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn c5_privileged_system_calls_are_denied_to_a_forked_child() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let said = child(&*sandbox, &*template, &crate::syscalls::privileged()).await;
    assert_eq!(said, crate::syscalls::all_denied());
    // The way back, by descriptors of namespaces that a guest can open: its own are all that there are.
    let back = "import os\nfor name in os.listdir('/proc/self/ns'):\n  call('setns', 308, os.open('/proc/self/ns/' + name, os.O_RDONLY), 0)\ncall('clone3', 435, 0, 0)";
    let said = child(&*sandbox, &*template, &crate::syscalls::script(back)).await;
    assert_eq!(said.matches("setns EPERM").count(), said.lines().count() - 1, "{said}");
    assert!(said.ends_with("clone3 ENOSYS\n"), "{said}");
    // Neither is a program that it executes more than it.
    let caps = "import os, sys\nos.execv('/bin/grep', ['grep', '-c', '-E', 'Cap(Prm|Eff|Bnd):.0000000000000000|NoNewPrivs:.1|Seccomp:.2', '/proc/self/status'])";
    assert_eq!(child(&*sandbox, &*template, caps).await, "5\n");
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn c1_c8_e1_a_forked_child_reaches_no_host_file_and_no_network() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let (sandbox, sibling) = (house.sandbox().await, house.sandbox().await);
    let (_, _output) = crate::house::start(&*sibling, &["/bin/sleep", "1000"]).await;
    let script = r"
import errno, os
for path in ['/etc/shadow', '/root/x', '/proc/kcore', '/proc/1/environ', '/proc/1/mem', '/proc/sysrq-trigger']:
    try: open(path).read(1); print('open', path)
    except OSError as e: print(errno.errorcode[e.errno] in ('ENOENT', 'EACCES', 'EPERM'))
for path in ['/usr/x', '/etc/x', '/x', '/dev/x', '/var/runtime/x', '/var/runtime/template.py', '/proc/sys/kernel/hostname']:
    try: open(path, 'w'); print('written', path)
    except OSError as e: print(errno.errorcode[e.errno])
# The template's own files are not the sandbox's.
print(os.listdir('/var/runtime'))
open('/tmp/x', 'w').write('x'); print(os.stat('/tmp/x').st_uid)
for pid in [1, -1] + list(range(3, 400)):
    try: os.kill(pid, 0); print('there is', pid)
    except OSError as e: pass
";
    let said = child(&*sandbox, &*template, script).await;
    let expected = "True\n".repeat(6) + &"EROFS\n".repeat(4) + "EROFS\nEROFS\nEROFS\n[]\n993\n";
    assert_eq!(said.replace("there is 1\n", ""), expected);
    let far = ["(socket.AF_INET, ('169.254.169.254', 80))", "(socket.AF_INET, ('8.8.8.8', 53))"];
    let said = child(&*sandbox, &*template, &reach(&far.map(str::to_owned))).await;
    assert_eq!(said.matches("ENETUNREACH").count(), 2, "{said}");
    let links = "print(sorted(l.split(':')[0].strip() for l in open('/proc/net/dev').readlines()[2:]))";
    let (spawned, forked) = (python(&*sandbox, links).await, child(&*sandbox, &*template, links).await);
    assert_eq!(forked, spawned);
    sandbox.destroy().await.unwrap();
    sibling.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn c17_two_children_of_one_template_differ() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let script = r"
import os, random, secrets, socket, ssl, tempfile, uuid
print(random.random(), uuid.uuid4(), secrets.token_hex(8), ssl.RAND_bytes(8).hex(), os.urandom(8).hex(), random.SystemRandom().random())
print(os.path.basename(tempfile.mktemp()), random.getrandbits(64))
s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])
# Keys of a TLS handshake come from the same generator as these.
print(ssl.MemoryBIO() is not None and ssl.RAND_bytes(32).hex())
";
    let mut seen = std::collections::BTreeSet::new();
    let mut words = 0;
    for _ in 0..3 {
        let sandbox = house.sandbox().await;
        let said = child(&*sandbox, &*template, script).await;
        let of_one: Vec<String> = said.split_whitespace().map(str::to_owned).collect();
        assert_eq!(of_one.len(), 10, "{said}");
        words += of_one.len();
        seen.extend(of_one);
        sandbox.destroy().await.unwrap();
    }
    assert_eq!(seen.len(), words, "{seen:?}");
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn d1_d2_limits_hold_for_a_forked_child() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox_with(|spec| (spec.memory_bytes, spec.pids) = (64 << 20, 20)).await;
    let bomb = "import os\nn = 0\ntry:\n  while os.fork(): n += 1\n  os.read(6, 1) if False else __import__('time').sleep(1000)\nexcept BlockingIOError: print(n < 20, flush=True); os._exit(0)";
    assert_eq!(child_output_then_kill(&*sandbox, &*template, bomb).await, "True");
    sandbox.destroy().await.unwrap();
    let sandbox = house.sandbox_with(|spec| spec.memory_bytes = 64 << 20).await;
    let (exit, _) =
        forked(&*sandbox, &*template, "x = bytearray(200 << 20)\nx[::4096] = b'1' * len(x[::4096])").await;
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Signal(9), true));
    sandbox.destroy().await.unwrap();
    let files = "import os, resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\nn = 0\ntry:\n  while True: os.dup(0); n += 1\nexcept OSError as e: print(e.errno, n < 256)";
    let sandbox = house.sandbox().await;
    assert_eq!(child(&*sandbox, &*template, files).await, "(256, 256)\n24 True\n");
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

/// The first line of a child whose own children keep its output open.
async fn child_output_then_kill(sandbox: &dyn Sandbox, template: &dyn Template, script: &str) -> String {
    let (_, output) = crate::forks::start_fork(sandbox, template, script).await;
    tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let mut line = String::new();
        std::io::BufReader::new(std::fs::File::from(output)).read_line(&mut line).unwrap();
        line.trim().to_owned()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_others_may_write_is_no_template() {
    if !root() {
        return;
    }
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let house = House::open().await;
    let spec = || crate::forks::python_spec(&house);
    let file = house.scratch.path().join("runtime/deep/module.py");
    spec();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    // Writable for others, then another user's, then the same of the folder.
    for (path, mode, user) in [
        (file.as_path(), 0o646, 0),
        (file.as_path(), 0o664, 0),
        (file.as_path(), 0o644, 12_345),
        (file.parent().unwrap(), 0o777, 0),
        (file.parent().unwrap(), 0o755, 12_345),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(path, Some(user), None).unwrap();
        let error = house.processes.template(spec()).await.err().unwrap();
        assert_eq!(error.code, "sandbox_unsupported");
        assert!(
            error.public.contains("is not root's alone") && error.public.contains("/var/runtime/deep"),
            "{}",
            error.public
        );
        chown(path, Some(0), None).unwrap();
        let good = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(good)).unwrap();
    }
    drop(house.processes.template(spec()).await.unwrap());
    house.close().await;
}
