//! One sandbox, as the server holds it.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{
    Exit, ExitKind, Furnish, Inside, ProcessId, ProcessSpec, Sandbox, TemplateId, Usage,
};
use anyfn_types::InstanceId;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::{
    OnTun,
    client::{Client, Name, exit_kind},
    connect,
    error::Error,
    link::Link,
    packet::{self, FDS_MAX},
    proto::{self, Answer, Limits, Order, Report, Request},
    template,
};

/// For the set-up and for one spawn. A frozen sandbox answers nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the largest report.
const REPORT_MAX: usize = 4096;
/// Exits that may wait to be asked for.
const EXITS_MAX: usize = 1024;

/// Ends the sandbox when it is dropped.
pub(crate) struct Lease {
    client: Arc<Client>,
    id: InstanceId,
    held: bool,
}

impl Lease {
    /// Takes the id; gives also who hears of the sandbox's end.
    pub(crate) fn new(client: Arc<Client>, id: InstanceId) -> Result<(Self, oneshot::Receiver<Exit>), Error> {
        let gone = client.watch(id)?;
        Ok((Self { client, id, held: true }, gone))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held {
            self.client.forget(self.id);
        }
    }
}

pub(crate) struct Running {
    lease: Lease,
    control: Arc<Control>,
    listener: Option<TcpListener>,
    /// Until it is handed out.
    tun: Option<OwnedFd>,
    exits: tokio::sync::Mutex<mpsc::Receiver<Exit>>,
    /// For forked processes, whose ends the helper tells; alive as long as the pump is.
    told: mpsc::WeakSender<Exit>,
    forked: Mutex<HashSet<u32>>,
}

/// The line to the sandbox's init.
struct Control {
    link: Link,
    next: AtomicU32,
    pending: Mutex<HashMap<u32, oneshot::Sender<Obeyed>>>,
}

/// What init made of an order: descriptors and whether a connection is still under way, or an errno.
type Obeyed = Result<(Vec<OwnedFd>, bool), i32>;

impl Control {
    fn pending(&self) -> MutexGuard<'_, HashMap<u32, oneshot::Sender<Obeyed>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Asks the helper for the sandbox and waits until it stands.
    pub(crate) async fn start(
        base: &Base,
        (lease, gone): (Lease, oneshot::Receiver<Exit>),
        request: Request,
    ) -> Result<Self, Error> {
        let (client, id) = (lease.client.clone(), lease.id);
        let (_, mut fds) = client.ask(request).await?;
        let socket = fds.pop().ok_or_else(|| Error::Frame("a sandbox without a control socket".into()))?;
        let link = Link::new(socket)?;
        let ready = tokio::time::timeout(PATIENCE, ready(&link)).await;
        let (listener, tun) = ready.map_err(|_| Error::Late("sandbox"))??;
        let control = Arc::new(Control { link, next: AtomicU32::new(1), pending: Mutex::default() });
        let (sender, exits) = mpsc::channel(EXITS_MAX);
        let told = sender.downgrade();
        let pump = Pump { control: control.clone(), client, id, exits: sender };
        base.tasks.spawn(TaskKind::Service, "sandbox", pump.run(gone));
        let listener = listener.map(TcpListener::from);
        let (exits, forked) = (tokio::sync::Mutex::new(exits), Mutex::default());
        Ok(Self { lease, control, listener, tun, exits, told, forked })
    }

    /// From here on it is somebody's. An error if it has just ended.
    pub(crate) fn hand_out(&mut self, name: Name, on_tun: Option<&OnTun>) -> Result<(), Error> {
        name.give(self.lease.id, self.tun.take(), on_tun)
    }

    pub(crate) fn lives(&self) -> bool {
        self.lease.client.lives(self.lease.id)
    }

    pub(crate) async fn limit(&self, limits: Limits) -> Result<(), Error> {
        self.ask(Request::Limit(self.lease.id, limits)).await.map(drop)
    }

    pub(crate) async fn show(&self, binds: Vec<(String, String)>, limits: Limits) -> Result<(), Error> {
        let id = self.lease.id;
        self.ask(Request::Furnish(Box::new(proto::Furnish { id, binds, limits }))).await.map(drop)
    }

    async fn ask(&self, request: Request) -> Result<Answer, Error> {
        self.lease.client.ask(request).await.map(|(answer, _)| answer)
    }
}

/// Waits for the first report: the listener and the tun device, or the step that failed.
async fn ready(link: &Link) -> Result<(Option<OwnedFd>, Option<OwnedFd>), Error> {
    let mut buffer = [0; REPORT_MAX];
    let Some((len, fds)) = link.receive(&mut buffer).await? else { return Err(Error::Gone) };
    match packet::decode(&buffer[..len])? {
        Report::Ready { listener, tun } => {
            let mut fds = fds.into_iter();
            let listener = if listener { fds.next() } else { None };
            Ok((listener, if tun { fds.next() } else { None }))
        }
        Report::Failed { step, errno } => {
            Err(Error::Step { step, source: io::Error::from_raw_os_error(errno) })
        }
        other => Err(Error::Frame(format!("{other:?} before the sandbox stands"))),
    }
}

