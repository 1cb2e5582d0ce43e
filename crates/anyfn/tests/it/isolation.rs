//! What a function, sent as a package like any other, can find of the machine and of its neighbours.

use std::{
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
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
fn server() -> Arc<Server> {
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

fn probe(server: &Server, code: &str) -> Value {
    server.returned("probe", &json!({ "code": code }))
}

fn strings(value: &Value) -> Vec<String> {
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
        "/etc/shadow", "/etc/gshadow", "/root/.bashrc", "/root/.ssh", "/home", "/etc/ssh",
        "/var/lib", "/var/log", "/boot", "/mnt", "/srv", "/work", server.data, server.data.join("canary"),
        server.data.join("code"), server.data.join("store"), "/proc/1/root/etc/shadow", "/proc/1/cwd",
        "/proc/self/root/../../etc/shadow", "/dev/mem", "/dev/kmem", "/dev/sda", "/dev/vda", "/dev/loop0", "/sys",
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
        assert!(empty || ["ENOENT", "EACCES", "EPERM", "ENOTDIR"].contains(&said[0].as_str().unwrap()), "{path}: {said}");
    }
    let host = fs::read_to_string("/etc/passwd").unwrap();
    let guest = probe(&server, "out = open('/etc/passwd').read()");
    let hostname = probe(&server, "out = [open('/etc/hostname').read().strip(), socket.gethostname(), os.uname().nodename]");
    let host_is = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(strings(&hostname).iter().all(|name| name != host_is.trim()), "{hostname}");
    let names = |text: &str| text.lines().filter_map(|l| l.split(':').next().map(str::to_owned)).collect::<Vec<_>>();
    assert!(names(guest.as_str().unwrap()).len() < names(&host).len(), "{guest}");
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
        let inside = ["pipe:", "socket:", "/dev/null", "/null", "/proc/", "anon_inode:", "/var/runtime", "/var/task", "/tmp"];
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
    assert_eq!(server.returned("crash", &json!({ "code": "out = os.listdir('/tmp') + os.listdir('/var/task')" })), json!(["app.py"]));
}

#[test]
fn c11_no_socket_leads_to_the_platform() {
    let _machine = shared();
    if !root("c11_no_socket_leads_to_the_platform") {
        return;
    }
    let server = server();
    let name = format!("anyfn-test-{}", std::process::id());
    let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&name).unwrap();
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
    let server = Server::on(folder.path(), &["--set", "pause_after_ms=200", "--set", "retire_after_ms=3000"]);
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
            let fields: Vec<u64> =
                text.rsplit_once(") ").map_or("", |(_, r)| r).split(' ').skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
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
    server.deploy("random", PROBE);
    let code = r"
import random, uuid, secrets, ssl, time
time.sleep(0.3)
out = [random.random(), str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(16).hex(), secrets.token_hex(16), ssl.RAND_bytes(16).hex(), hash('a'), os.environ['AWS_LAMBDA_LOG_STREAM_NAME']]
";
    let ask = || strings_of(&server.returned("random", &json!({ "code": code })));
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(ask);
        (ask(), other.join().unwrap())
    });
    assert_ne!(first.last(), second.last(), "two instances");
    for (a, b) in first.iter().zip(&second) {
        assert_ne!(a, b);
    }
}

