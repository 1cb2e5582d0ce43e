//! The server's side of one helper: requests by number, events to whom they concern.

use std::{
    collections::{HashMap, HashSet},
    io,
    os::fd::{BorrowedFd, OwnedFd},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Exit, ExitKind, ProcessId};
use anyfn_types::InstanceId;
use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    HelperCommand, OnGone, OnTun, Options,
    error::Error,
    link::Link,
    packet,
    proto::{Answer, Ask, Fault, Hello, Request, Told},
};

/// For one answer of the helper. It never waits for a guest, so this only ends a broken one.
const PATIENCE: Duration = Duration::from_secs(60);

/// What nobody wants any more.
#[derive(Clone, Copy)]
enum Doomed {
    Sandbox(InstanceId),
    Template(u64),
}

type Answered = Result<(Answer, Vec<OwnedFd>), Error>;

pub(crate) struct Client {
    link: Link,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, oneshot::Sender<Answered>>>,
    living: Mutex<Living>,
    /// What the helper said: whether a sandbox that stands can be furnished.
    furnish: AtomicBool,
    /// Who hears of forked processes; only sandboxes that have some.
    exits: Mutex<HashMap<InstanceId, mpsc::Sender<Exit>>>,
    templates: Mutex<HashMap<u64, watch::Sender<bool>>>,
    /// To be ended as soon as the socket has room.
    doomed: Mutex<Vec<Doomed>>,
    on_gone: Option<OnGone>,
    closed: watch::Sender<bool>,
    process: Mutex<Option<Child>>,
}

/// Sandboxes by the id that the helper knows, and the ids of those that were handed out.
#[derive(Default)]
struct Living {
    slots: HashMap<InstanceId, Slot>,
    names: HashSet<InstanceId>,
}

struct Slot {
    gone: oneshot::Sender<Exit>,
    /// The id that it has for who asked for it.
    name: Option<InstanceId>,
}

/// An id that was asked for; free again when this is dropped before a sandbox has got it.
pub(crate) struct Name {
    client: Arc<Client>,
    id: InstanceId,
    held: bool,
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.held {
            lock(&self.client.living).names.remove(&self.id);
        }
    }
}

impl Name {
    /// An error if there is a sandbox of this id.
    pub(crate) fn reserve(client: &Arc<Client>, id: InstanceId) -> Result<Self, Error> {
        if !lock(&client.living).names.insert(id) {
            return Err(Error::Refused("this instance exists".into()));
        }
        Ok(Self { client: client.clone(), id, held: true })
    }

