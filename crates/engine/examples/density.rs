//! What registered functions and idle instances cost: `cargo run --release -p anyfn-engine --example density -- WHAT DIR N [M]`.
//!
//! - `fill DIR N`: creates N functions through the registry, 64 in flight, and makes each Active as the engine does.
//! - `open DIR N`: opens the folder and starts the engine; prints how long that took and the memory per function.
//! - `idle DIR N M`: as `open`, calls M of the functions once (guests are fakes without a process), lets all come to rest,
//!   and prints the processor time and the switches of context of ten seconds in which nothing happens.
#![allow(clippy::print_stdout, reason = "printing is what a bench does")]
#![allow(clippy::cast_precision_loss, reason = "figures for people to read")]

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::{
    NewFunction, Registry, Reply, ReplyBody,
    ports::{
        Artifacts, BringUp, Capabilities, Contract, Guest, GuestEvent, Invoke as _, InvokeError, Isolation,
        LogLine, LogSink, LogTarget, Package, Root, Sandbox, SandboxSpec, StartError,
    },
};
use anyfn_engine::{Engine, Ports, Settings};
use anyfn_store::{Options, Sealed, Store};
use anyfn_types::{
    Billing, Code, Config, Digest, Ephemeral, Error, FunctionName, Invocation, Logging, Mode, Namespace,
    Placement, Version, VersionState,
};
use async_trait::async_trait;
use bytes::Bytes;

struct Fake;
struct FakeGuest;

#[async_trait]
impl Contract for Fake {
    async fn bring_up(&self, _: BringUp) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(FakeGuest))
    }

    fn resolve(&self, _: &Version) -> Result<Option<String>, Error> {
        Ok(None)
    }
}