/// Reads what init reports until both it and the sandbox are gone.
struct Pump {
    control: Arc<Control>,
    client: Arc<Client>,
    id: InstanceId,
    exits: mpsc::Sender<Exit>,
}

impl Pump {
    async fn run(self, mut gone: oneshot::Receiver<Exit>) {
        let mut end = None;
        while let Ok(Some((report, fds))) = self.report().await {
            match report {
                Report::Spawned { process } => self.obeyed(process, Ok((fds, false))),
                Report::Connected { ask, under_way } => self.obeyed(ask, Ok((fds, under_way))),
                Report::NotSpawned { process: ask, errno } | Report::NotConnected { ask, errno } => {
                    self.obeyed(ask, Err(errno));
                }
                Report::Exited { process, code, signal } => {
                    let kind = exit_kind(code, signal);
                    let out_of_memory = match kind {
                        ExitKind::Code(0) => false,
                        _ => self.out_of_memory(&mut gone, &mut end).await,
                    };
                    let exit = Exit { process: Some(ProcessId(process)), kind, out_of_memory };
                    // Nobody listens once the sandbox is dropped.
                    let _ = self.exits.send(exit).await;
                }
                Report::Ready { .. } | Report::Failed { .. } => break,
            }
        }
        self.control.pending().clear();
        // Whether init ended or talked nonsense: nothing of this sandbox may go on.
        self.client.forget(self.id);
        if let Some(exit) = wait_for(&mut gone, &mut end).await {
            let _ = self.exits.send(exit).await;
        }
    }

    async fn report(&self) -> Result<Option<(Report, Vec<OwnedFd>)>, Error> {
        let mut buffer = [0; REPORT_MAX];
        let Some((len, fds)) = self.control.link.receive(&mut buffer).await? else { return Ok(None) };
        Ok(Some((packet::decode(&buffer[..len])?, fds)))
    }

    fn obeyed(&self, ask: u32, result: Obeyed) {
        if let Some(sender) = self.control.pending().remove(&ask) {
            let _ = sender.send(result);
        }
    }

    /// Asks the group's counter; if the group is gone already, its end says it.
    async fn out_of_memory(&self, gone: &mut oneshot::Receiver<Exit>, end: &mut Option<Exit>) -> bool {
        match self.client.ask(Request::Usage(self.id)).await {
            Ok((Answer::Usage { out_of_memory, .. }, _)) => out_of_memory,
            Err(Error::Gone) => wait_for(gone, end).await.is_some_and(|exit| exit.out_of_memory),
            _ => false,
        }
    }
}

/// The end of the sandbox, read once and kept.
async fn wait_for(gone: &mut oneshot::Receiver<Exit>, end: &mut Option<Exit>) -> Option<Exit> {
    if end.is_none() {
        *end = gone.await.ok();
    }
    *end
}

#[async_trait]
impl Sandbox for Running {
    fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    async fn spawn(&self, process: ProcessSpec) -> Result<ProcessId, anyfn_types::Error> {
        Ok(self.launch(process).await?)
    }

    async fn fork(
        &self,
        template: TemplateId,
        fds: Vec<(OwnedFd, i32)>,
    ) -> Result<ProcessId, anyfn_types::Error> {
        let process = self.control.next.fetch_add(1, Ordering::Relaxed);
        let client = &self.lease.client;
        client.hear_exits(self.lease.id, self.told.upgrade().ok_or(Error::Gone)?)?;
        self.forked.lock().unwrap_or_else(PoisonError::into_inner).insert(process);
        template::fork(client, (self.lease.id, process), template, fds).await?;
        Ok(ProcessId(process))
    }

    async fn signal(&self, process: ProcessId, signal: i32) -> Result<(), anyfn_types::Error> {
        if self.forked.lock().unwrap_or_else(PoisonError::into_inner).contains(&process.0) {
            let instance = self.lease.id;
            self.ask(Request::Signal { instance, process: process.0, signal }).await?;
            return Ok(());
        }
        let order = packet::encode(&Order::Signal { process: process.0, signal }).map_err(Error::from)?;
        self.control.link.send(&order, &[]).await.map_err(|_| Error::Gone)?;
        Ok(())
    }

    async fn furnish(&mut self, with: Furnish) -> Result<(), anyfn_types::Error> {
        let Furnish { binds, memory_bytes, cpu_millis, pids } = with;
        let limits = Limits { memory_bytes, cpu_millis, pids };
        Ok(self.show(crate::processes::binds(binds)?, limits).await?)
    }

