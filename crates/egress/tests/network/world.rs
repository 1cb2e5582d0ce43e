//! Three network namespaces of our own: `guest` with a TUN device, `server` where this room's sockets live, and `far`,
//! the public Internet. `server` and `far` are joined by a virtual cable; no packet leaves the machine.

use std::{
    io::{IoSliceMut, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::JoinHandle,
    time::Duration,
};

use anyfn_base::Base;
use anyfn_egress::{Attached, Egress, Options};
use rustix::{
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

/// Opens the device inside the guest's namespace and passes it over the socket that is its standard input.
const OPEN_TUN: &str = r#"
import fcntl, os, socket, struct, subprocess
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH", b"net0", 0x1001))
for line in ("link set lo up", "addr add 10.200.0.2/30 dev net0", "link set net0 mtu 1500 up",
             "route add default via 10.200.0.1"):
    subprocess.run(["ip"] + line.split(), check=True)
socket.send_fds(socket.socket(fileno=0), [b"x"], [tun])
"#;

/// The server's own address on the cable.
pub(crate) const SERVER: &str = "11.0.0.1";
/// The public address that everybody asks for.
pub(crate) const FAR: &str = "8.8.4.4";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The namespaces of one test, gone when dropped.
pub(crate) struct World {
    prefix: String,
}

impl World {
    /// None, and a line that says so, where the machine does not let us.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let works = |program: &str, arg: &str| {
            let out = Command::new(program).arg(arg).stdout(Stdio::null()).stderr(Stdio::null()).status();
            out.is_ok_and(|status| status.success())
        };
        let missing = if !rustix::process::geteuid().is_root() {
            "root"
        } else if !works("ip", "-V") {
            "the program `ip`"
        } else if !works("python3", "-V") {
            "the program `python3`"
        } else if !std::path::Path::new("/dev/net/tun").exists() {
            "/dev/net/tun"
        } else {
            ""
        };
        if !missing.is_empty() {
            eprintln!("SKIPPED {test}: it needs {missing}");
            return None;
        }
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let world = Self { prefix: format!("anyfn-egress-{}-{n}", std::process::id()) };
        for part in ["guest", "server", "far"] {
            ip(&format!("netns add {}", world.name(part)));
        }
        let (server, far) = (world.name("server"), world.name("far"));
        ip(&format!("-n {server} link add cable type veth peer name cable netns {far}"));
        for line in [
            "link set lo up",
            "addr add 11.0.0.1/24 dev cable",
            "link set cable up",
            "route add default via 11.0.0.2",
        ] {
            ip(&format!("-n {server} {line}"));
        }
        for line in [
            "link set lo up",
            "addr add 11.0.0.2/24 dev cable",
            "link set cable up",
            "addr add 8.8.4.4/32 dev lo",
            "addr add 192.168.77.1/32 dev lo",
        ] {
            ip(&format!("-n {far} {line}"));
        }
        Some(world)
    }

    fn name(&self, part: &str) -> String {
        format!("{}-{part}", self.prefix)
    }

    /// Gives the server one more address.
    pub(crate) fn add_server_address(&self, address: &str) {
        ip(&format!("-n {} addr add {address} dev lo", self.name("server")));
    }

    /// Takes the guest's device away, as the end of its namespace does.
    pub(crate) fn remove_device(&self) {
        ip(&format!("-n {} link del net0", self.name("guest")));
    }

    /// Runs blocking `work` on a thread inside one of the namespaces.
    pub(crate) fn on<T: Send + 'static>(
        &self,
        part: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let path = format!("/run/netns/{}", self.name(part));
        std::thread::spawn(move || {
            let space = std::fs::File::open(path).unwrap();
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
    }

    /// Runs `test` on a runtime all of whose threads are in the server's namespace.
    pub(crate) fn serve<T: Send + 'static, F: Future<Output = T>>(
        &self,
        test: impl FnOnce() -> F + Send + 'static,
    ) -> T {
        let run = self.on("server", move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let result =
                runtime.block_on(async { tokio::time::timeout(Duration::from_secs(25), test()).await });
            runtime.shutdown_background();
            result.expect("the test hangs")
        });
        match run.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    pub(crate) fn open_tun(&self) -> OwnedFd {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.name("guest"), "python3", "-c", OPEN_TUN])
            .stdin(OwnedFd::from(theirs))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        recvmsg(&ours, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(child.wait().unwrap().success(), "{errors}");
        fd.expect("a descriptor")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for part in ["guest", "server", "far"] {
            let _ = Command::new("ip").args(["netns", "del", &self.name(part)]).status();
        }
    }
}

fn ip(line: &str) {
    let out = Command::new("ip").args(line.split(' ')).output().unwrap();
    assert!(out.status.success(), "ip {line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A server with one instance attached.
pub(crate) struct Served {
    pub(crate) base: Base,
    pub(crate) egress: Egress,
    pub(crate) attached: Attached,
}

impl Served {
    pub(crate) fn new(tun: OwnedFd, options: Options) -> Self {
        let base = Base::system();
        let egress = Egress::new(base.clone(), options);
        let attached = egress.attach(base.random.instance_id(), tun).unwrap();
        Self { base, egress, attached }
    }

    /// The value of a line of the metrics page; 0 if there is none.
    pub(crate) fn metric(&self, series: &str) -> i64 {
        metric(&self.base, series)
    }
}

pub(crate) fn metric(base: &Base, series: &str) -> i64 {
    let text = base.metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

/// Waits, without a clock, for what other tasks are about to do.
pub(crate) async fn eventually(mut true_now: impl FnMut() -> bool) {
    while !true_now() {
        tokio::task::yield_now().await;
    }
}

/// Joins a thread without holding up the runtime.
pub(crate) async fn joined<T: Send + 'static>(thread: JoinHandle<T>) -> T {
    match tokio::task::spawn_blocking(|| thread.join()).await.unwrap() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Quick to give up where the defaults are patient.
pub(crate) fn options() -> Options {
    Options { resolvers: Some(vec![format!("{FAR}:53").parse().unwrap()]), ..Options::default() }
}
