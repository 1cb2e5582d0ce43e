//! A function's server: one process that several lanes share, from its start to its end.

use std::{
    io::{self, PipeWriter},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::ports::{
    Bind, BringUp, Exit, ExitKind, Inside, LogTarget, ProcessSpec, Sandbox, SandboxSpec, StartError,
};
use anyfn_types::{Error, Failure, MIB};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    answer::{Framed, Reader},
    plan::Plan,
    settings::Settings,
    wire::Wire,
};
use crate::{failure, output::Output};

/// Lambda gives one core per 1,769 MiB.
const MIB_PER_CORE: u32 = 1769;
const TMP_INODES_PER_MIB: u64 = 256;
/// Pauses between two looks whether the server listens: the first, and the longest.
const LOOK_FIRST: Duration = Duration::from_micros(500);
const LOOK_LAST: Duration = Duration::from_millis(20);
/// How long the exit of a process that closed its connection may take to be told.
const LAST_WORDS: Duration = Duration::from_millis(200);
const SIGTERM: i32 = 15;
/// What the server gets between SIGTERM and its end.
const GOODBYE: Duration = Duration::from_millis(500);
/// Between two looks at the memory.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Process {
    pub(super) base: Base,
    sandbox: Box<dyn Sandbox>,
    pub(super) output: Arc<Output>,
    pub(super) to: Inside,
    runtime: anyfn_core::ports::ProcessId,
    exit: Arc<OnceLock<Exit>>,
    /// Cancelled when the process is known to have ended.
    pub(super) gone: CancellationToken,
    watch: Mutex<Option<JoinHandle<Option<()>>>>,
    stop_watching: CancellationToken,
    /// Lanes that are paused, and how many there are; the lock is held while the sandbox is frozen or thawed.
    paused: tokio::sync::Mutex<usize>,
    /// When the memory was last looked up, in milliseconds since `born`, and the most that was seen.
    looked_ms: AtomicU64,
    peak: AtomicU64,
    born: Instant,
    _end: DropGuard,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("to", &self.to).finish_non_exhaustive()
    }
}

fn setup(what: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Platform(crate::Error::Setup { what, source }.into())
}

fn sandbox_spec(with: &BringUp, plan: &Plan) -> SandboxSpec {
    let config = &with.version.config;
    let at = |source: &std::path::Path, target: &str| Bind {
        source: source.to_owned(),
        target: target.to_owned(),
    };
    let mut binds = vec![at(&with.code.path, "/var/task")];
    binds.extend(with.layers.as_ref().map(|layers| at(&layers.path, "/opt")));
    binds.extend(plan.bind.clone());
    SandboxSpec {
        id: with.instance,
        hostname: "localhost".to_owned(),
        binds,
        memory_bytes: u64::from(config.memory_mib) * MIB,
        cpu_millis: (config.memory_mib.saturating_mul(1000) / MIB_PER_CORE).max(with.limits.cpu_millis_min),
        pids: with.limits.pids,
        open_files: with.limits.open_files,
        tmp_bytes: u64::from(config.ephemeral.mib) * MIB,
        tmp_inodes: u64::from(config.ephemeral.mib) * TMP_INODES_PER_MIB,
        network: with.network,
        listen: None,
    }
}