    async fn connect(&self, to: &Inside) -> Result<OwnedFd, anyfn_types::Error> {
        Ok(self.reach(to).await?)
    }

    async fn next_exit(&self) -> Option<Exit> {
        self.exits.lock().await.recv().await
    }

    async fn freeze(&self) -> Result<(), anyfn_types::Error> {
        Ok(self.pause(true).await?)
    }

    async fn thaw(&self) -> Result<(), anyfn_types::Error> {
        Ok(self.pause(false).await?)
    }

    async fn usage(&self) -> Result<Usage, anyfn_types::Error> {
        match self.ask(Request::Usage(self.lease.id)).await? {
            Answer::Usage { memory_bytes, memory_peak_bytes, cpu_us, processes, .. } => {
                Ok(Usage { memory_bytes, memory_peak_bytes, cpu_us, processes })
            }
            other => Err(Error::Frame(format!("{other:?} is no usage")).into()),
        }
    }

    async fn destroy(mut self: Box<Self>) -> Result<(), anyfn_types::Error> {
        match self.ask(Request::Destroy(self.lease.id)).await {
            // With its helper a sandbox is gone too.
            Ok(_) | Err(Error::HelperGone) => {
                self.lease.held = false;
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }
}

impl Running {
    /// By the freezer; where the host has none, by signals.
    async fn pause(&self, paused: bool) -> Result<(), Error> {
        let id = self.lease.id;
        match self.ask(if paused { Request::Freeze(id) } else { Request::Thaw(id) }).await {
            Err(Error::Step { source, .. }) if source.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                let order = packet::encode(&Order::Pause(paused))?;
                self.control.link.send(&order, &[]).await.map_err(|_| Error::Gone)
            }
            other => other.map(drop),
        }
    }

    async fn launch(&self, spec: ProcessSpec) -> Result<ProcessId, Error> {
        let program = check(&spec)?;
        let process = self.number();
        let (fds, numbers): (Vec<OwnedFd>, Vec<i32>) = spec.fds.into_iter().unzip();
        let order = Order::Spawn { process, argv: spec.argv, env: spec.env, cwd: spec.cwd, fds: numbers };
        match self.order(process, &order, &fds).await? {
            Ok(_) => Ok(ProcessId(process)),
            Err(errno) => Err(Error::Exec { program, source: io::Error::from_raw_os_error(errno) }),
        }
    }

    fn number(&self) -> u32 {
        self.control.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends an order to init and waits for what it makes of it.
    async fn order(&self, ask: u32, order: &Order, fds: &[OwnedFd]) -> Result<Obeyed, Error> {
        let order = packet::encode(order)?;
        let (sender, obeyed) = oneshot::channel();
        self.control.pending().insert(ask, sender);
        let expected = Expected { control: &self.control, ask };
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        self.control.link.send(&order, &borrowed).await.map_err(|_| Error::Gone)?;
        let answered = tokio::time::timeout(PATIENCE, obeyed).await;
        drop(expected);
        answered.map_err(|_| Error::Late("sandbox"))?.map_err(|_| Error::Gone)
    }

    async fn reach(&self, to: &Inside) -> Result<OwnedFd, Error> {
        let mut last = connect::refused(libc::ECONNREFUSED);
        for to in connect::addresses(to)? {
            let ask = self.number();
            let obeyed = self.order(ask, &Order::Connect { ask, to }, &[]).await?;
            let made = match obeyed {
                Err(errno) => Err(connect::refused(errno)),
                Ok((mut fds, under_way)) => match fds.pop() {
                    Some(socket) if under_way => connect::settled(socket).await,
                    Some(socket) => Ok(socket),
                    None => Err(Error::Frame("a connection without a socket".into())),
                },
            };
            match made {
                // Nobody at this address; maybe at the next.
                Err(Error::NotConnected(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    last = Error::NotConnected(e);
                }
                other => return other,
            }
        }
        Err(last)
    }
}

/// Takes an order off the list when its future is dropped.
struct Expected<'a> {
    control: &'a Control,
    ask: u32,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.control.pending().remove(&self.ask);
    }
}

/// The program's name if the order makes sense.
fn check(spec: &ProcessSpec) -> Result<String, Error> {
    let Some(program) = spec.argv.first().filter(|program| program.starts_with('/')) else {
        return Err(Error::Refused("the program needs an absolute path".into()));
    };
    let mut numbers: Vec<i32> = spec.fds.iter().map(|(_, number)| *number).collect();
    numbers.sort_unstable();
    let distinct = numbers.windows(2).all(|pair| pair[0] != pair[1]);
    if numbers.len() > FDS_MAX || !distinct || numbers.iter().any(|n| !(0..=255).contains(n)) {
        return Err(Error::Refused(format!("at most {FDS_MAX} descriptors, numbered apart from 0 to 255")));
    }
    Ok(program.clone())
}
