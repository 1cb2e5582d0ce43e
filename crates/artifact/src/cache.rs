//! Which roots are unpacked, who holds them, and which one goes when the disk budget is reached.
//!
//! What must stay true: a root that somebody holds is never removed; the bytes of roots that nobody holds never keep the
//! total over the budget once another root came in; one key is made by one worker at a time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyfn_core::ports::Root;
use anyfn_types::Digest;

use crate::{error::Fault, staging::Staging};

/// A package's own root, or several laid over each other (the digest of their digests).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Package(Digest),
    Merged(Digest),
}

impl Key {
    fn folder(self) -> String {
        match self {
            Self::Package(digest) => format!("package-{digest}"),
            Self::Merged(digest) => format!("merged-{digest}"),
        }
    }
}

/// Lives as long as anybody uses the root; the cache keeps one itself.
#[derive(Debug)]
struct Held;

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    /// The larger, the later it was asked for.
    used: u64,
    held: Arc<Held>,
}

impl Kept {
    fn root(&self) -> Root {
        Root { path: self.path.clone(), hold: self.held.clone() }
    }
}

#[derive(Debug, Default)]
struct State {
    kept: HashMap<Key, Kept>,
    making: HashMap<Key, Arc<tokio::sync::Mutex<()>>>,
    bytes: u64,
    tick: u64,
    /// Numbers folders, so that a root that comes back never meets what is left of its last one.
    serial: u64,
}

#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    budget: u64,
    state: Mutex<State>,
}

/// The right to make one key's root; others that want the same one wait.
#[derive(Debug)]
pub(crate) struct Turn<'c> {
    cache: &'c Cache,
    key: Key,
    lock: Option<Arc<tokio::sync::Mutex<()>>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        self.lock = None;
        // Ours was the last but the map's: nobody waits.
        if state.making.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            state.making.remove(&self.key);
        }
    }
}

impl Turn<'_> {
    pub(crate) async fn wait(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match &self.lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

impl Cache {
    /// Keeps roots in `dir`, which is empty. `budget` is in bytes.
    pub(crate) fn new(dir: PathBuf, budget: u64) -> Self {
        Self { dir, budget, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The root, if it is there, held.
    pub(crate) fn get(&self, key: Key) -> Option<Root> {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        let kept = state.kept.get_mut(&key)?;
        kept.used = tick;
        Some(kept.root())
    }

    /// The size of a root that is there, without holding it.
    pub(crate) fn bytes(&self, key: Key) -> Option<u64> {
        self.lock().kept.get(&key).map(|kept| kept.bytes)
    }

    pub(crate) fn turn(&self, key: Key) -> Turn<'_> {
        let lock = self.lock().making.entry(key).or_default().clone();
        Turn { cache: self, key, lock: Some(lock) }
    }

    /// Takes a finished folder in, unless the key is there by now. Also gives the folders that are of no more use (what
    /// had to go, or the new one): the caller removes them when nobody waits.
    pub(crate) fn put(
        &self,
        key: Key,
        staging: Staging,
        bytes: u64,
        trash: &Path,
    ) -> Result<(Root, Vec<PathBuf>), Fault> {
        let mut state = self.lock();
        state.tick += 1;
        let tick = state.tick;
        if let Some(kept) = state.kept.get_mut(&key) {
            kept.used = tick;
            return Ok((kept.root(), staging.give_up().into_iter().collect()));
        }
        state.serial += 1;
        let path = self.dir.join(format!("{}-{}", key.folder(), state.serial));
        staging.keep(&path)?;
        let kept = Kept { path, bytes, used: tick, held: Arc::new(Held) };
        let root = kept.root();
        state.kept.insert(key, kept);
        state.bytes += bytes;
        Ok((root, self.shrink(&mut state, trash)))
    }

    /// Moves the roots that nobody holds out of the way, oldest first, until the rest fits.
    fn shrink(&self, state: &mut State, trash: &Path) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        if state.bytes <= self.budget {
            return gone;
        }
        let mut idle: Vec<(u64, Key)> = state
            .kept
            .iter()
            .filter(|(_, kept)| Arc::strong_count(&kept.held) == 1)
            .map(|(key, kept)| (kept.used, *key))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in idle {
            if state.bytes <= self.budget {
                break;
            }
            let Some(kept) = state.kept.remove(&key) else { continue };
            state.bytes -= kept.bytes;
            state.serial += 1;
            let to = trash.join(format!("evicted-{}", state.serial));
            match std::fs::rename(&kept.path, &to) {
                Ok(()) => gone.push(to),
                // It is no longer known under its key, so removing it in place is as good.
                Err(_) => gone.push(kept.path),
            }
        }
        gone
    }

    /// Roots and their bytes, for metrics and tests.
    pub(crate) fn size(&self) -> (usize, u64) {
        let state = self.lock();
        (state.kept.len(), state.bytes)
    }
}

#[cfg(test)]
mod tests;