    /// Gives a sandbox this id. Its tun device goes to who serves the network first, so that its end is told after that,
    /// and once.
    pub(crate) fn give(
        mut self,
        slot: InstanceId,
        tun: Option<OwnedFd>,
        on_tun: Option<&OnTun>,
    ) -> Result<(), Error> {
        let told = tun.zip(on_tun).map(|(tun, on_tun)| on_tun(self.id, tun)).is_some();
        {
            let mut living = lock(&self.client.living);
            if let Some(slot) = living.slots.get_mut(&slot) {
                slot.name = Some(self.id);
                self.held = false;
                return Ok(());
            }
        }
        if let (true, Some(on_gone)) = (told, &self.client.on_gone) {
            on_gone(self.id);
        }
        Err(Error::Gone)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Starts or reaches a helper. `ending` is cancelled when the helper is no longer wanted; it then ends once no sandbox
    /// is left.
    pub(crate) async fn start<E>(
        base: &Base,
        options: &Options,
        ending: E,
    ) -> Result<(Arc<Self>, Vec<(String, bool, String)>), Error>
    where
        E: Future<Output = ()> + Send + 'static,
    {
        let (socket, process) = reach(&options.helper).map_err(Error::HelperStart)?;
        let client = Arc::new(Self {
            link: Link::new(socket).map_err(Error::HelperStart)?,
            next: AtomicU64::new(1),
            pending: Mutex::default(),
            living: Mutex::default(),
            furnish: AtomicBool::new(false),
            exits: Mutex::default(),
            templates: Mutex::default(),
            doomed: Mutex::default(),
            on_gone: options.on_gone.clone(),
            closed: watch::channel(false).0,
            process: Mutex::new(process),
        });
        let reader = client.clone();
        base.tasks.spawn(TaskKind::Service, "sandbox helper", async move { reader.read(ending).await });
        let greeted = client.greet(options).await;
        if greeted.is_err() {
            // A helper that is no use must not stay.
            let _ = client.link.shutdown(Shutdown::Both);
        }
        greeted.map(|parts| (client, parts))
    }

    async fn greet(&self, options: &Options) -> Result<Vec<(String, bool, String)>, Error> {
        match self.ask(Request::Hello(hello(options)?)).await? {
            (Answer::Hello { parts, furnish }, _) => {
                self.furnish.store(furnish, Ordering::Relaxed);
                Ok(parts)
            }
            _ => Err(Error::Frame("no answer to the hello".into())),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&self, what: Request) -> Answered {
        self.ask_with(what, &[]).await
    }

    /// The same, with descriptors beside the request.
    pub(crate) async fn ask_with(&self, what: Request, fds: &[BorrowedFd<'_>]) -> Answered {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        lock(&self.pending).insert(id, sender);
        let waiting = Waiting { client: self, id };
        if *self.closed.borrow() {
            return Err(Error::HelperGone);
        }
        let bytes = packet::encode(&Ask { id, what })?;
        self.link.send(&bytes, fds).await.map_err(|_| Error::HelperGone)?;
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        drop(waiting);
        answered.map_err(|_| Error::Late("helper"))?.unwrap_or(Err(Error::HelperGone))
    }

    /// Who hears of the end of a sandbox. Registered before it is made; an error if there is one of this id.
    pub(crate) fn watch(&self, id: InstanceId) -> Result<oneshot::Receiver<Exit>, Error> {
        let mut living = lock(&self.living);
        if self.is_gone() {
            return Err(Error::HelperGone);
        }
        if living.slots.contains_key(&id) {
            return Err(Error::Refused("this instance exists".into()));
        }
        let (sender, gone) = oneshot::channel();
        living.slots.insert(id, Slot { gone: sender, name: None });
        Ok(gone)
    }

    pub(crate) fn lives(&self, slot: InstanceId) -> bool {
        lock(&self.living).slots.contains_key(&slot)
    }

    pub(crate) fn can_furnish(&self) -> bool {
        self.furnish.load(Ordering::Relaxed)
    }

    /// Asks for the end of a sandbox without waiting for it.
    pub(crate) fn forget(&self, id: InstanceId) {
        lock(&self.doomed).push(Doomed::Sandbox(id));
        self.flush_doomed();
    }

    /// Asks for the end of a template without waiting for it.
    pub(crate) fn end_template(&self, id: u64) {
        lock(&self.doomed).push(Doomed::Template(id));
        self.flush_doomed();
    }

    /// Becomes true when the template has ended. To be called before it is asked for.
    pub(crate) fn watch_template(&self, id: u64) -> watch::Receiver<bool> {
        let (sender, ended) = watch::channel(self.is_gone());
        let mut templates = lock(&self.templates);
        if self.is_gone() {
            sender.send_replace(true);
        } else {
            templates.insert(id, sender);
        }
        ended
    }

    /// Who hears of the ends of forked processes, until the sandbox ends.
    pub(crate) fn hear_exits(&self, id: InstanceId, exits: mpsc::Sender<Exit>) -> Result<(), Error> {
        let living = lock(&self.living);
        if !living.slots.contains_key(&id) {
            return Err(Error::Gone);
        }
        lock(&self.exits).insert(id, exits);
        Ok(())
    }

    fn flush_doomed(&self) {
        let mut doomed = lock(&self.doomed);
        while let Some(last) = doomed.last() {
            let what = match last {
                Doomed::Sandbox(instance) => Request::Destroy(*instance),
                Doomed::Template(id) => Request::EndTemplate(*id),
            };
            let ask = Ask { id: self.next.fetch_add(1, Ordering::Relaxed), what };
            let sent = packet::encode(&ask).and_then(|bytes| self.link.try_send(&bytes));
            if sent.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
                // The helper has answers to send; each of them brings us back here.
                return;
            }
            doomed.pop();
        }
    }

    /// Waits until the helper is gone.
    pub(crate) async fn gone(&self) {
        // An error means that the sender is gone, and it is in `self`.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    pub(crate) fn is_gone(&self) -> bool {
        *self.closed.borrow()
    }

    async fn read(&self, ending: impl Future<Output = ()>) {
        let mut buffer = vec![0; packet::PACKET_MAX];
        let mut ending = std::pin::pin!(ending);
        let mut wanted = true;
        loop {
            if !wanted
                && lock(&self.living).slots.is_empty()
                && lock(&self.templates).is_empty()
                && lock(&self.pending).is_empty()
            {
                // The helper gives everything back, then its end closes.
                let _ = self.link.shutdown(Shutdown::Write);
            }
            let received = tokio::select! {
                received = self.link.receive(&mut buffer) => received,
                () = &mut ending, if wanted => { wanted = false; continue }
            };
            let told = match received {
                Ok(Some((len, fds))) => packet::decode(&buffer[..len]).map(|told| (told, fds)),
                _ => break,
            };
            match told {
                Ok((told, fds)) => self.hear(told, fds),
                Err(e) => {
                    tracing::error!(error = %e, "the sandbox helper sent a malformed frame");
                    break;
                }
            }
            self.flush_doomed();
        }
        self.close();
    }

    fn hear(&self, told: Told, fds: Vec<OwnedFd>) {
        match told {
            Told::Answer { id, result } => {
                if let Some(sender) = lock(&self.pending).remove(&id) {
                    // Nobody waits any more if the asking future was dropped.
                    let _ = sender.send(result.map(|answer| (answer, fds)).map_err(Error::from));
                }
            }
            Told::Gone { instance, code, signal, out_of_memory } => {
                let kind = exit_kind(code, signal);
                self.end(instance, Exit { process: None, kind, out_of_memory });
            }
            Told::Exited { instance, process, code, signal, out_of_memory } => {
                let exit =
                    Exit { process: Some(ProcessId(process)), kind: exit_kind(code, signal), out_of_memory };
                // A sandbox that forks a thousand processes and asks for no end misses some.
                let _ = lock(&self.exits).get(&instance).map(|exits| exits.try_send(exit));
            }
            Told::TemplateGone(id) => {
                if let Some(ended) = lock(&self.templates).remove(&id) {
                    ended.send_replace(true);
                }
            }
            Told::Note(text) => tracing::warn!(%text, "the sandbox helper says"),
        }
    }

    fn end(&self, id: InstanceId, exit: Exit) {
        let slot = {
            let mut living = lock(&self.living);
            lock(&self.exits).remove(&id);
            let slot = living.slots.remove(&id);
            if let Some(name) = slot.as_ref().and_then(|slot| slot.name) {
                living.names.remove(&name);
            }
            slot
        };
        if let Some(Slot { gone, name }) = slot {
            let _ = gone.send(exit);
            if let (Some(name), Some(on_gone)) = (name, &self.on_gone) {
                on_gone(name);
            }
        }
    }

    /// The helper is gone: the kernel has killed all its sandboxes.
    fn close(&self) {
        let _ = self.link.shutdown(Shutdown::Both);
        self.closed.send_replace(true);
        lock(&self.pending).clear();
        for (_, ended) in lock(&self.templates).drain() {
            ended.send_replace(true);
        }
        let left: Vec<InstanceId> = lock(&self.living).slots.keys().copied().collect();
        for id in left {
            let kind = ExitKind::Signal(libc::SIGKILL);
            self.end(id, Exit { process: None, kind, out_of_memory: false });
        }
        if let Some(mut process) = lock(&self.process).take() {
            // It has closed its socket, which it does by ending.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Takes a request off the list when its future is dropped.
struct Waiting<'a> {
    client: &'a Client,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.client.pending).remove(&self.id);
    }
}

pub(crate) fn exit_kind(code: Option<i32>, signal: Option<i32>) -> ExitKind {
    match (code, signal) {
        (Some(code), _) => ExitKind::Code(code),
        (None, signal) => ExitKind::Signal(signal.unwrap_or(libc::SIGKILL)),
    }
}

fn reach(helper: &HelperCommand) -> io::Result<(OwnedFd, Option<Child>)> {
    match helper {
        HelperCommand::Exec(argv) => {
            let (program, args) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
            let (ours, theirs) = packet::pair()?;
            let mut command = Command::new(program);
            command.args(args).env_clear().stdin(Stdio::from(theirs)).stdout(Stdio::null());
            Ok((ours, Some(command.spawn()?)))
        }
        HelperCommand::Connect(path) => {
            let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
            connect(&socket, &SocketAddrUnix::new(path)?)?;
            rustix::net::sockopt::set_socket_send_buffer_size(&socket, 2 * packet::PACKET_MAX)?;
            Ok((socket, None))
        }
    }
}

fn hello(options: &Options) -> Result<Hello, Error> {
    let text = |path: &std::path::PathBuf| {
        path.to_str().map(str::to_owned).ok_or_else(|| Error::Refused("a path is not UTF-8".into()))
    };
    Ok(Hello {
        mode: options.mode,
        cgroup_name: options.cgroup_name.clone(),
        scratch_dir: text(&options.scratch_dir)?,
        bind_roots: options.bind_roots.iter().map(text).collect::<Result<_, _>>()?,
        runtime_prefixes: options.runtime_prefixes.iter().map(text).collect::<Result<_, _>>()?,
        spare_tmp: options.spare_tmp,
    })
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(text) => Self::Refused(text),
            Fault::Gone => Self::Gone,
            Fault::TemplateGone => Self::TemplateGone,
            Fault::Unsupported(text) => Self::Unsupported(text),
            Fault::Step { step, errno } => Self::Step { step, source: io::Error::from_raw_os_error(errno) },
        }
    }
}
