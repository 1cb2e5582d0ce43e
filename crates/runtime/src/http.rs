//! The contract of functions that are HTTP servers: a process that listens on `$PORT`, as Knative, Cloud Run, OpenFaaS's
//! watchdog and Azure's custom handlers have it.
//!
//! The problem: an HTTP server takes many calls at once, and a guest of the engine takes one. So a guest here is a *lane*:
//! one kept connection. Lanes of one version share a process until it has as many as it may (`concurrency`); then another
//! process starts. What a server says is a stranger's word: `answer` reads it in one strict way, and a process that breaks
//! the protocol or lets a call run out of time gets no further calls.
//!
//! Parts: `settings` (what a function says about its server), `plan` (which process), `process` (its life), `request` and
//! `answer` (the two messages), `wire` (a connection), `lane` (the guest).

mod answer;
mod lane;
mod plan;
mod process;
mod request;
mod settings;
mod wire;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyfn_core::ports::{BringUp, Contract, Guest, StartError};
use anyfn_types::{Error, Failure, InvocationId, Version, VersionId};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OnceCell;

use self::{
    lane::Lane,
    process::{Process, locked},
    settings::Settings,
};
use crate::{Lambda, failure, guest::log_target, lambda::Shared};

/// The contract with a function's HTTP server.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    /// Processes that may take another lane.
    open: Mutex<HashMap<VersionId, Vec<Weak<Slot>>>>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// A process that lanes share, before it is up too.
struct Slot {
    process: OnceCell<Arc<Process>>,
    failed: OnceLock<(Failure, Option<Bytes>)>,
    lanes: Mutex<usize>,
    most: usize,
    /// It takes no further calls.
    closed: AtomicBool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(process) = self.process.get() {
            process.let_go();
        }
    }
}

impl Slot {
    /// A place for one more lane, if there is one.
    fn join(&self) -> bool {
        let mut lanes = locked(&self.lanes);
        let room = *lanes > 0 && *lanes < self.most && !self.is_closed();
        *lanes += usize::from(room);
        room
    }

    /// True for the last one.
    fn leave(&self) -> bool {
        let mut lanes = locked(&self.lanes);
        *lanes = lanes.saturating_sub(1);
        *lanes == 0
    }

    fn lanes(&self) -> usize {
        *locked(&self.lanes)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A place in a slot while its process comes up; given back if that is dropped or fails.
struct Place(Option<Arc<Slot>>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(slot) = &self.0 {
            slot.leave();
        }
    }
}

impl Http {
    /// Shares the interpreters that `lambda` has found.
    pub fn new(lambda: &Lambda) -> Self {
        Self(Arc::new(Inner { shared: lambda.shared(), open: Mutex::default() }))
    }

    fn slot(&self, version: VersionId, most: usize) -> Arc<Slot> {
        let mut open = locked(&self.0.open);
        let slots = open.entry(version).or_default();
        slots.retain(|slot| slot.strong_count() > 0);
        if let Some(slot) = slots.iter().filter_map(Weak::upgrade).find(|slot| slot.join()) {
            return slot;
        }
        let fresh = Arc::new(Slot {
            process: OnceCell::new(),
            failed: OnceLock::new(),
            lanes: Mutex::new(1),
            most,
            closed: AtomicBool::new(false),
        });
        slots.push(Arc::downgrade(&fresh));
        open.retain(|_, slots| slots.iter().any(|slot| slot.strong_count() > 0));
        fresh
    }

    /// The slot's process, started by whoever comes first. A start that failed has failed for all who waited for it.
    async fn process(
        &self,
        slot: &Slot,
        with: &BringUp,
        settings: &Settings,
    ) -> Result<Arc<Process>, StartError> {
        let start = || async {
            if let Some((failure, log_tail)) = slot.failed.get().cloned() {
                return Err(StartError::Function { failure, log_tail });
            }
            let none = |failure| StartError::Function { failure, log_tail: None };
            let plan = plan::plan(with, &self.0.shared.interpreters).map_err(none)?;
            let log = log_target(&self.0.shared.base, with);
            let started = Process::start(&self.0.shared.base, with, (plan, settings), &log).await;
            if let Err(error) = &started {
                slot.close();
                if let StartError::Function { failure, log_tail } = error {
                    let _first = slot.failed.set((failure.clone(), log_tail.clone()));
                }
            }
            started
        };
        slot.process.get_or_try_init(start).await.cloned()
    }
}

#[async_trait]
impl Contract for Http {
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        let clock = &self.0.shared.base.clock;
        let began = clock.now();
        let settings = Settings::of(&with.version.config).map_err(StartError::Platform)?;
        let slot = self.slot(with.version.id, settings.concurrency.into());
        let mut place = Place(Some(slot.clone()));
        let first = !slot.process.initialized();
        let process = self.process(&slot, &with, &settings).await?;
        place.0 = None;
        let init = Some(clock.now() - began).filter(|_| first && with.initialization == "on-demand");
        Ok(Box::new(Lane {
            slot,
            process,
            version: with.version.number,
            memory_mib: with.version.config.memory_mib,
            stream_bytes: with.limits.stream_bytes,
            timeout: Duration::from_millis(with.version.config.timeout_ms),
            init,
            wire: None,
            out: Vec::new(),
            usable: true,
            paused: false,
            stream: None,
        }))
    }

    fn addressed(&self, failure: Failure, call: InvocationId) -> Failure {
        failure::addressed(failure, &call.uuid())
    }

    fn resolve(&self, version: &Version) -> Result<Option<String>, Error> {
        Settings::of(&version.config).map(|_| None)
    }
}
