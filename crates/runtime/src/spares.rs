//! Children that were forked ahead, each in a sandbox of its own without code, waiting to be told whose they are.
//!
//! How many are kept follows what was asked for (`Demand`), and after a minute without starts none is left beyond a floor.
//! They are made behind the callers: while instances come up for requests, nobody forks ahead.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Isolation, Network, SandboxSpec, Template};
use anyfn_types::Error;
use futures_util::FutureExt as _;
use tokio::sync::Notify;

use crate::{forks::Key, live::Body, specialise::WAIT};

mod demand;

use demand::Demand;

/// How often it is looked whether fewer would do.
const TICK: Duration = Duration::from_secs(5);
/// How long a spare waits at most for callers to be done.
const PATIENCE: Duration = Duration::from_millis(100);

/// What sandboxes must have in common, so that one may stand in for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Shape {
    open_files: u64,
    pids: u32,
    tmp_bytes: u64,
    tmp_inodes: u64,
    internet: bool,
}

impl Shape {
    pub(crate) fn of(spec: &SandboxSpec) -> Self {
        Self {
            open_files: spec.open_files,
            pids: spec.pids,
            tmp_bytes: spec.tmp_bytes,
            tmp_inodes: spec.tmp_inodes,
            internet: spec.network == Network::Internet,
        }
    }
}

struct Spare {
    body: Body,
    template: Arc<dyn Template>,
}

impl Spare {
    /// Whether it still waits.
    fn waits(&self) -> bool {
        self.body.sandbox.next_exit().now_or_never().is_none()
    }
}

#[derive(Default)]
struct Pool {
    ready: VecDeque<Spare>,
    demand: Demand,
    filling: bool,
}

/// What makes spares of one kind.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) isolation: Arc<dyn Isolation>,
    pub(crate) template: Arc<dyn Template>,
    /// Without binds and with any id.
    pub(crate) spec: SandboxSpec,
}

impl Maker {
    /// A child in a sandbox without code.
    pub(crate) async fn make(&self, base: &Base, first: &[u8]) -> Result<Body, Error> {
        let mut spec = self.spec.clone();
        spec.id = base.random.instance_id();
        let sandbox = self.isolation.blank(spec).await?;
        Body::forked(sandbox, self.template.id(), first).await
    }
}

pub(crate) struct Spares {
    base: Base,
    /// Of all kinds together.
    max: usize,
    /// Of a kind that was asked for.
    floor: usize,
    pools: Mutex<BTreeMap<(Key, Shape), Pool>>,
    /// This host can furnish a sandbox that stands.
    possible: AtomicBool,
    /// Instances that come up for requests now.
    busy: AtomicUsize,
    idle: Notify,
}

impl fmt::Debug for Spares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spares").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

/// While it lives, nobody forks ahead.
pub(crate) struct Busy<'a>(&'a Spares);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Spares {
    pub(crate) fn new(base: Base, max: usize, floor: usize) -> Self {
        let (pools, busy, idle) = (Mutex::default(), AtomicUsize::new(0), Notify::new());
        Self { base, max, floor: floor.min(max), pools, possible: AtomicBool::new(true), busy, idle }
    }

    pub(crate) fn possible(&self) -> bool {
        self.possible.load(Ordering::Relaxed)
    }

    /// This host cannot furnish a sandbox that stands.
    pub(crate) fn impossible(&self) {
        self.possible.store(false, Ordering::Relaxed);
    }

    fn look(&self) -> MutexGuard<'_, BTreeMap<(Key, Shape), Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(crate) fn waiting(&self) -> usize {
        self.look().values().map(|pool| pool.ready.len()).sum()
    }

    pub(crate) fn busy(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }

    /// One that waits for exactly this, if there is one; and more for those who come later.
    pub(crate) fn take(self: &Arc<Self>, key: Key, maker: &Maker) -> Option<Body> {
        let at = (key, Shape::of(&maker.spec));
        let now = self.base.clock.now();
        let (found, lost, fill) = {
            let mut pools = self.look();
            if pools.is_empty() {
                self.base.tasks.spawn(TaskKind::Background, "spares", self.clone().keep());
            }
            let pool = pools.entry(at).or_default();
            let (mut found, mut lost) = (None, Vec::new());
            while let Some(spare) = pool.ready.pop_front() {
                // What was forked from another template of this name may be another release.
                if spare.template.id() == maker.template.id() && spare.waits() {
                    found = Some(spare.body);
                    break;
                }
                lost.push(spare);
            }
            pool.demand.start(now, found.is_some(), self.max);
            let fill = !pool.filling && pool.demand.wanted() > pool.ready.len();
            pool.filling |= fill;
            (found, lost, fill)
        };
        self.throw_away(lost);
        if fill {
            let (spares, maker) = (self.clone(), maker.clone());
            let work = async move { spares.fill(at, maker).await };
            self.base.tasks.spawn(TaskKind::Background, "spare", work);
        }
        found
    }

    /// Ends all that wait.
    pub(crate) fn close(&self) {
        self.look().clear();
    }

    /// Makes as many as are wanted, one after the other.
    async fn fill(&self, at: (Key, Shape), maker: Maker) {
        loop {
            self.callers_first().await;
            let made = maker.make(&self.base, WAIT).await;
            let mut pools = self.look();
            let others: usize =
                pools.iter().filter(|(kind, _)| **kind != at).map(|(_, pool)| pool.ready.len()).sum();
            let Some(pool) = pools.get_mut(&at) else { return };
            match made {
                Ok(body) => pool.ready.push_back(Spare { body, template: maker.template.clone() }),
                Err(error) => {
                    tracing::debug!(?error, "no spare");
                    pool.demand.forget();
                }
            }
            if pool.ready.len() >= pool.demand.wanted() || others + pool.ready.len() >= self.max {
                pool.filling = false;
                return;
            }
        }
    }

    async fn callers_first(&self) {
        let waited = async {
            loop {
                let idle = self.idle.notified();
                if self.busy.load(Ordering::Acquire) == 0 {
                    return;
                }
                idle.await;
            }
        };
        let clock = &self.base.clock;
        tokio::select! {
            () = waited => {}
            () = clock.sleep(PATIENCE) => {}
        }
    }

    /// Lets go of what nobody asks for any more; ends when nothing is left.
    async fn keep(self: Arc<Self>) {
        loop {
            self.base.clock.sleep(TICK).await;
            let now = self.base.clock.now();
            let (lost, empty) = {
                let mut pools = self.look();
                let mut lost = Vec::new();
                pools.retain(|_, pool| {
                    pool.demand.tick(now, self.floor);
                    let keep = pool.demand.wanted().min(pool.ready.len());
                    lost.extend(pool.ready.drain(keep..));
                    pool.filling || pool.demand.wanted() > 0
                });
                (lost, pools.is_empty())
            };
            self.throw_away(lost);
            if empty {
                return;
            }
        }
    }

    fn throw_away(&self, lost: Vec<Spare>) {
        for spare in lost {
            let work = async move {
                if let Err(error) = spare.body.sandbox.destroy().await {
                    tracing::debug!(?error, "a spare was not given back whole");
                }
            };
            self.base.tasks.spawn(TaskKind::Background, "spare", work);
        }
    }
}
