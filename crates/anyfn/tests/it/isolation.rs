//! What a function, sent as a package like any other, can find of the machine and of its neighbours.

use std::{
    fs,
    os::unix::net::UnixListener,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use serde_json::{Value, json};

use crate::world::{self, Leftovers, Server, root, shared, until};

/// Runs what the event holds; the answer is what it left in `out`.
pub(crate) const PROBE: &str = r"
import errno, os, socket, sys
def err(call, *args):
    try: return ['ok', str(call(*args))[:200]]
    except OSError as e: return [errno.errorcode.get(e.errno, str(e)), '']
    except Exception as e: return [type(e).__name__, str(e)[:200]]
def handler(event, context):
    names = dict(globals(), event=event, context=context)
    exec(event['code'], names)
    return names.get('out')
";

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

/// One server for all tests that change nothing on it, while any of them runs.
pub(crate) fn server() -> Arc<Server> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Server::fresh(&[]);
    server.deploy("probe", PROBE);
    let server = Arc::new(server);
    *shared = Arc::downgrade(&server);
    server
}

pub(crate) fn probe(server: &Server, code: &str) -> Value {
    server.returned("probe", &json!({ "code": code }))
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

#[test]
fn c1_the_host_s_files_and_other_functions_code_are_not_there() {
    let _machine = shared();
    if !root("c1_the_host_s_files_and_other_functions_code_are_not_there") {
        return;
    }
    let server = server();
    server.deploy("sibling", "NOTE = 'canary-of-the-sibling'\ndef handler(event, context):\n  return 1\n");
    server.returned("sibling", &json!({}));
    fs::write(server.data.join("canary"), "canary-of-the-data-folder").unwrap();
    let paths = json!([
        "/etc/shadow",
        "/etc/gshadow",
        "/root/.bashrc",
        "/root/.ssh",
        "/home",
        "/etc/ssh",
        "/var/lib",
        "/var/log",
        "/boot",
        "/mnt",
        "/srv",
        "/work",
        server.data,
        server.data.join("canary"),
        server.data.join("code"),
        server.data.join("store"),
        "/proc/1/root/etc/shadow",
        "/proc/1/cwd",
        "/proc/self/root/../../etc/shadow",
        "/dev/mem",
        "/dev/kmem",
        "/dev/sda",
        "/dev/vda",
        "/dev/loop0",
        "/sys",
    ]);
    let code = format!(
        r"
import json
def look(p):
    if os.path.isdir(p): return os.listdir(p)
    return open(p, 'rb').read(1)
out = {{p: err(look, p) for p in json.loads('''{paths}''')}}
"
    );
    for (path, said) in probe(&server, &code).as_object().unwrap() {
        let empty = said == &json!(["ok", "[]"]);
        assert!(
            empty || ["ENOENT", "EACCES", "EPERM", "ENOTDIR"].contains(&said[0].as_str().unwrap()),
            "{path}: {said}"
        );
    }
    // Everything that can be read at all, but the system's own folders, holds neither canary.
    let code = r"
out = {'read': 0, 'found': [], 'sockets': []}
import stat
for top, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if os.path.join(top, f) not in ('/proc', '/sys', '/usr', '/lib', '/lib64')]
    for name in folders + files:
        path = os.path.join(top, name)
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISSOCK(mode): out['sockets'].append(path)
            if not stat.S_ISREG(mode) or os.stat(path).st_size > 1 << 22: continue
            data = open(path, 'rb').read()
            out['read'] += 1
            if b'canary-of-' in data: out['found'].append(path)
        except OSError: pass
";
    let said = probe(&server, code);
    assert!(said["read"].as_u64().unwrap() >= 3, "{said}");
    assert_eq!((&said["found"], &said["sockets"]), (&json!([]), &json!([])));
}

#[test]
fn c1_names_of_the_host_are_not_there() {
    let _machine = shared();
    if !root("c1_names_of_the_host_are_not_there") {
        return;
    }
    let server = server();
    let host = fs::read_to_string("/etc/passwd").unwrap();
    let guest = probe(&server, "out = open('/etc/passwd').read()");
    let hostname = probe(
        &server,
        "out = [open('/etc/hostname').read().strip(), socket.gethostname(), os.uname().nodename]",
    );
    let host_is = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(strings(&hostname).iter().all(|name| name != host_is.trim()), "{hostname}");
    let names =
        |text: &str| text.lines().filter_map(|l| l.split(':').next().map(str::to_owned)).collect::<Vec<_>>();
    assert!(names(guest.as_str().unwrap()).len() < names(&host).len(), "{guest}");
}

