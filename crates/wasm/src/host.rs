//! A namespace's host process: started in a sandbox, told which functions there are, watched until it ends.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{BringUp, Exit, Network, ProcessSpec, Sandbox, SandboxSpec};
use anyfn_types::{MIB, VersionId};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::{
    io::Interest,
    net::{UnixDatagram, UnixStream},
    sync::oneshot,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Error, Options,
    compile::Artifact,
    control::{self, Shape, ToHost, ToServer},
    link::Link,
    source,
};

/// The descriptor of the program inside, and of the control socket; the calls' sockets follow.
const PROGRAM_FD: i32 = 3;
const CONTROL_FD: i32 = 4;

/// The command line of a process that runs this server's own program inside of a sandbox: not by a path, of which there is
/// none inside, but by its descriptor.
pub(crate) fn argv(options: &Options, more: &[&str]) -> Vec<String> {
    let mut argv = vec![format!("/proc/self/fd/{PROGRAM_FD}")];
    argv.extend(options.arguments.iter().cloned());
    argv.extend(more.iter().map(|&word| word.to_owned()));
    argv
}

type Loading = oneshot::Sender<Result<Shape, Refused>>;

/// The host did not take a function.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The artifact was made by another engine or for another machine: compile again.
    pub(crate) stale: bool,
    pub(crate) text: String,
}

pub(crate) struct Host {
    base: Base,
    links: Vec<Arc<Link>>,
    control: Arc<UnixDatagram>,
    loading: Mutex<HashMap<u32, Loading>>,
    functions: tokio::sync::Mutex<HashMap<VersionId, Weak<Function>>>,
    next: AtomicU32,
    pub(crate) gone: CancellationToken,
    exit: OnceLock<Exit>,
    _stop: DropGuard,
}

/// A function that a host has loaded. Unloaded when the last handle goes.
pub(crate) struct Function {
    pub(crate) host: Arc<Host>,
    pub(crate) number: u32,
    pub(crate) shape: Shape,
}

impl Drop for Function {
    fn drop(&mut self) {
        self.host.unload(self.number);
    }
}

/// What a function finds beside its code.
pub(crate) struct Setting {
    pub(crate) env: Vec<(String, String)>,
    pub(crate) args: Vec<String>,
    pub(crate) memory_bytes: u64,
    pub(crate) network: bool,
}

fn sandbox_spec(options: &Options, with: &BringUp, id: anyfn_types::InstanceId) -> SandboxSpec {
    SandboxSpec {
        id,
        hostname: "localhost".to_owned(),
        binds: Vec::new(),
        memory_bytes: options.host_memory_bytes,
        cpu_millis: options.cpu_millis,
        pids: 256,
        open_files: 4096,
        tmp_bytes: 64 * MIB,
        tmp_inodes: 16 * 1024,
        network: with.network,
        listen: None,
    }
}

/// A pair of unix sockets; ours does not block.
fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A socket of packets. tokio has no type of that name; what it does with datagrams it can do with these.
fn packets(socket: OwnedFd) -> io::Result<UnixDatagram> {
    UnixDatagram::from_std(socket.into())
}

impl Host {
    /// Starts a host process and waits until it is ready.
    pub(crate) async fn start(
        base: &Base,
        options: &Options,
        with: &BringUp,
    ) -> Result<Arc<Self>, anyfn_types::Error> {
        let spec = sandbox_spec(options, with, base.random.instance_id());
        let sandbox = with.isolation.create(spec).await?;
        let gone = CancellationToken::new();
        let (control, control_inside) = pair(SocketType::SEQPACKET).map_err(Error::host("socket"))?;
        let program = source::program(&options.program).map_err(Error::host("program"))?;
        let mut fds = vec![(program, PROGRAM_FD), (control_inside, CONTROL_FD)];
        let mut links = Vec::new();
        for number in (CONTROL_FD + 1..).take(options.workers.max(1)) {
            let (ours, theirs) = pair(SocketType::STREAM).map_err(Error::host("socket"))?;
            fds.push((theirs, number));
            let stream = UnixStream::from_std(ours.into()).map_err(Error::host("socket"))?;
            links.push(Link::start(base, stream, gone.clone()));
        }
        let (workers, calls) = (links.len().to_string(), options.calls.to_string());
        let argv = argv(options, &["serve", &workers, &calls]);
        sandbox.spawn(ProcessSpec { argv, env: Vec::new(), cwd: "/".to_owned(), fds }).await?;
        let stop = CancellationToken::new();
        let host = Arc::new(Self {
            base: base.clone(),
            links,
            control: Arc::new(packets(control).map_err(Error::host("socket"))?),
            loading: Mutex::default(),
            functions: tokio::sync::Mutex::default(),
            next: AtomicU32::new(1),
            gone,
            exit: OnceLock::new(),
            _stop: stop.clone().drop_guard(),
        });
        let (up, ready) = oneshot::channel();
        let watcher = Arc::downgrade(&host);
        let gone = host.gone.clone();
        base.tasks.spawn(TaskKind::Background, "wasm host", watch(watcher, sandbox, stop, gone));
        let (heard, socket) = (Arc::downgrade(&host), host.control.clone());
        base.tasks.spawn(TaskKind::Background, "wasm control", listen(heard, socket, host.gone.clone(), up));
        let within = Duration::from_millis(options.start_ms);
        match tokio::time::timeout(within, ready).await {
            Ok(Ok(())) => Ok(host),
            Ok(Err(_)) => Err(Error::Host { what: "it ended at once", source: None }.into()),
            Err(_) => Err(Error::Host { what: "it is not ready in time", source: None }.into()),
        }
    }

