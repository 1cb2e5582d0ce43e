//! Invoke: from an admitted call to its outcome.
//!
//! The problem: run each call on an instance of its version, warm if there is one, else started for it; never more than
//! one start per waiting call, never a start that nobody waits for, and no crowd of starts when starting keeps failing.
//! Scale to zero again when calls stop. Keep asynchronous calls durable and retry them.
//!
//! Parts: `admit` (limits and concurrency), `pool` (pure bookkeeping of one version's instances), `place` (an instance for
//! a call), `run` (one call from hand-over to rest), `sweep` (pause, retire, keep provisioned), `events` (asynchronous
//! calls), `record` (what calls leave behind, written in batches).
//! Must not know: any platform's API, how a sandbox or a guest works, where code lies.

mod activate;
mod admit;
mod events;
mod place;
mod pool;
mod record;
mod run;
mod settings;
mod sweep;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicUsize},
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::{
    Outcome, Registry,
    ports::{Artifacts, Contract, Invoke, Isolation, Log, LogSink, Queue},
};
use anyfn_types::{Error, Function, Invocation, Kind, Mode, Version, VersionId};
use async_trait::async_trait;
use tokio::sync::Semaphore;

pub use record::{InvocationRecord, RecordQuery, Result as RecordResult};
pub use settings::{Backoff, Settings};

use crate::{admit::Admission, pool::Pool, record::Recorder};

/// What the engine stands on.
#[derive(Clone)]
pub struct Ports {
    pub registry: Registry,
    pub artifacts: Arc<dyn Artifacts>,
    pub isolation: Arc<dyn Isolation>,
    pub logs: Arc<dyn LogSink>,
    pub queue: Arc<dyn Queue>,
    pub log: Arc<dyn Log>,
    /// By the name of `Contract::Other`; `lambda` is Lambda's.
    pub contracts: HashMap<String, Arc<dyn Contract>>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("contracts", &self.contracts.keys()).finish_non_exhaustive()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

pub(crate) struct Shared {
    base: Base,
    ports: Ports,
    settings: Settings,
    pools: RwLock<HashMap<VersionId, Arc<Pool>>>,
    admission: Admission,
    starts: Semaphore,
    /// Instances that live or are being started.
    alive: AtomicUsize,
    recorder: Recorder,
    events: events::Lanes,
    activating: activate::Activating,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("instances", &self.instances()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the engine's loops; takes up asynchronous calls that an earlier run left.
    pub async fn start(base: Base, ports: Ports, settings: Settings) -> Result<Self, Error> {
        let recorder = Recorder::start(&base, ports.log.clone());
        let engine = Self(Arc::new(Shared {
            admission: Admission::new(&settings.limits),
            starts: Semaphore::new(settings.limits.starts_at_once.max(1)),
            events: events::Lanes::new(settings.events_at_once),
            pools: RwLock::default(),
            alive: AtomicUsize::new(0),
            base,
            ports,
            settings,
            recorder,
            activating: activate::Activating::default(),
        }));
        events::resume(&engine).await?;
        let sweeper = engine.clone();
        engine.0.base.tasks.spawn(TaskKind::Service, "sweep", async move { sweep::run(sweeper).await });
        Ok(engine)
    }

    /// Instances that live or are being started.
    pub fn instances(&self) -> usize {
        self.0.alive.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Instances of one version: idle, busy, being started.
    pub fn instances_of(&self, version: VersionId) -> (usize, usize, usize) {
        let pools = self.0.pools.read().unwrap_or_else(PoisonError::into_inner);
        pools.get(&version).map_or((0, 0, 0), |pool| pool.counts())
    }

    /// Unpacks a version's code and asks its contract whether this host can serve it. Gives the notice for the user.
    pub async fn prepare(&self, version: &Version) -> Result<Option<String>, Error> {
        let notice = self.contract(version)?.resolve(version)?;
        self.0.roots(version).await?;
        Ok(notice)
    }

    /// Recent calls of a namespace, newest first.
    pub async fn records(&self, query: RecordQuery) -> Result<Vec<InvocationRecord>, Error> {
        record::read(self.0.ports.log.as_ref(), query).await
    }

    /// What was recorded so far is readable when this returns.
    pub async fn flush_records(&self) {
        self.0.recorder.flush().await;
    }

    /// What lies in the namespace's queue of asynchronous calls of a function.
    pub async fn event_depth(&self, function: &Function) -> Result<anyfn_core::ports::Depth, Error> {
        self.0.ports.queue.depth(&events::queue_name(&function.namespace, &function.name)).await
    }

    /// Retires everything; called after the drain of requests.
    pub async fn shutdown(&self, within: Duration) {
        sweep::retire_all(self, within).await;
        self.0.recorder.flush().await;
    }

    fn contract(&self, version: &Version) -> Result<Arc<dyn Contract>, Error> {
        let name = match &version.config.contract {
            anyfn_types::Contract::Lambda => "lambda",
            anyfn_types::Contract::Other(name) => name,
        };
        self.0.ports.contracts.get(name).cloned().ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                "contract_unknown",
                format!("this server cannot run contract `{name}`"),
            )
        })
    }
}

#[async_trait]
impl Invoke for Engine {
    async fn invoke(&self, call: Invocation) -> Result<Outcome, Error> {
        if self.0.base.tasks.is_stopping() {
            return Err(Error::new(Kind::Unavailable, "draining", "the server is shutting down; try again"));
        }
        admit::size(&call, &self.0.settings.limits)?;
        let draw = || self.0.base.random.unit();
        let registry = &self.0.ports.registry;
        let resolved =
            registry.resolve(&call.namespace, &call.function, call.qualifier.as_ref(), draw).await?;
        match call.mode {
            Mode::DryRun => Ok(Outcome::WouldRun),
            Mode::Queue => events::accept(self, call).await,
            Mode::Wait | Mode::Stream => run::call(self, resolved, call).await,
        }
    }
}
