//! Pools: which versions have instances. Looked up by every call, so it is in shards; changed only when a version's first
//! instance comes and some time after its last one went.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use anyfn_base::Instant;
use anyfn_core::Resolved;
use anyfn_types::{FunctionName, Limits, Namespace, VersionId};

use crate::{pool::Pool, rounds::Rounds};

const SHARDS: usize = 64;

type Shard = RwLock<HashMap<VersionId, Arc<Pool>>>;

pub(crate) struct Pools {
    shards: [Shard; SHARDS],
    /// The versions of a function that have pools. Never on a warm call's way.
    families: Mutex<HashMap<(Namespace, FunctionName), Vec<VersionId>>>,
}

impl Default for Pools {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Shard::default()), families: Mutex::default() }
    }
}

impl Pools {
    fn shard(&self, id: VersionId) -> &Shard {
        // Ids are random; the remainder is below the number of shards.
        &self.shards[usize::try_from(id.0 % SHARDS as u128).unwrap_or(0)]
    }

    pub(crate) fn get(&self, id: VersionId) -> Option<Arc<Pool>> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The pool of a version; true if it was made now.
    pub(crate) fn get_or_make(
        &self,
        resolved: &Resolved,
        rounds: &Arc<Rounds>,
        limits: &Limits,
    ) -> (Arc<Pool>, bool) {
        let id = resolved.version.id;
        if let Some(pool) = self.get(id) {
            return (pool, false);
        }
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(id) {
            Entry::Occupied(there) => (there.get().clone(), false),
            Entry::Vacant(free) => {
                let pool = free.insert(Pool::new(resolved, rounds.clone(), limits)).clone();
                self.enlist(&pool);
                (pool, true)
            }
        }
    }

    /// Takes the pool off if it is empty.
    pub(crate) fn remove_empty(&self, pool: &Pool) {
        let id = pool.version.id;
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        if shard.get(&id).is_some_and(|there| std::ptr::eq(&**there, pool)) && pool.vanish() {
            shard.remove(&id);
            let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
            if let Entry::Occupied(mut family) =
                families.entry((pool.function.namespace.clone(), pool.function.name.clone()))
            {
                family.get_mut().retain(|other| *other != id);
                if family.get().is_empty() {
                    family.remove();
                }
            }
        }
    }

    /// Puts a pool back that was taken off while a call still held it.
    pub(crate) fn put_back(&self, pool: &Arc<Pool>, now: Instant) {
        let mut shard = self.shard(pool.version.id).write().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(pool.version.id) {
            Entry::Vacant(free) => {
                free.insert(pool.clone());
                pool.revive(true, now);
                self.enlist(pool);
            }
            Entry::Occupied(there) => pool.revive(Arc::ptr_eq(there.get(), pool), now),
        }
    }

    fn enlist(&self, pool: &Pool) {
        let name = (pool.function.namespace.clone(), pool.function.name.clone());
        self.families
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name)
            .or_default()
            .push(pool.version.id);
    }

    /// The pools of one function.
    pub(crate) fn family(&self, namespace: &Namespace, name: &FunctionName) -> Vec<Arc<Pool>> {
        let families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = families.get(&(namespace.clone(), name.clone())).cloned().unwrap_or_default();
        drop(families);
        ids.into_iter().filter_map(|id| self.get(id)).collect()
    }

    /// All of them; for the end of the server, and for when changes were missed.
    pub(crate) fn all(&self) -> Vec<Arc<Pool>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| {
                let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
                shard.values().cloned().collect::<Vec<_>>()
            })
            .collect()
    }
}
