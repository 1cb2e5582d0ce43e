//! Starts: who may start an instance next. A start is begun only when its turn has come and somebody still waits for it; until
//! then it is nothing but a pool in a line, so that a start that is not needed any more costs nothing.
//!
//! Namespaces take turns, and a namespace's functions among themselves. As many starts compute at once as `Settings` says;
//! one that goes on for long (it waits for its network, not for a processor) frees that place and counts only against the
//! number of all starts.

use std::{
    collections::HashSet,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Counter, Metrics, TaskKind};
use anyfn_types::{Namespace, VersionId};

use crate::{Engine, Settings, fair::Fair, place, pool::Pool};

/// How long a start counts as one that computes.
const COMPUTES: Duration = Duration::from_secs(1);

pub(crate) struct Starts {
    line: Mutex<Line>,
    compute: usize,
    most: usize,
    pub(crate) begun: Counter,
    /// Not needed any more when their turn had come.
    pub(crate) spared: Counter,
    pub(crate) failed: Counter,
    /// Came up and never got a call.
    pub(crate) wasted: Counter,
}

struct Line {
    fair: Fair<Namespace, Arc<Pool>>,
    /// Pools in the line stand there once.
    standing: HashSet<VersionId>,
    computing: usize,
    running: usize,
}

/// Two per core unless the owner says otherwise: while one waits for the kernel, the other computes.
fn computing(set: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if set == 0 { 2 * cores() } else { set }
}

impl Starts {
    pub(crate) fn new(settings: &Settings, metrics: &Metrics) -> Self {
        let most = settings.limits.starts_at_once.max(1);
        let count = |name, help| metrics.counter(name, help, &[]);
        // One namespace leaves a quarter of all starts to others, whatever its own wait for.
        let fair = Fair::new((most * 3 / 4).max(1));
        Self {
            line: Mutex::new(Line { fair, standing: HashSet::new(), computing: 0, running: 0 }),
            compute: computing(settings.limits.starts_computing).clamp(1, most),
            most,
            begun: count("anyfn_starts_total", "Starts of instances that were begun."),
            spared: count("anyfn_starts_spared_total", "Starts given up because nobody waited any more."),
            failed: count("anyfn_starts_failed_total", "Starts that failed."),
            wasted: count(
                "anyfn_starts_wasted_total",
                "Instances that ended without ever having had a call.",
            ),
        }
    }

    /// The next start to begin, if there is a place for it.
    fn next(&self, engine: &Engine) -> Option<(Place, Arc<Pool>)> {
        let now = engine.0.base.clock.now();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        while line.computing < self.compute && line.running < self.most {
            let (namespace, pool) = line.fair.take()?;
            line.standing.remove(&pool.version.id);
            if !pool.begin_start(now) {
                line.fair.give_back(&namespace);
                continue;
            }
            if pool.wants_start(now) {
                line.standing.insert(pool.version.id);
                line.fair.push(&namespace, pool.clone());
            }
            line.computing += 1;
            line.running += 1;
            let place = Place { engine: engine.clone(), namespace, computes: AtomicBool::new(true) };
            return Some((place, pool));
        }
        None
    }
}

/// Puts the pool in the line and begins what can begin.
pub(crate) fn want(engine: &Engine, pool: &Arc<Pool>) {
    let mut line = engine.0.starts.line.lock().unwrap_or_else(PoisonError::into_inner);
    if line.standing.insert(pool.version.id) {
        line.fair.push(&pool.function.namespace, pool.clone());
    }
    drop(line);
    begin(engine);
}

fn begin(engine: &Engine) {
    while let Some((place, pool)) = engine.0.starts.next(engine) {
        let tasks = engine.0.base.tasks.clone();
        tasks.spawn(TaskKind::Request, "start", async move { place::start(place, pool).await });
    }
}

/// A place among the starts; given back when dropped.
pub(crate) struct Place {
    pub(crate) engine: Engine,
    namespace: Namespace,
    computes: AtomicBool,
}

impl Place {
    /// Runs the costly part of a start.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = self.engine.0.base.clock.sleep(COMPUTES) => {}
        }
        self.stop_computing();
        begin(&self.engine);
        work.await
    }

    fn stop_computing(&self) {
        if self.computes.swap(false, Ordering::Relaxed) {
            let mut line = self.engine.0.starts.line.lock().unwrap_or_else(PoisonError::into_inner);
            line.computing -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop_computing();
        let mut line = self.engine.0.starts.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.running -= 1;
        line.fair.give_back(&self.namespace);
        drop(line);
        begin(&self.engine);
    }
}
