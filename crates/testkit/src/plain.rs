//! `PlainProcesses`: the `Isolation` port over ordinary processes, for tests of what stands above it.
//!
//! It gives the guest its own mounts (binds, `/tmp`) and its own network, because contracts need both, and nothing else:
//! no memory limit, no seccomp, no user of its own. It needs root and the host's `unshare` and `nsenter`.

use std::{
    fs::File,
    io,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::Stdio,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{
    Bind, Capabilities, Exit, ExitKind, Inside, Isolation, ProcessId, ProcessSpec, Sandbox, SandboxSpec,
    Usage,
};
use anyfn_types::{Error, MIB};
use async_trait::async_trait;
use rustix::{
    process::{Pid, Signal, kill_process_group},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::mpsc,
};

/// Exits that may wait to be read.
const EXITS: usize = 64;

/// The isolation that isolates nothing but mounts and network.
#[derive(Debug)]
pub struct PlainProcesses {
    base: Base,
}

impl PlainProcesses {
    pub fn new(base: Base) -> Self {
        Self { base }
    }
}

fn failed(error: io::Error) -> Error {
    Error::internal("plain_process_failed", error)
}

/// Mounts the binds where the guest wants them. The host's `/tmp`, where tests keep their folders, disappears behind a
/// fresh one, so every source is held under `/mnt` first.
fn mounts(binds: &[Bind]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut script = String::from("set -e\nmount --make-rprivate /\nmount -t tmpfs none /mnt\n");
    let outside: Vec<_> = binds.iter().filter(|bind| bind.source.to_string_lossy() != bind.target).collect();
    for (number, bind) in outside.iter().enumerate() {
        let source = quoted(&bind.source.to_string_lossy());
        let make = if bind.source.is_dir() { "mkdir" } else { "touch" };
        script += &format!("{make} /mnt/{number}\nmount --bind {source} /mnt/{number}\n");
    }
    script += "for d in /var /opt /tmp; do mount -t tmpfs none $d; done\nmkdir /var/tmp\nchmod 1777 /tmp /var/tmp\n";
    for (number, bind) in outside.iter().enumerate() {
        let target = quoted(&bind.target);
        let make = if bind.source.is_dir() { "mkdir -p" } else { "touch" };
        script += &format!("{make} {target}\nmount --bind /mnt/{number} {target}\n");
        script += &format!("mount -o remount,bind,ro {target}\n");
    }
    script + "ip link set lo up\necho up\nexec sleep infinity\n"
}

fn listen_inside(holder: u32, port: u16) -> io::Result<TcpListener> {
    let net = File::open(format!("/proc/{holder}/ns/net"))?;
    // A thread of its own, because a thread cannot come back from another network unless it remembers its own.
    std::thread::spawn(move || {
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&net), Some(LinkNameSpaceType::Network))?;
        TcpListener::bind(("127.0.0.1", port))
    })
    .join()
    .map_err(|_| io::Error::other("the listening thread panicked"))?
}

fn connect_inside(holder: u32, to: &Inside) -> io::Result<OwnedFd> {
    let port = match to {
        Inside::Unix(path) => {
            return std::os::unix::net::UnixStream::connect(format!("/proc/{holder}/root{path}"))
                .map(Into::into);
        }
        Inside::Tcp(port) => *port,
    };
    let net = File::open(format!("/proc/{holder}/ns/net"))?;
    std::thread::spawn(move || {
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&net), Some(LinkNameSpaceType::Network))?;
        TcpStream::connect(("127.0.0.1", port)).map(Into::into)
    })
    .join()
    .map_err(|_| io::Error::other("the connecting thread panicked"))?
}

#[async_trait]
impl Isolation for PlainProcesses {
    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--kill-child", "--fork", "sh", "-c", &mounts(&spec.binds)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let out = holder.stdout.take().ok_or_else(|| failed(io::Error::other("no pipe")))?;
        let up = BufReader::new(out).lines().next_line().await.map_err(failed)?;
        if up.as_deref() != Some("up") {
            return Err(failed(io::Error::other("the namespaces did not come up (root is needed)")));
        }
        let parent = holder.id().ok_or_else(|| failed(io::Error::other("the holder is gone")))?;
        let children =
            std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).map_err(failed)?;
        let inside =
            children.trim().parse().map_err(|_| failed(io::Error::other("the holder has no child")))?;
        let listener = spec.listen.map(|port| listen_inside(inside, port)).transpose().map_err(failed)?;
        let (sender, exits) = mpsc::channel(EXITS);
        Ok(Box::new(Plain {
            base: self.base.clone(),
            holder,
            inside,
            listener,
            pids: Mutex::default(),
            next: AtomicU32::new(1),
            sender,
            exits: tokio::sync::Mutex::new(exits),
        }))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { parts: vec![("isolation".into(), false, "plain processes, for tests only".into())] }
    }
}

