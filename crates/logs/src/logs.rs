//! The room's handle: its ports, and the groups that are open.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use anyfn_base::{Base, Counter, TaskKind};
use anyfn_core::ports::{Log, Records};
use anyfn_types::{Namespace, Result};
use tokio::sync::{Mutex as AsyncMutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::{
    error::Fault,
    follow::Followers,
    group::{GroupRecord, State},
    options::Options,
    pending::Pending,
};

/// Log groups over a `Log` and a `Records`. Cheap to clone.
#[derive(Clone)]
pub struct Logs(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) base: Base,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) options: Options,
    pub(crate) pending: Pending,
    /// Held by whoever writes what is pending.
    pub(crate) writing: AsyncMutex<()>,
    pub(crate) followers: Followers,
    pub(crate) dropped: Counter,
    groups: Mutex<Groups>,
}

#[derive(Default)]
struct Groups {
    open: BTreeMap<(Namespace, String), Slot>,
    tick: u64,
}

struct Slot {
    cell: Arc<AsyncMutex<Cell>>,
    used: u64,
}

/// A group's place in memory. Only one cell of a group is ever live: a cell leaves the map only when it is `Gone`.
pub(crate) enum Cell {
    Fresh,
    Live(Box<State>),
    Gone,
}

/// A group whose lock is held.
pub(crate) type Held = OwnedMappedMutexGuard<Cell, State>;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.0.groups.lock().unwrap_or_else(PoisonError::into_inner).open.len();
        f.debug_struct("Logs").field("open_groups", &open).finish_non_exhaustive()
    }
}

impl Logs {
    /// Starts the writer and the sweep, which end when `base.tasks` stops.
    pub fn open(base: Base, records: Arc<dyn Records>, log: Arc<dyn Log>, options: Options) -> Self {
        let dropped = base.metrics.counter(
            "anyfn_log_lines_dropped_total",
            "Log lines of functions that were dropped because they came faster than they could be stored.",
            &[],
        );
        let shared = Arc::new(Shared {
            pending: Pending::new(&options),
            writing: AsyncMutex::new(()),
            followers: Followers::new(options.followers, options.follow_queue),
            groups: Mutex::default(),
            dropped,
            base,
            records,
            log,
            options,
        });
        let logs = Self(shared);
        let tasks = logs.0.base.tasks.clone();
        let writer = logs.clone();
        tasks.spawn(TaskKind::Service, "logs-writer", async move { writer.write_until_stopped().await });
        let sweeper = logs.clone();
        tasks.spawn(TaskKind::Background, "logs-sweep", async move { sweeper.sweep_forever().await });
        logs
    }

    /// The group, locked. `create` says how it comes into being if it is not there.
    pub(crate) async fn group(
        &self,
        namespace: &Namespace,
        name: &str,
        create: Option<&GroupRecord>,
    ) -> Result<Held> {
        // A cell that is gone was replaced; more than a few rounds means that somebody deletes and creates in a loop.
        for _ in 0..16 {
            self.make_room().await;
            let cell = self.cell(namespace, name);
            let mut guard = cell.clone().lock_owned().await;
            if matches!(&*guard, Cell::Live(state) if state.gone) {
                *guard = Cell::Gone;
            }
            if matches!(*guard, Cell::Fresh) {
                // Whatever ends this early, an error or a caller who goes away, leaves no cell that could be opened twice.
                *guard = Cell::Gone;
                match State::open(&self.0, namespace, name, create).await {
                    Ok(Some(state)) => *guard = Cell::Live(Box::new(state)),
                    Ok(None) => {
                        self.remove(namespace, name, &cell);
                        return Err(Fault::NoGroup.into());
                    }
                    Err(error) => {
                        self.remove(namespace, name, &cell);
                        return Err(error);
                    }
                }
            }
            let live = OwnedMutexGuard::try_map(guard, |cell| match cell {
                Cell::Live(state) => Some(&mut **state),
                Cell::Fresh | Cell::Gone => None,
            });
            match live {
                Ok(held) => return Ok(held),
                Err(_) => self.remove(namespace, name, &cell),
            }
        }
        Err(Fault::Contended.into())
    }

    fn cell(&self, namespace: &Namespace, name: &str) -> Arc<AsyncMutex<Cell>> {
        let mut groups = self.0.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.tick += 1;
        let used = groups.tick;
        let key = (namespace.clone(), name.to_owned());
        let fresh = || Slot { cell: Arc::new(AsyncMutex::new(Cell::Fresh)), used };
        let slot = groups.open.entry(key).or_insert_with(fresh);
        slot.used = used;
        slot.cell.clone()
    }

    fn remove(&self, namespace: &Namespace, name: &str, cell: &Arc<AsyncMutex<Cell>>) {
        let mut groups = self.0.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.clone(), name.to_owned());
        if groups.open.get(&key).is_some_and(|slot| Arc::ptr_eq(&slot.cell, cell)) {
            groups.open.remove(&key);
        }
    }

    /// The quarter of the groups that was not used for longest, if there are too many.
    fn victims(&self) -> Vec<(Namespace, String, Arc<AsyncMutex<Cell>>)> {
        let groups = self.0.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let most = self.0.options.groups_cached.max(4);
        if groups.open.len() < most {
            return Vec::new();
        }
        let mut by_age: Vec<_> = groups.open.iter().map(|(key, slot)| (slot.used, key, &slot.cell)).collect();
        by_age.sort_unstable_by_key(|(used, ..)| *used);
        by_age.truncate(most / 4);
        let own = |(_, key, cell): (u64, &(Namespace, String), &Arc<AsyncMutex<Cell>>)| {
            (key.0.clone(), key.1.clone(), cell.clone())
        };
        by_age.into_iter().map(own).collect()
    }

    async fn make_room(&self) {
        for (namespace, name, cell) in self.victims() {
            // One that is in use just now is no victim, and waiting for it could wait for ourselves.
            let Ok(mut guard) = cell.try_lock() else { continue };
            if let Cell::Live(state) = &mut *guard
                && let Err(error) = state.write_checkpoint(&self.0).await
            {
                // Nothing is lost: the log is read again from the checkpoint before.
                tracing::warn!(?error, "could not write the checkpoint of a log group");
            }
            *guard = Cell::Gone;
            self.remove(&namespace, &name, &cell);
        }
    }

    /// Writes the records of all open groups up to the ends of their logs.
    pub(crate) async fn checkpoint(&self) -> Result<()> {
        let cells: Vec<_> = {
            let groups = self.0.groups.lock().unwrap_or_else(PoisonError::into_inner);
            groups.open.values().map(|slot| slot.cell.clone()).collect()
        };
        for cell in cells {
            if let Cell::Live(state) = &mut *cell.lock().await {
                state.write_checkpoint(&self.0).await?;
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn open_groups(&self) -> usize {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner).open.len()
    }
}