#[async_trait]
impl Guest for FakeGuest {
    async fn invoke(&mut self, call: &Invocation, _: Option<Instant>) -> Result<Reply, InvokeError> {
        Ok(Reply {
            id: call.id,
            version: 0,
            result: Ok(ReplyBody::Whole(Bytes::from_static(b"{}"))),
            head: None,
            billing: Some(Billing::default()),
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
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn retire(self: Box<Self>, _: &'static str) {}
}

struct Nothing;

#[async_trait]
impl Isolation for Nothing {
    async fn create(&self, _: SandboxSpec) -> Result<Box<dyn Sandbox>, Error> {
        Err(Error::internal("fake", "the fake contract starts nothing"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

#[async_trait]
impl Artifacts for Nothing {
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

impl LogSink for Nothing {
    fn write(&self, _: &LogTarget, _: Vec<LogLine>) {}
}

fn code() -> Code {
    Code { digest: Digest([7; 32]), size: 300, unpacked: 400 }
}

/// As `aws lambda create-function` with an environment of three variables leaves it.
fn function(n: usize) -> Result<NewFunction, Error> {
    let env = [("TABLE", "orders"), ("STAGE", "production"), ("LOG_LEVEL", "INFO")];
    let config = Config {
        contract: anyfn_types::Contract::Lambda,
        runtime: "python3.12".into(),
        handler: "app.handler".into(),
        command: Vec::new(),
        description: "what it does".into(),
        role: "arn:aws:iam::000000000000:role/worker".into(),
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect(),
        memory_mib: 128,
        timeout_ms: 3000,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: "x86_64".into(),
        logging: Logging::default(),
        placement: Placement::default(),
        extra: BTreeMap::new(),
    };
    Ok(NewFunction {
        namespace: namespace()?,
        name: name(n)?,
        code: code(),
        config,
        tags: BTreeMap::new(),
        extra: BTreeMap::new(),
    })
}

fn namespace() -> Result<Namespace, Error> {
    Namespace::new("000000000000.us-east-1")
}

fn name(n: usize) -> Result<FunctionName, Error> {
    FunctionName::new(format!("orders-worker-{n:06}"))
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// KiB that are this process's own.
fn memory_kib() -> u64 {
    field("/proc/self/smaps_rollup", "Pss:")
}

/// Nanoseconds on a processor and switches of context, over all threads.
fn effort() -> (u64, u64) {
    let (mut on_cpu, mut switches) = (0, 0);
    for thread in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let at = |file: &str| thread.path().join(file).to_string_lossy().into_owned();
        on_cpu += field(&at("schedstat"), "");
        switches += field(&at("status"), "voluntary_ctxt_switches:");
    }
    (on_cpu, switches)
}

struct World {
    base: Base,
    store: Store,
    registry: Registry,
    engine: Engine,
}

async fn open(dir: PathBuf) -> Result<World, Error> {
    let base = Base::system();
    let store = Store::open(base.clone(), dir.join("store"), Options::default()).await?;
    let sealed = Sealed::open(base.clone(), store.records(), &dir.join("seal.key"))?;
    let registry = Registry::new(base.clone(), Arc::new(sealed));
    let ports = Ports {
        registry: registry.clone(),
        artifacts: Arc::new(Nothing),
        isolation: Arc::new(Nothing),
        logs: Arc::new(Nothing),
        queue: store.queue(),
        log: store.log(),
        contracts: HashMap::from([("lambda".to_owned(), Arc::new(Fake) as Arc<dyn Contract>)]),
    };
    let engine = Engine::start(base.clone(), ports, Settings::default()).await?;
    Ok(World { base, store, registry, engine })
}

async fn fill(world: &World, count: usize) -> Result<(), Error> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for _ in 0..64 {
        let (next, registry) = (next.clone(), world.registry.clone());
        workers.push(world.base.tasks.spawn(TaskKind::Request, "fill", async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok::<_, Error>(());
                }
                let made = registry.create(function(n)?).await?;
                let active = |f: &mut anyfn_types::Function| {
                    f.latest.state = VersionState::Active;
                    Ok(())
                };
                registry.update(&made.namespace, &made.name, active).await?;
            }
        }));
    }
    for worker in workers {
        if let Ok(Some(result)) = worker.await {
            result?;
        }
    }
    Ok(())
}

async fn rest(world: &World, idle: usize) -> Result<(), Error> {
    for n in 0..idle {
        let call = Invocation {
            id: world.base.random.invocation_id(),
            namespace: namespace()?,
            function: name(n)?,
            qualifier: None,
            mode: Mode::Wait,
            body: Bytes::from_static(b"{}"),
            invoked_as: String::new(),
            client_context: None,
            trace: None,
            want_log_tail: false,
            accepted: world.base.clock.wall(),
            http: None,
        };
        world.engine.invoke(call).await?;
    }
    // Threads that wrote to the store end after ten seconds without work.
    world.base.clock.sleep(Duration::from_secs(20)).await;
    let before = effort();
    world.base.clock.sleep(Duration::from_secs(10)).await;
    let after = effort();
    println!("{} instances, memory {} KiB", world.engine.instances(), memory_kib());
    println!(
        "10 s of rest: {:.3} ms of processor time, {} switches of context",
        (after.0 - before.0) as f64 / 1e6,
        after.1 - before.1
    );
    Ok(())
}

async fn run() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().collect();
    let word = |at: usize| words.get(at).cloned().unwrap_or_default();
    let number = |at: usize| word(at).parse::<usize>().unwrap_or(0);
    let dir = PathBuf::from(word(2));
    if std::fs::create_dir_all(&dir).is_err() {
        return Err(Error::invalid("usage", "density fill|open|idle DIR N [M]"));
    }
    let (count, before, began) = (number(3).max(1), memory_kib(), Instant::now());
    let world = open(dir).await?;
    println!("opened in {:.1} ms, memory {before} KiB before", began.elapsed().as_secs_f64() * 1e3);
    if word(1) == "fill" {
        let began = Instant::now();
        fill(&world, count).await?;
        println!("{count} functions in {:.1} s", began.elapsed().as_secs_f64());
    }
    let bytes = memory_kib().saturating_sub(before) * 1024;
    println!("memory {} KiB, {} bytes for each of {count}", memory_kib(), bytes / count as u64);
    if word(1) == "idle" {
        rest(&world, number(4)).await?;
    }
    world.base.tasks.drain(Duration::from_secs(5)).await;
    world.engine.shutdown(Duration::from_secs(5)).await;
    world.store.close().await;
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => println!("{error:?}"),
        Err(error) => println!("{error}"),
    }
}