/// Defaults, what the platform suggests, the user's, and where to listen.
fn environment(with: &BringUp, plan: &Plan, settings: &Settings) -> Vec<(String, String)> {
    let bin = plan.bin.as_ref().map(|bin| format!("{bin}:")).unwrap_or_default();
    let mut all = std::collections::BTreeMap::from(
        [
            ("HOME", "/tmp".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", format!("{bin}/usr/local/bin:/usr/bin:/bin:/opt/bin")),
            ("TZ", "UTC".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    all.extend(with.platform_env.iter().cloned());
    all.extend(with.version.config.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    all.extend(settings.environment());
    all.into_iter().collect()
}

impl Process {
    /// Starts the server and waits until it is ready.
    pub(super) async fn start(
        base: &Base,
        with: &BringUp,
        (plan, settings): (Plan, &Settings),
        log: &LogTarget,
    ) -> Result<Arc<Self>, StartError> {
        let born = base.clock.now();
        let end = CancellationToken::new();
        let sandbox = with.isolation.create(sandbox_spec(with, &plan)).await.map_err(StartError::Platform)?;
        let (plain_out, plain) = io::pipe().map_err(setup("pipes"))?;
        let (framed_out, _nobody_writes) = io::pipe().map_err(setup("pipes"))?;
        let sink = (with.logs.clone(), log.clone());
        let output =
            Output::start(base, &with.limits, sink, (plain_out, framed_out), &end).map_err(setup("pipes"))?;
        output.begin_tail(true);
        let env = environment(with, &plan, settings);
        let program = plan.argv[0].clone();
        let fds = descriptors(plain).map_err(setup("pipes"))?;
        let spec = ProcessSpec { argv: plan.argv, env, cwd: "/var/task".to_owned(), fds };
        let launch = |_| {
            let text = format!("fork/exec {program} failed");
            let failure = failure::found("Runtime.InvalidEntrypoint", None, &text);
            StartError::Function { failure, log_tail: None }
        };
        let runtime = sandbox.spawn(spec).await.map_err(launch)?;
        let process = Arc::new(Self {
            base: base.clone(),
            sandbox,
            output,
            to: settings.address(),
            runtime,
            exit: Arc::default(),
            gone: CancellationToken::new(),
            watch: Mutex::default(),
            stop_watching: CancellationToken::new(),
            paused: tokio::sync::Mutex::default(),
            looked_ms: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            born,
            _end: end.drop_guard(),
        });
        process.watch();
        // Whoever starts it may stop waiting; nothing of it is left then.
        let unwatched = process.stop_watching.clone().drop_guard();
        match process.ready(settings, born + with.init_timeout).await {
            Ok(()) => {
                process.output.drain();
                process.output.begin_tail(false);
                unwatched.disarm();
                Ok(process)
            }
            Err(failure) => {
                process.output.drain();
                let log_tail = process.output.take_tail();
                process.end().await;
                Err(StartError::Function { failure, log_tail })
            }
        }
    }

    /// Hears of the process' end.
    fn watch(self: &Arc<Self>) {
        let (process, exit) = (self.clone(), self.exit.clone());
        let watching = async move {
            let whole = Exit { process: None, kind: ExitKind::Signal(9), out_of_memory: false };
            let next = process.stop_watching.run_until_cancelled(process.sandbox.next_exit()).await;
            if let Some(ended) = next {
                let _first = exit.set(ended.unwrap_or(whole));
                process.gone.cancel();
            }
        };
        let handle = self.base.tasks.spawn(TaskKind::Background, "http process", watching);
        *locked(&self.watch) = Some(handle);
    }

    async fn ready(&self, settings: &Settings, until: Instant) -> Result<(), Failure> {
        let ready = async {
            let mut pause = LOOK_FIRST;
            loop {
                if let Ok(mut wire) = self.connect().await
                    && match &settings.health {
                        Some(path) => is_healthy(&mut wire, path).await,
                        None => true,
                    }
                {
                    return;
                }
                self.base.clock.sleep(pause).await;
                pause = (pause * 2).min(LOOK_LAST);
            }
        };
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(self.exited(None)),
            () = ready => Ok(()),
            () = self.base.clock.sleep_until(until) => {
                let text = format!("the server did not listen on {} in time", address(&self.to));
                Err(failure::found("Sandbox.Timedout", None, &text))
            }
        }
    }

    /// Nobody can call it any more: with the last who holds it, it ends.
    pub(super) fn let_go(&self) {
        self.stop_watching.cancel();
    }

    /// A connection of its own to the server.
    pub(super) async fn connect(&self) -> Result<Wire, Error> {
        let fd: OwnedFd = self.sandbox.connect(&self.to).await?;
        Wire::new(fd, &self.to, self.base.clock.now())
            .map_err(|source| crate::Error::Setup { what: "connection", source }.into())
    }

    /// Why the process is not there any more.
    pub(super) fn exited(&self, id: Option<&str>) -> Failure {
        let unknown = Exit { process: None, kind: ExitKind::Code(0), out_of_memory: false };
        failure::exited(id, self.exit.get().unwrap_or(&unknown))
    }

    /// A connection broke: true if that was the process' end.
    pub(super) async fn ended_with_it(&self) -> bool {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => true,
            () = self.base.clock.sleep(LAST_WORDS) => false,
        }
    }

    /// One more lane rests; when all of `lanes` do, nothing inside gets the CPU.
    pub(super) async fn pause(&self, lanes: usize) -> Result<(), Error> {
        let mut paused = self.paused.lock().await;
        *paused += 1;
        if *paused >= lanes { self.sandbox.freeze().await } else { Ok(()) }
    }

    /// A lane goes on. Thawing what was never frozen does nothing.
    pub(super) async fn resume(&self) -> Result<(), Error> {
        let mut paused = self.paused.lock().await;
        *paused = paused.saturating_sub(1);
        self.sandbox.thaw().await
    }

    /// The most memory seen, in bytes; looks it up at most twice a second, because that asks another process.
    pub(super) async fn peak(&self) -> u64 {
        let now = u64::try_from((self.base.clock.now() - self.born).as_millis()).unwrap_or(0);
        let every = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(0);
        let looked = self.looked_ms.load(Ordering::Relaxed);
        let due = looked == 0 || now >= looked + every;
        let mine =
            || self.looked_ms.compare_exchange(looked, now.max(1), Ordering::Relaxed, Ordering::Relaxed);
        if due
            && mine().is_ok()
            && let Ok(usage) = self.sandbox.usage().await
        {
            self.peak.fetch_max(usage.memory_peak_bytes, Ordering::Relaxed);
        }
        self.peak.load(Ordering::Relaxed)
    }

    /// Asks the server to end, and ends it. What others still hold of it dies with them.
    pub(super) async fn end(self: Arc<Self>) {
        if !self.gone.is_cancelled() && self.sandbox.signal(self.runtime, SIGTERM).await.is_ok() {
            tokio::select! { () = self.gone.cancelled() => {} () = self.base.clock.sleep(GOODBYE) => {} }
        }
        self.stop_watching.cancel();
        let watch = locked(&self.watch).take();
        if let Some(watch) = watch {
            let _ended = watch.await;
        }
        if let Some(process) = Arc::into_inner(self) {
            if let Err(error) = process.sandbox.destroy().await {
                tracing::warn!(?error, "a sandbox was not given back whole");
            }
            process.output.drain();
        }
    }
}

/// Standard output and error.
fn descriptors(plain: PipeWriter) -> io::Result<Vec<(OwnedFd, i32)>> {
    Ok(vec![(plain.try_clone()?.into(), 1), (plain.into(), 2)])
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(to: &Inside) -> String {
    match to {
        Inside::Tcp(port) => format!("port {port}"),
        Inside::Unix(path) => path.clone(),
    }
}

/// Asks once; a server that says nothing is bounded by the init phase.
async fn is_healthy(wire: &mut Wire, path: &str) -> bool {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    if wire.send(request.as_bytes(), b"").await.is_err() {
        return false;
    }
    let mut reader = Reader::default();
    loop {
        match reader.read(&mut wire.buffer, false) {
            Ok(Some(head)) if head.status >= 200 => return head.status < 400,
            Ok(Some(head)) if head.body == Framed::Nothing => {}
            Ok(None) => match wire.read().await {
                Ok(read) if read > 0 => {}
                _ => return false,
            },
            _ => return false,
        }
    }
}