struct Plain {
    base: Base,
    holder: Child,
    inside: u32,
    listener: Option<TcpListener>,
    /// Ids and the pids that lead their process groups.
    pids: Mutex<Vec<(ProcessId, u32)>>,
    next: AtomicU32,
    sender: mpsc::Sender<Exit>,
    exits: tokio::sync::Mutex<mpsc::Receiver<Exit>>,
}

impl Plain {
    fn signal_all(&self, signal: Signal) {
        for (_, pid) in self.pids.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            signal_group(*pid, signal);
        }
    }

    fn command(&self, process: &ProcessSpec) -> Command {
        let mut command = Command::new("nsenter");
        command.args([&format!("--target={}", self.inside), "--mount", "--net"]);
        command.arg(format!("--wdns={}", process.cwd)).arg("--").args(&process.argv);
        command.env_clear().envs(process.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
    }
}

fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process_group(pid, signal);
    }
}

/// Gives the child its descriptors under the numbers asked for.
#[allow(unsafe_code, reason = "only code between fork and exec can place a descriptor")]
fn place(command: &mut Command, fds: Vec<(OwnedFd, i32)>) {
    let place = move || -> io::Result<()> {
        // All of them out of the way first, so that no target closes a source that is still needed.
        let mut high = [0; 16];
        for (at, (fd, _)) in fds.iter().enumerate().take(high.len()) {
            // SAFETY: fcntl on a descriptor that `fds` keeps open.
            high[at] = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 100) };
        }
        for (at, (_, target)) in fds.iter().enumerate().take(high.len()) {
            // SAFETY: dup2 onto a number of the child, which has nothing there that it still needs.
            if unsafe { libc::dup2(high[at], *target) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure only calls fcntl and dup2, which are safe between fork and exec.
    unsafe { command.as_std_mut().pre_exec(place) };
}

fn kind(status: std::process::ExitStatus) -> ExitKind {
    status.signal().map_or_else(|| ExitKind::Code(status.code().unwrap_or(-1)), ExitKind::Signal)
}

#[async_trait]
impl Sandbox for Plain {
    fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    async fn spawn(&self, process: ProcessSpec) -> Result<ProcessId, Error> {
        let mut command = self.command(&process);
        command.process_group(0).kill_on_drop(true);
        place(&mut command, process.fds);
        let mut child = command.spawn().map_err(failed)?;
        drop(command);
        let id = ProcessId(self.next.fetch_add(1, Ordering::Relaxed));
        let pid = child.id().unwrap_or(0);
        self.pids.lock().unwrap_or_else(PoisonError::into_inner).push((id, pid));
        let sender = self.sender.clone();
        let watch = async move {
            if let Ok(status) = child.wait().await {
                let exit = Exit { process: Some(id), kind: kind(status), out_of_memory: false };
                let _nobody_waits = sender.send(exit).await;
            }
        };
        self.base.tasks.spawn(TaskKind::Background, "plain process", watch);
        Ok(id)
    }

    async fn signal(&self, process: ProcessId, signal: i32) -> Result<(), Error> {
        let signal =
            Signal::from_named_raw(signal).ok_or_else(|| failed(io::Error::other("no such signal")))?;
        let pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pid)) = pids.iter().find(|(id, _)| *id == process) {
            signal_group(*pid, signal);
        }
        Ok(())
    }

    async fn connect(&self, to: &Inside) -> Result<OwnedFd, Error> {
        connect_inside(self.inside, to)
            .map_err(|e| Error::new(anyfn_types::Kind::Unavailable, "sandbox_refused", e.to_string()))
    }

    async fn next_exit(&self) -> Option<Exit> {
        self.exits.lock().await.recv().await
    }

    async fn freeze(&self) -> Result<(), Error> {
        self.signal_all(Signal::STOP);
        Ok(())
    }

    async fn thaw(&self) -> Result<(), Error> {
        self.signal_all(Signal::CONT);
        Ok(())
    }

    async fn usage(&self) -> Result<Usage, Error> {
        let pids = self.pids.lock().unwrap_or_else(PoisonError::into_inner);
        let statuses =
            pids.iter().filter_map(|(_, pid)| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let mut usage = Usage::default();
        for status in statuses {
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
            };
            usage.memory_bytes += field("VmRSS:") * 1024;
            usage.memory_peak_bytes += field("VmHWM:") * 1024;
            usage.processes += 1;
        }
        usage.memory_peak_bytes = usage.memory_peak_bytes.max(MIB);
        Ok(usage)
    }

    async fn destroy(mut self: Box<Self>) -> Result<(), Error> {
        self.signal_all(Signal::KILL);
        self.holder.kill().await.map_err(failed)
    }
}