fn strings_of(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// Connects, over every protocol a program would use, to what only the platform and its machine should reach.
#[test]
fn e1_e2_neither_metadata_nor_the_host_nor_private_addresses_are_reachable() {
    let _machine = shared();
    if !root("e1_e2_neither_metadata_nor_the_host_nor_private_addresses_are_reachable") {
        return;
    }
    let server = server();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let six = TcpListener::bind("[::]:0").ok();
    let port = everywhere.local_addr().unwrap().port();
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let host = UdpSocket::bind("0.0.0.0:0").and_then(|s| s.connect("192.0.2.1:9").and_then(|()| s.local_addr()));
    let host = host.map_or("127.0.0.1".to_owned(), |a: SocketAddr| a.ip().to_string());
    let (admin, six) = (server.address.port(), six.map_or(0, |l| l.local_addr().unwrap().port()));
    let code = format!(
        r"
from concurrent.futures import ThreadPoolExecutor
socket.setdefaulttimeout(3)
def tcp(where):
    host, port = where
    with socket.create_connection((host, port), 3) as s:
        s.sendall(b'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
        if not s.recv(1): raise ConnectionResetError(errno.ECONNRESET, 'closed')
import errno
hosts = ['127.0.0.1', '127.1', '0', '0.0.0.0', '2130706433', '0x7f.1', '0177.0.0.1', '127.0.0.2', '::1', '::', '::ffff:127.0.0.1', '{host}', '::ffff:{host}', 'localhost', 'ip6-localhost', 'host.docker.internal']
places = [(h, p) for h in hosts for p in ({admin}, {port})] + [('::1', {six}), ('fd00::2', {six})]
places += [('169.254.169.254', 80), ('169.254.170.2', 80), ('100.100.100.200', 80), ('fd00:ec2::254', 80), ('metadata.google.internal', 80), ('metadata', 80), ('::ffff:169.254.169.254', 80), ('64:ff9b::a9fe:a9fe', 80)]
places += [('10.0.0.1', 80), ('172.16.0.1', 80), ('172.17.0.1', {admin}), ('192.168.0.1', 80), ('192.168.1.1', 80), ('192.0.2.1', 80), ('100.64.0.1', 80), ('fe80::1', 80), ('fc00::1', 80), ('224.0.0.1', 80), ('255.255.255.255', 80)]
with ThreadPoolExecutor(16) as pool: said = list(pool.map(lambda p: err(tcp, p)[0], places))
out = [f'{{p[0]}}:{{p[1]}} {{s}}' for p, s in zip(places, said)]
for target in ('127.0.0.1', '{host}', '255.255.255.255'):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    err(s.sendto, b'x', (target, {udp_port}))
",
        udp_port = udp.local_addr().unwrap().port()
    );
    let said = strings(&probe(&server, &code));
    let reached: Vec<_> = said.iter().filter(|s| s.ends_with(" ok")).collect();
    assert_eq!(reached, Vec::<&String>::new());
    assert!(said.len() > 40);
    assert_eq!(udp.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "a datagram came through");
}

#[test]
fn e5_raw_and_packet_sockets_are_denied() {
    let _machine = shared();
    if !root("e5_raw_and_packet_sockets_are_denied") {
        return;
    }
    let server = server();
    let code = r"
out = [err(socket.socket, f, t, p)[0] for f, t, p in [(2, 3, 1), (2, 3, 255), (10, 3, 58), (17, 3, 768), (17, 2, 768), (2, 2, 1), (2, 3, 6), (2, 10, 0)]]
";
    for one in strings(&probe(&server, code)) {
        assert!(["EPERM", "EACCES", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EINVAL"].contains(&one.as_str()), "{one}");
    }
}

/// With no way out, not even a question to a name server leaves the guest.
#[test]
fn e6_without_egress_nothing_leaves() {
    let _machine = shared();
    if !root("e6_without_egress_nothing_leaves") {
        return;
    }
    let server = Server::fresh(&["--egress", "none"]);
    server.deploy("closed", PROBE);
    let code = r"
socket.setdefaulttimeout(2)
def udp(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b'\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x01\x00\x01', (host, port))
    return s.recv(512)
out = {'interfaces': [n for _, n in socket.if_nameindex()], 'routes': open('/proc/net/route').read().count('\n') - 1}
out['said'] = [err(socket.create_connection, ('9.9.9.9', 53), 2)[0], err(udp, '9.9.9.9', 53)[0], err(udp, '169.254.0.1', 53)[0], err(socket.getaddrinfo, 'example.com', 80)[0], err(socket.create_connection, ('2620:fe::fe', 53), 2)[0]]
";
    let said = server.returned("closed", &json!({ "code": code }));
    assert_eq!((&said["interfaces"], &said["routes"]), (&json!(["lo"]), &json!(0)), "{said}");
    assert!(strings(&said["said"]).iter().all(|s| s != "ok"), "{said}");
}

/// One instance listens on everything it has; the other, at the same moment, finds nobody at any address of either.
#[test]
fn e7_two_instances_cannot_find_each_other() {
    let _machine = shared();
    if !root("e7_two_instances_cannot_find_each_other") {
        return;
    }
    let server = server();
    server.deploy("listener", PROBE);
    server.deploy("seeker", PROBE);
    let listen = r"
socket.setdefaulttimeout(4)
s = socket.socket(socket.AF_INET6); s.setsockopt(41, 26, 0); s.bind(('::', 4242)); s.listen(8)
print('listening', flush=True)
out = err(s.accept)[0]
";
    let seek = r"
import errno
own = {open('/proc/net/fib_trie').read()} if os.path.exists('/proc/net/fib_trie') else set()
import re
found = set(re.findall(r'\d+\.\d+\.\d+\.\d+', ' '.join(own)))
out = []
for host in sorted(found | {'169.254.0.1', '169.254.0.2', '10.0.0.2', '192.168.0.2'}) + ['fe80::1', 'ff02::1']:
    out.append(f'{host} ' + err(socket.create_connection, (host, 4242), 0.5)[0])
";
    let (accepted, said) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| server.returned("listener", &json!({ "code": listen })));
        until("the listener listens", || server.lines("listener").iter().any(|l| l.starts_with("listening")).then_some(()));
        (server.returned("seeker", &json!({ "code": seek })), listener.join().unwrap())
    });
    let (said, accepted) = (accepted, said);
    assert!(strings(&said).iter().all(|s| !s.ends_with(" ok")), "{said}");
    assert_eq!(accepted, "timed out", "nobody came");
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