#[test]
fn c2_proc_shows_the_function_alone() {
    let _machine = shared();
    if !root("c2_proc_shows_the_function_alone") {
        return;
    }
    let server = server();
    let code = r"
out = {}
out['pids'] = [[p, open(f'/proc/{p}/cmdline').read()[:60] if os.access(f'/proc/{p}/cmdline', os.R_OK) else '?'] for p in os.listdir('/proc') if p.isdigit()]
for path in ['/proc/kcore', '/proc/kallsyms', '/proc/keys', '/proc/kmsg', '/proc/timer_list', '/proc/1/environ', '/proc/1/maps', '/proc/1/mem', '/proc/1/cwd/x', '/proc/1/fd/0']:
    out[path] = err(lambda p: open(p, 'rb').read(1) or b'empty', path)[0]
for path in ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/vm/drop_caches', '/proc/sys/kernel/randomize_va_space', '/proc/self/oom_score_adj', '/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/memory.limit_in_bytes']:
    out['write ' + path] = err(lambda p: open(p, 'wb', buffering=0).write(b'-1000'), path)[0]
out['open'] = sorted(os.readlink(f'/proc/self/fd/{f}') for f in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{f}'))
out['cgroup'] = open('/proc/self/cgroup').read()
out['environ'] = sorted(os.environ)
";
    let said = probe(&server, code);
    let pids = said["pids"].as_array().unwrap();
    assert!((1..=2).contains(&pids.len()), "init may be seen, nobody else: {said}");
    for (path, result) in said.as_object().unwrap() {
        if path.starts_with('/') || path.starts_with("write ") {
            let denied = ["EACCES", "EPERM", "EROFS", "ENOENT", "ESRCH", "ENOTDIR", "EINVAL"];
            assert!(denied.contains(&result.as_str().unwrap()), "{path}: {result}");
        }
    }
    assert!(!said["cgroup"].as_str().unwrap().contains("anyfn"), "{said}");
    for open in strings(&said["open"]) {
        let inside = [
            "pipe:",
            "socket:",
            "/dev/null",
            "/null",
            "/proc/",
            "anon_inode:",
            "/var/runtime",
            "/var/task",
            "/tmp",
        ];
        assert!(inside.iter().any(|start| open.starts_with(start)), "{open}");
    }
    for name in strings(&said["environ"]) {
        assert!(!name.starts_with("ANYFN") && !name.starts_with("CARGO"), "{name}");
    }
}

#[test]
fn c4_nobody_else_can_be_signalled_or_traced() {
    let _machine = shared();
    if !root("c4_nobody_else_can_be_signalled_or_traced") {
        return;
    }
    let server = server();
    let pids: Vec<i32> = server.family().into_iter().collect();
    let code = format!(
        r"
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    ctypes.set_errno(0)
    r = libc.syscall(nr, *[ctypes.c_long(a) for a in args])
    return 'ok' if r >= 0 else errno.errorcode.get(ctypes.get_errno(), '?')
import errno
mine = {{int(p) for p in os.listdir('/proc') if p.isdigit()}}
out = []
for pid in [p for p in {pids:?} if p not in mine]:
    out += [err(os.kill, pid, 0)[0], call(101, 16, pid, 0, 0), call(310, pid, 0, 0, 0, 0, 0), call(434, pid, 0), call(302, pid, 0, 0, 0), call(312, pid, os.getpid(), 0, 0, 0)]
    out += [err(os.sched_setaffinity, pid, [0])[0], err(os.setpriority, 0, pid, 19)[0]]
"
    );
    let said = strings(&probe(&server, &code));
    assert!(said.len() >= 16, "{said:?}");
    for one in said {
        assert!(["ESRCH", "EPERM", "ENOSYS", "EINVAL"].contains(&one.as_str()), "{one}");
    }
}

#[test]
fn c8_code_and_system_cannot_be_written() {
    let _machine = shared();
    if !root("c8_code_and_system_cannot_be_written") {
        return;
    }
    let server = server();
    let code = r"
import stat
out = {}
for folder in ['/var/task', '/usr', '/usr/bin', '/etc', '/', '/dev', '/opt', '/var', '/run', '/home', '/root', '/lib', '/var/runtime', '/proc', '/bin', '/sbin']:
    if os.path.isdir(folder): out[folder] = err(lambda p: open(p + '/x', 'w').write('x'), folder)[0]
out['code'] = err(lambda: open('/var/task/app.py', 'a'))[0]
out['chmod'] = err(os.chmod, '/var/task/app.py', 0o777)[0]
out['unlink'] = err(os.unlink, '/var/task/app.py')[0]
out['passwd'] = err(lambda: open('/etc/passwd', 'a'))[0]
for kind in ['S_IFCHR', 'S_IFBLK']: out[kind] = err(os.mknod, '/tmp/' + kind, getattr(stat, kind) | 0o666, os.makedev(1, 1))[0]
out['chown'] = err(os.chown, '/tmp', 0, 0)[0]
";
    for (what, said) in probe(&server, code).as_object().unwrap() {
        let denied = ["EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR", "EINVAL"];
        assert!(denied.contains(&said.as_str().unwrap()), "{what}: {said}");
    }
    // What one instance writes into its /tmp is nobody else's.
    probe(&server, "open('/tmp/mine', 'w').write('x'); out = 0");
    server.deploy("other-tmp", PROBE);
    let other = server.returned("other-tmp", &json!({ "code": "out = os.listdir('/tmp')" }));
    assert_eq!(other, json!([]));
}

#[test]
fn c7_a_setuid_file_in_a_package_has_no_effect() {
    let _machine = shared();
    if !root("c7_a_setuid_file_in_a_package_has_no_effect") {
        return;
    }
    let server = server();
    let id = fs::read("/usr/bin/id").unwrap();
    let entry = crate::zips::Entry { name: b"id".to_vec(), data: id, mode: 0o106_755, deflate: true };
    let zip = crate::zips::zip(&[crate::zips::file("app.py", PROBE), entry]);
    let answer = server.try_deploy("setuid", &zip, &json!({}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let code = r"
import subprocess
caps = [l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNewPrivs', 'Seccomp:'))]
out = [oct(os.stat('/var/task/id').st_mode), subprocess.run(['/var/task/id', '-u'], capture_output=True, text=True).stdout.strip() == str(os.getuid()), ''.join(caps)]
";
    let said = server.returned("setuid", &json!({ "code": code }));
    assert_eq!((&said[0], &said[1]), (&json!("0o100755"), &json!(true)), "{said}");
    let caps = said[2].as_str().unwrap();
    assert_eq!(caps.matches("0000000000000000").count(), 5, "{caps}");
    assert!(caps.contains("NoNewPrivs:\t1") && caps.contains("Seccomp:\t2"), "{caps}");
}

#[test]
fn c10_a_crash_leaves_no_core_anywhere() {
    let _machine = shared();
    if !root("c10_a_crash_leaves_no_core_anywhere") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("crash", PROBE);
    let before = world::listing(&server.data.join("scratch"));
    for signal in ["os.abort()", "os.kill(os.getpid(), 11)", "import ctypes; ctypes.string_at(0)"] {
        let answer = server.invoke("crash", &json!({ "code": signal }));
        assert_eq!(answer.header("anyfn-outcome"), "failed", "{}", answer.text());
        assert_eq!(answer.json()["errorType"], "Runtime.ExitError", "{}", answer.text());
    }
    assert_eq!(world::listing(&server.data.join("scratch")), before);
    assert_eq!(
        server.returned("crash", &json!({ "code": "out = os.listdir('/tmp') + os.listdir('/var/task')" })),
        json!(["app.py"])
    );
}

#[test]
fn c11_no_socket_leads_to_the_platform() {
    let _machine = shared();
    if !root("c11_no_socket_leads_to_the_platform") {
        return;
    }
    let server = server();
    let name = format!("anyfn-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name)
            .unwrap();
    let _listening = UnixListener::bind_addr(&address).unwrap();
    let code = format!(
        r"
def unix(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path)
out = {{'abstract': err(unix, '\0{name}')[0]}}
for path in ['/run/docker.sock', '/var/run/docker.sock', '/run/containerd/containerd.sock', '/run/systemd/private', '/run/dbus/system_bus_socket', '/run/podman/podman.sock', '/dev/log']:
    out[path] = err(unix, path)[0]
for family, name in [(17, 'packet'), (40, 'vsock'), (38, 'alg'), (31, 'bluetooth'), (44, 'xdp')]:
    out[name] = err(socket.socket, family, socket.SOCK_RAW, 0)[0]
# 0 asks after the guest's own addresses, which programs do; the others speak to the kernel as a whole.
for protocol in [4, 6, 9, 10, 12, 15, 16, 20, 21]:
    out[f'netlink {{protocol}}'] = err(socket.socket, 16, socket.SOCK_RAW, protocol)[0]
out['unix names'] = sum(1 for l in open('/proc/net/unix') if '@' in l) if os.path.exists('/proc/net/unix') else 0
"
    );
    let said = probe(&server, &code);
    for (what, one) in said.as_object().unwrap() {
        if what == "unix names" {
            assert_eq!(one, 0, "names of other namespaces: {said}");
        } else {
            assert_ne!(one, "ok", "{what}: {said}");
        }
    }
}

#[test]
fn c14_a_daemon_is_frozen_while_idle_and_gone_with_its_instance() {
    let _machine = shared();
    if !root("c14_a_daemon_is_frozen_while_idle_and_gone_with_its_instance") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Nothing is kept ahead, so that what is left can be counted.
    let ahead = ["--stock", "0", "--isolation-floor", "process"];
    let server = Server::on(
        folder.path(),
        &[&["--set", "pause_after_ms=200", "--set", "retire_after_ms=3000"], &ahead[..]].concat(),
    );
    let source = r"
import os
def handler(event, context):
    if os.fork(): return 'answered'
    os.setsid()
    if os.fork(): os._exit(0)
    while True: pass
";
    let platform = server.family();
    server.deploy("daemon", source);
    assert_eq!(server.returned("daemon", &json!({})), "answered");
    let guests = || server.family().difference(&platform).copied().collect::<Vec<_>>();
    // User and system time of all guests, in ticks.
    let ticks = || -> u64 {
        let stat = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = |text: String| -> u64 {
            let fields: Vec<u64> = text
                .rsplit_once(") ")
                .map_or("", |(_, r)| r)
                .split(' ')
                .skip(11)
                .take(2)
                .filter_map(|n| n.parse().ok())
                .collect();
            fields.iter().sum()
        };
        guests().iter().map(|pid| of(stat(pid))).sum()
    };
    assert!(guests().len() >= 3, "init, the runtime and the daemon: {:?}", guests());
    // It stands still for 40 looks in a row (200 ms, in which an unfrozen loop takes 20 ticks).
    let mut same = (0, u64::MAX);
    until("the daemon is frozen", || {
        let now = ticks();
        same = if now == same.1 { (same.0 + 1, now) } else { (0, now) };
        (same.0 >= 40).then_some(())
    });
    assert!(guests().len() >= 3, "frozen, not gone: {:?}", guests());
    until("the instance and its daemon are gone", || guests().is_empty().then_some(()));
}

#[test]
fn c17_two_instances_share_no_randomness() {
    let _machine = shared();
    if !root("c17_two_instances_share_no_randomness") {
        return;
    }
    let server = server();
    // Forked siblings share the seed of `hash` (SPECIFICATION.md, tiers).
    for (tier, more) in [("fork", ""), ("process", ", hash('a')")] {
        let name = format!("random-{tier}");
        server.deploy_with(&name, PROBE, &json!({ "isolation": tier }));
        let code = format!(
            r"
import random, uuid, secrets, ssl, tempfile, time
time.sleep(0.3)
out = [random.random(), str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(16).hex(), secrets.token_hex(16), ssl.RAND_bytes(16).hex(), tempfile.mktemp(){more}, os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]
"
        );
        let ask = || strings_of(&server.returned(&name, &json!({ "code": code })));
        // The first start of all is plain, while the template comes up.
        ask();
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(ask);
            (ask(), other.join().unwrap())
        });
        assert_ne!(first.last(), second.last(), "two instances");
        for (a, b) in first.iter().zip(&second) {
            assert_ne!(a, b, "{tier}");
        }
    }
}

fn strings_of(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// The way from start to end leaves nothing on the machine.
#[test]
fn c_a_server_that_ends_leaves_nothing_behind() {
    let _machine = shared();
    if !root("c_a_server_that_ends_leaves_nothing_behind") {
        return;
    }
    let mut server = Server::fresh(&[]);
    server.deploy("probe", PROBE);
    probe(&server, "open('/tmp/x', 'w').write('x' * 100000); out = 0");
    let family = server.family();
    assert!(family.len() >= 4, "server, helper, init, guest: {family:?}");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.said());
    Leftovers::gone(&server.data, &family);
}
