//! A contract whose guests obey the event, and a world to run it in.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, Instant};
use anyfn_core::{
    NewFunction, Outcome, Registry, Reply, ReplyBody,
    ports::{
        Artifacts, BringUp, Capabilities, Contract, Died, Guest, GuestEvent, InvokeError, Isolation, LogLine,
        LogSink, LogTarget, Package, Root, Sandbox, SandboxSpec, StartError,
    },
};
use anyfn_store::Store;
use anyfn_types::{
    Billing, Code, Config, Digest, Ephemeral, Error, Failure, Function, FunctionName, Invocation, Logging,
    Mode, Namespace, Version,
};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};

use crate::{Engine, Ports, Settings};

/// What the guests did, and what they wait for.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) starts: AtomicUsize,
    pub(super) live: AtomicUsize,
    pub(super) most: AtomicUsize,
    pub(super) ran: AtomicUsize,
    pub(super) pauses: AtomicUsize,
    pub(super) resumes: AtomicUsize,
    /// Starts wait for a permit each.
    pub(super) start_gate: Semaphore,
    /// Calls whose event is `"gate"` wait for a permit each.
    pub(super) gate: Semaphore,
    pub(super) entered: Notify,
    /// While set, every start fails with it.
    pub(super) init_error: Mutex<Option<Failure>>,
    /// Bodies in the order they ran.
    pub(super) seen: Mutex<Vec<Bytes>>,
    /// Milliseconds that a start and a call take.
    pub(super) start_ms: AtomicUsize,
    pub(super) call_ms: AtomicUsize,
    /// MiB that calls report.
    pub(super) memory_mib: AtomicUsize,
    /// Guests that came up, and those that had a call.
    pub(super) up: AtomicUsize,
    pub(super) used: AtomicUsize,
    /// Starts under way now, and the most so far.
    pub(super) starting: AtomicUsize,
    pub(super) starting_most: AtomicUsize,
    /// Functions in the order in which starts of theirs began.
    pub(super) begun: Mutex<Vec<String>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            starts: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            ran: AtomicUsize::new(0),
            pauses: AtomicUsize::new(0),
            resumes: AtomicUsize::new(0),
            start_gate: Semaphore::new(1_000_000),
            gate: Semaphore::new(0),
            entered: Notify::new(),
            init_error: Mutex::default(),
            seen: Mutex::default(),
            start_ms: AtomicUsize::new(0),
            call_ms: AtomicUsize::new(0),
            memory_mib: AtomicUsize::new(0),
            up: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            starting: AtomicUsize::new(0),
            starting_most: AtomicUsize::new(0),
            begun: Mutex::default(),
        }
    }
}

struct Fake(Arc<Script>);

pub(super) fn failure(kind: &str) -> Failure {
    let payload = format!("{{\"errorType\":\"{kind}\"}}").into();
    Failure { handled_by_runtime: true, error_type: kind.to_owned(), payload }
}

#[async_trait]
impl Contract for Fake {
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        self.0.starts.fetch_add(1, Ordering::SeqCst);
        self.0.begun.lock().unwrap().push(with.function.name.to_string());
        let starting = self.0.starting.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.starting_most.fetch_max(starting, Ordering::SeqCst);
        let _ending = Ending(self.0.clone());
        pass(&self.0.start_ms).await;
        self.0.start_gate.acquire().await.unwrap().forget();
        if let Some(failure) = self.0.init_error.lock().unwrap().clone() {
            return Err(StartError::Function { failure, log_tail: None });
        }
        let live = self.0.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(live, Ordering::SeqCst);
        self.0.up.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeGuest { script: self.0.clone(), calls: 0 }))
    }

    fn resolve(&self, version: &Version) -> Result<Option<String>, Error> {
        if version.config.runtime == "cobol" {
            return Err(Error::invalid("runtime_missing", "no cobol here"));
        }
        Ok(Some("served by a fake".to_owned()))
    }
}

/// Lets the given milliseconds go by.
async fn pass(ms: &AtomicUsize) {
    let ms = u64::try_from(ms.load(Ordering::SeqCst)).unwrap();
    if ms > 0 {
        anyfn_base::Clock::system().sleep(Duration::from_millis(ms)).await;
    }
}

/// A start ends, however it ends.
struct Ending(Arc<Script>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.starting.fetch_sub(1, Ordering::SeqCst);
    }
}

struct FakeGuest {
    script: Arc<Script>,
    calls: usize,
}

impl FakeGuest {
    fn mib(&self) -> u32 {
        u32::try_from(self.script.memory_mib.load(Ordering::SeqCst)).unwrap()
    }
}

