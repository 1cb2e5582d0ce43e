//! Invoke: from an admitted call to its outcome.
//!
//! The problem: run each call on an instance of its version, warm if there is one, else started for it; never more than
//! one start per waiting call, never a start that nobody waits for, and no crowd of starts when starting keeps failing.
//! Scale to zero again when calls stop. Keep asynchronous calls durable and retry them.
//!
//! Parts: `admit` (limits and concurrency), `pool` (pure bookkeeping of one version's instances), `pools` (all of them),
//! `place` (an instance for a call), `starts` and `fair` (whose start is next), `demand` (whether a start is worth it), `run`
//! (one call from hand-over to rest), `rounds` and `agenda` (when to look at what), `sweep` (pause, retire, keep provisioned),
//! `pressure` (when memory is short), `events` (asynchronous calls), `record` (what calls leave behind, written in batches).
//! Must not know: any platform's API, how a sandbox or a guest works, where code lies.

mod activate;
mod admit;
mod agenda;
mod demand;
mod events;
mod fair;
mod place;
mod pool;
mod pools;
mod pressure;
mod record;
mod rounds;
mod run;
mod settings;
mod starts;
mod sweep;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyfn_base::{Base, Counter, TaskKind};
use anyfn_core::{
    Outcome, Registry,
    ports::{Artifacts, Contract, Invoke, Isolation, Log, LogSink, Prepare, Queue},
};
use anyfn_types::{Error, Function, Invocation, Kind, Limits, Mode, Version, VersionId};
use async_trait::async_trait;

pub use pressure::{MemoryGauge, MemoryReading};
pub use record::{InvocationRecord, RecordQuery, Result as RecordResult};
pub use settings::{Backoff, Settings};

use crate::{admit::Admission, pools::Pools, record::Recorder, rounds::Rounds, starts::Starts};

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
    limits: Arc<Limits>,
    pools: Pools,
    rounds: Arc<Rounds>,
    admission: Admission,
    starts: Starts,
    /// Looks at pools whose time had come.
    looks: Counter,
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
            starts: Starts::new(&settings, &base.metrics),
            limits: Arc::new(settings.limits.clone()),
            rounds: Arc::new(Rounds::new(&base.metrics)),
            events: events::Lanes::new(settings.events_at_once),
            pools: Pools::default(),
            looks: base.metrics.counter("anyfn_pool_looks_total", "Looks at pools whose time had come.", &[]),
            base,
            ports,
            settings,
            recorder,
            activating: activate::Activating::default(),
        }));
        events::resume(&engine).await?;
        let (sweeper, changes) = (engine.clone(), engine.0.ports.registry.changes());
        engine.0.base.tasks.spawn(
            TaskKind::Service,
            "sweep",
            async move { sweep::run(sweeper, changes).await },
        );
        Ok(engine)
    }

    /// Instances that live or are being started.
    pub fn instances(&self) -> usize {
        self.0.rounds.living()
    }

    /// Instances of one version: idle, busy, being started.
    pub fn instances_of(&self, version: VersionId) -> (usize, usize, usize) {
        self.0.pools.get(version).map_or((0, 0, 0), |pool| pool.counts())
    }

    /// Unpacks a version's code and asks its contract whether this host can serve it. Gives the notice for the user.
    pub async fn prepare(&self, function: &Function, version: &Version) -> Result<Option<String>, Error> {
        let contract = self.contract(version)?;
        let notice = contract.resolve(version)?;
        let (code, _) = self.0.roots(version).await?;
        let isolation = &self.0.ports.isolation;
        contract.prepare(Prepare { namespace: &function.namespace, version, code: &code, isolation }).await?;
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
            // In a box, so that calls that are waited for need no room for it.
            Mode::Queue => Box::pin(events::accept(self, call)).await,
            Mode::Wait | Mode::Stream => run::call(self, resolved, call).await,
        }
    }
}
