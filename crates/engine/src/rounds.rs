//! Rounds: which pool is to be looked at when, and whose idle instance goes first when memory is short. Pools put themselves
//! down here, once each; nobody walks over all of them.
//!
//! Locks: a pool's own lock may be held when these are taken, never the other way round.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Gauge, Instant, Metrics};
use anyfn_types::VersionId;
use tokio::sync::Notify;

use crate::{
    agenda::Agenda,
    pool::{Instance, Pool},
};

#[derive(Default)]
pub(crate) struct Rounds {
    /// When to look at a pool.
    due: Mutex<Agenda<VersionId, Weak<Pool>>>,
    /// Pools with idle instances, in the order in which they lose one.
    idle: Mutex<Agenda<VersionId, Weak<Pool>>>,
    wake: Notify,
    living: AtomicUsize,
    memory_mib: AtomicU64,
    shown: Option<(Gauge, Gauge)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rounds {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let living = metrics.gauge("anyfn_instances", "Instances that live or are being started.", &[]);
        let memory = metrics.gauge(
            "anyfn_instances_memory_mib",
            "What living instances have used at most, as far as calls have told.",
            &[],
        );
        Self { shown: Some((living, memory)), ..Self::default() }
    }

    pub(crate) fn plan(&self, id: VersionId, pool: Weak<Pool>, at: Instant) {
        if locked(&self.due).set(id, at, pool) {
            self.wake.notify_one();
        }
    }

    /// The next pool whose time has come.
    pub(crate) fn next_due(&self, now: Instant) -> Option<Arc<Pool>> {
        loop {
            let pool = locked(&self.due).pop_due(now)?;
            if let Some(pool) = pool.upgrade() {
                return Some(pool);
            }
        }
    }

    pub(crate) fn first_due(&self) -> Option<Instant> {
        locked(&self.due).first()
    }

    /// Ends when something has been planned before everything else.
    pub(crate) async fn planned(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn list_idle(&self, id: VersionId, pool: Weak<Pool>, at: Instant) {
        locked(&self.idle).set(id, at, pool);
    }

    pub(crate) fn has_idle(&self) -> bool {
        !locked(&self.idle).is_empty()
    }

    /// The pool is gone.
    pub(crate) fn forget(&self, id: VersionId) {
        locked(&self.due).remove(id);
        locked(&self.idle).remove(id);
    }

    /// Takes the idle instance that is missed least. A pool that was used since it was listed is listed anew, so each
    /// turn of this loop ends with an instance or with one pool less that stands too early.
    pub(crate) fn evict(&self) -> Option<(Arc<Pool>, Instance)> {
        loop {
            let (at, pool) = locked(&self.idle).pop()?;
            let Some(pool) = pool.upgrade() else { continue };
            if let Some(instance) = pool.evict(at) {
                return Some((pool, instance));
            }
        }
    }

    /// Instances that live or are being started.
    pub(crate) fn living(&self) -> usize {
        self.living.load(Ordering::Relaxed)
    }

    pub(crate) fn memory_mib(&self) -> u64 {
        self.memory_mib.load(Ordering::Relaxed)
    }

    fn show(&self) {
        if let Some((living, memory)) = &self.shown {
            living.set(i64::try_from(self.living()).unwrap_or(i64::MAX));
            memory.set(i64::try_from(self.memory_mib()).unwrap_or(i64::MAX));
        }
    }
}

/// One living instance in the sums; leaves them when dropped.
pub(crate) struct Living {
    rounds: Arc<Rounds>,
    mib: u32,
}

impl Living {
    pub(crate) fn new(rounds: Arc<Rounds>, mib: u32) -> Self {
        rounds.living.fetch_add(1, Ordering::Relaxed);
        rounds.memory_mib.fetch_add(u64::from(mib), Ordering::Relaxed);
        rounds.show();
        Self { rounds, mib }
    }

    pub(crate) fn mib(&self) -> u32 {
        self.mib
    }

    pub(crate) fn uses(&mut self, mib: u32) {
        if mib != self.mib {
            self.rounds.memory_mib.fetch_add(u64::from(mib), Ordering::Relaxed);
            self.rounds.memory_mib.fetch_sub(u64::from(self.mib), Ordering::Relaxed);
            self.mib = mib;
            self.rounds.show();
        }
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.rounds.living.fetch_sub(1, Ordering::Relaxed);
        self.rounds.memory_mib.fetch_sub(u64::from(self.mib), Ordering::Relaxed);
        self.rounds.show();
    }
}

/// By how much longer an instance is kept than one that costs nothing to start again: a second for each millisecond of its
/// start, less the more memory it holds (128 MiB count as one share), at most ten minutes.
pub(crate) fn grace(init: Duration, mib: u32) -> Duration {
    let longest = Duration::from_secs(600);
    let seconds = init.as_millis().saturating_mul(128) / u128::from(mib.max(1));
    u64::try_from(seconds).map_or(longest, |s| Duration::from_secs(s).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dear_to_start_and_small_is_kept_longer() {
        for (init_ms, mib, seconds) in [
            (0, 128, 0),
            (4, 128, 4),
            (4, 12, 42),
            (100, 128, 100),
            (100, 1024, 12),
            (5000, 128, 600),
            (9, 0, 600),
        ] {
            let got = grace(Duration::from_millis(init_ms), mib);
            assert_eq!(got, Duration::from_secs(seconds), "{init_ms} ms, {mib} MiB");
        }
    }
}