impl Drop for FakeGuest {
    fn drop(&mut self) {
        self.script.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Guest for FakeGuest {
    async fn invoke(&mut self, call: &Invocation, _: Option<Instant>) -> Result<Reply, InvokeError> {
        self.calls += 1;
        self.script.used.fetch_add(usize::from(self.calls == 1), Ordering::SeqCst);
        pass(&self.script.call_ms).await;
        self.script.ran.fetch_add(1, Ordering::SeqCst);
        self.script.seen.lock().unwrap().push(call.body.clone());
        self.script.entered.notify_one();
        let result = match &call.body[..] {
            b"fail" => Err(failure("Boom")),
            b"die" => {
                let failure = failure("Runtime.ExitError");
                return Err(InvokeError::Died(Box::new(Died { failure, billing: None, log_tail: None })));
            }
            b"gate" => {
                self.script.gate.acquire().await.unwrap().forget();
                Ok(ReplyBody::Whole(Bytes::from_static(b"through")))
            }
            _ => Ok(ReplyBody::Whole(format!("call {}", self.calls).into())),
        };
        Ok(Reply {
            id: call.id,
            version: 0,
            result,
            head: None,
            billing: Some(Billing { max_memory_mib: self.mib(), ..Billing::default() }),
            log_tail: None,
        })
    }

    async fn settled(&mut self) -> bool {
        true
    }

    async fn idle(&mut self) -> GuestEvent {
        std::future::pending().await
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.script.pauses.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.script.resumes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn retire(self: Box<Self>, _: &'static str) {}
}

struct NoIsolation;

#[async_trait]
impl Isolation for NoIsolation {
    async fn create(&self, _: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        Err(Error::internal("fake", "the fake contract starts nothing"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

struct NoArtifacts;

#[async_trait]
impl Artifacts for NoArtifacts {
    async fn ingest(&self, _: Bytes) -> Result<Package, Error> {
        Ok(Package { code: code() })
    }

    async fn package(&self, _: Digest) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }

    async fn root(&self, _: Digest) -> Result<Root, Error> {
        Ok(Root { path: "/".into(), hold: Arc::new(()) })
    }

    async fn merged(&self, _: &[Digest]) -> Result<Root, Error> {
        self.root(Digest([0; 32])).await
    }
}

struct NoLogs;

impl LogSink for NoLogs {
    fn write(&self, _: &LogTarget, _: Vec<LogLine>) {}
}

fn code() -> Code {
    Code { digest: Digest([7; 32]), size: 1, unpacked: 1 }
}

/// An engine with one function `f` in a folder of its own.
pub(super) struct World {
    pub(super) base: Base,
    pub(super) engine: Engine,
    pub(super) registry: Registry,
    pub(super) script: Arc<Script>,
    pub(super) store: Store,
    pub(super) dir: tempfile::TempDir,
}

pub(super) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.limits.pause_after_ms = u64::MAX / 4;
    settings.limits.retire_after_ms = u64::MAX / 4;
    settings
}

impl World {
    pub(super) async fn new(settings: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Self::open(settings, dir, Arc::default()).await;
        world.create("f").await;
        world
    }

    pub(super) async fn open(settings: Settings, dir: tempfile::TempDir, script: Arc<Script>) -> Self {
        let base = Base::simulated(1_700_000_000_000, 7);
        let store = Store::open(base.clone(), dir.path().join("store"), anyfn_store::Options::default())
            .await
            .unwrap();
        let registry = Registry::new(base.clone(), store.records());
        let ports = Ports {
            registry: registry.clone(),
            artifacts: Arc::new(NoArtifacts),
            isolation: Arc::new(NoIsolation),
            logs: Arc::new(NoLogs),
            queue: store.queue(),
            log: store.log(),
            contracts: HashMap::from([(
                "lambda".to_owned(),
                Arc::new(Fake(script.clone())) as Arc<dyn Contract>,
            )]),
        };
        let engine = Engine::start(base.clone(), ports, settings).await.unwrap();
        Self { base, engine, registry, script, store, dir }
    }

    /// Ends this run and begins another on the same folder.
    pub(super) async fn reopen(self, settings: Settings) -> Self {
        self.base.tasks.drain(Duration::from_secs(5)).await;
        self.engine.shutdown(Duration::from_secs(5)).await;
        self.store.close().await;
        Self::open(settings, self.dir, self.script).await
    }

    pub(super) async fn create(&self, name: &str) -> Arc<Function> {
        let config = Config {
            contract: anyfn_types::Contract::Lambda,
            runtime: "fake".into(),
            handler: "h".into(),
            command: Vec::new(),
            description: String::new(),
            role: String::new(),
            env: Default::default(),
            memory_mib: 128,
            timeout_ms: 3000,
            ephemeral: Ephemeral { mib: 512 },
            layers: Vec::new(),
            architecture: "x86_64".into(),
            logging: Logging::default(),
            placement: anyfn_types::Placement::default(),
            extra: BTreeMap::new(),
        };
        let new = NewFunction {
            namespace: namespace(),
            name: FunctionName::new(name).unwrap(),
            code: code(),
            config,
            tags: BTreeMap::new(),
            extra: BTreeMap::new(),
        };
        self.registry.create(new).await.unwrap()
    }

    pub(super) async fn change(&self, name: &str, mut change: impl FnMut(&mut Function) + Send) {
        let name = FunctionName::new(name).unwrap();
        let apply = |f: &mut Function| {
            change(f);
            Ok(())
        };
        self.registry.update(&namespace(), &name, apply).await.unwrap();
    }

    pub(super) fn call(&self, name: &str, body: &str, mode: Mode) -> Invocation {
        Invocation {
            id: self.base.random.invocation_id(),
            namespace: namespace(),
            function: FunctionName::new(name).unwrap(),
            qualifier: None,
            mode,
            body: Bytes::from(body.to_owned()),
            invoked_as: name.to_owned(),
            client_context: None,
            trace: None,
            want_log_tail: false,
            accepted: self.base.clock.wall(),
            http: None,
        }
    }

    /// Waits until `check` holds; time moves on by itself when nothing else can.
    pub(super) async fn until(&self, mut check: impl FnMut(&Script) -> bool) {
        for _ in 0..20_000 {
            if check(&self.script) {
                return;
            }
            self.base.clock.sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came to be: {:?}", self.script);
    }
}

pub(super) fn namespace() -> Namespace {
    Namespace::new("000000000000.us-east-1").unwrap()
}

/// The answer's bytes, or the failure's type.
pub(super) fn answer(outcome: Outcome) -> Result<String, String> {
    match outcome {
        Outcome::Replied(Reply { result: Ok(ReplyBody::Whole(bytes)), .. }) => {
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Outcome::Replied(Reply { result: Err(failure), .. }) => Err(failure.error_type),
        other => panic!("no answer: {other:?}"),
    }
}