    /// The socket with the fewest calls on it.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.links.iter().min_by_key(|link| link.running())
    }

    /// How the process ended, once that is known.
    pub(crate) async fn ended(&self) -> Option<Exit> {
        let known = async {
            while self.exit.get().is_none() {
                self.base.clock.sleep(Duration::from_millis(5)).await;
            }
        };
        // The sockets close a moment before the exit is told.
        let _unknown = tokio::time::timeout(Duration::from_millis(200), known).await;
        self.exit.get().copied()
    }

    async fn tell(&self, message: &ToHost, fd: Option<&OwnedFd>) -> io::Result<()> {
        let send = || control::send(self.control.as_fd(), message, fd.map(std::os::fd::AsFd::as_fd));
        loop {
            self.control.writable().await?;
            match self.control.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// The function of a version, loaded now if it is not yet.
    pub(crate) async fn function(
        self: &Arc<Self>,
        version: VersionId,
        artifact: Artifact,
        setting: Setting,
    ) -> Result<Arc<Function>, Result<Refused, Error>> {
        let mut functions = self.functions.lock().await;
        if let Some(function) = functions.get(&version).and_then(Weak::upgrade) {
            return Ok(function);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);
        let load = ToHost::Load {
            function: number,
            artifact: artifact.key,
            flavor: artifact.flavor,
            env: setting.env,
            args: setting.args,
            memory_bytes: setting.memory_bytes,
            network: setting.network,
        };
        let lost = || Err(Error::Host { what: "it ended", source: None });
        self.tell(&load, Some(&artifact.file.into())).await.map_err(|e| Err(Error::host("load")(e)))?;
        let shape = tokio::select! {
            answer = answer => answer.map_err(|_| lost())?.map_err(Ok)?,
            () = self.gone.cancelled() => return Err(lost()),
        };
        let function = Arc::new(Function { host: self.clone(), number, shape });
        functions.retain(|_, one| one.strong_count() > 0);
        functions.insert(version, Arc::downgrade(&function));
        Ok(function)
    }

    /// The function of a version if it is loaded.
    pub(crate) async fn loaded(&self, version: VersionId) -> Option<Arc<Function>> {
        self.functions.lock().await.get(&version).and_then(Weak::upgrade)
    }

    fn unload(self: &Arc<Self>, function: u32) {
        if self.gone.is_cancelled() {
            return;
        }
        let host = self.clone();
        self.base.tasks.spawn(TaskKind::Background, "wasm unload", async move {
            let _it_is_gone = host.tell(&ToHost::Unload { function }, None).await;
        });
    }

    fn heard(&self, message: ToServer) {
        let (function, result) = match message {
            ToServer::Ready => return,
            ToServer::Loaded { function, shape } => (function, Ok(shape)),
            ToServer::Refused { function, stale, text } => (function, Err(Refused { stale, text })),
        };
        let waiting = self.loading.lock().unwrap_or_else(PoisonError::into_inner).remove(&function);
        if let Some(waiting) = waiting {
            let _nobody_waits = waiting.send(result);
        }
    }
}

/// Holds the sandbox until the process ends or nobody needs it.
async fn watch(
    host: Weak<Host>,
    sandbox: Box<dyn Sandbox>,
    stop: CancellationToken,
    gone: CancellationToken,
) {
    let exit = tokio::select! {
        exit = sandbox.next_exit() => exit,
        () = gone.cancelled() => tokio::time::timeout(Duration::from_millis(100), sandbox.next_exit()).await.ok().flatten(),
        () = stop.cancelled() => None,
    };
    if let (Some(host), Some(exit)) = (host.upgrade(), exit) {
        let _first = host.exit.set(exit);
    }
    gone.cancel();
    if let Err(error) = sandbox.destroy().await {
        tracing::warn!(?error, "a wasm host's sandbox was not given back");
    }
}

async fn listen(
    host: Weak<Host>,
    socket: Arc<UnixDatagram>,
    gone: CancellationToken,
    up: oneshot::Sender<()>,
) {
    let mut up = Some(up);
    loop {
        let heard = tokio::select! {
            heard = hear(&socket) => heard,
            () = gone.cancelled() => return,
        };
        match (heard, host.upgrade()) {
            (Ok(Some(ToServer::Ready)), Some(_)) => drop(up.take().map(|up| up.send(()))),
            (Ok(Some(message)), Some(host)) => host.heard(message),
            _ => return gone.cancel(),
        }
    }
}

async fn hear(socket: &UnixDatagram) -> io::Result<Option<ToServer>> {
    loop {
        socket.readable().await?;
        match socket.try_io(Interest::READABLE, || control::receive::<ToServer>(socket)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Ok(result?.map(|(message, _)| message)),
        }
    }
}

/// Whether what a function may reach includes the network.
pub(crate) fn has_network(network: Network) -> bool {
    network == Network::Internet
}
