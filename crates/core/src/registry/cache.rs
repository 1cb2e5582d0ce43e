//! Functions and versions that were read lately, so that a call does not read the store. Bounded by bytes; what was not
//! asked for since the hand last came by goes first. What is only written is not kept: of the functions that are deployed,
//! few are called.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::{BuildHasher as _, Hash},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use anyfn_types::{Function, FunctionName, Namespace, Version, VersionId};

/// A call locks one of them, so that calls of different functions do not meet.
const SHARDS: usize = 32;
/// Bytes of each kind, over all shards, as far as they can be told from a record's length.
const BYTES: usize = 16 << 20;
/// Addresses kept; past this the list starts again from nothing, which costs one read per address in use.
const URLS: usize = 20_000;
/// What a parsed record takes for each byte of its text, with the copy of `$LATEST` that calls share.
const PARSED: usize = 3;
/// The least that an entry takes.
const LEAST: usize = 1024;

/// A function with what calls want of it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) function: Arc<Function>,
    latest: OnceLock<Arc<Version>>,
    revision: u64,
}

impl Known {
    pub(super) fn new(function: Arc<Function>, revision: u64) -> Self {
        Self { function, latest: OnceLock::new(), revision }
    }

    /// `$LATEST` as calls see it, shared between them: code and configuration never change under one id.
    pub(super) fn latest(&self) -> Arc<Version> {
        self.latest.get_or_init(|| Arc::new(self.function.latest.clone())).clone()
    }
}

/// Says that nothing of the shard was written since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwritten(u64);

#[derive(Debug, Default)]
struct Clock<V> {
    /// By the hash of its name; the value knows its whole name.
    kept: HashMap<u64, Entry<V>>,
    /// The order in which the hand comes by.
    ring: VecDeque<u64>,
    bytes: usize,
    writes: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    bytes: usize,
    asked: AtomicBool,
}

impl<V> Clock<V> {
    fn get(&self, hash: u64) -> Option<&Arc<V>> {
        let entry = self.kept.get(&hash)?;
        if !entry.asked.load(Ordering::Relaxed) {
            entry.asked.store(true, Ordering::Relaxed);
        }
        Some(&entry.value)
    }

    fn put(&mut self, hash: u64, value: Arc<V>, bytes: usize, most: usize) {
        let entry = Entry { value, bytes, asked: AtomicBool::new(false) };
        match self.kept.insert(hash, entry) {
            Some(before) => self.bytes -= before.bytes,
            None => self.ring.push_back(hash),
        }
        self.bytes += bytes;
        while self.bytes > most
            && let Some(at) = self.ring.pop_front()
        {
            match self.kept.get(&at) {
                Some(entry) if entry.asked.swap(false, Ordering::Relaxed) => self.ring.push_back(at),
                Some(_) => self.remove(at),
                None => {}
            }
        }
    }

    fn remove(&mut self, hash: u64) {
        if let Some(entry) = self.kept.remove(&hash) {
            self.bytes -= entry.bytes;
        }
    }
}

#[derive(Debug)]
pub(super) struct Cache {
    hasher: RandomState,
    functions: Vec<RwLock<Clock<Known>>>,
    versions: Vec<RwLock<Clock<Version>>>,
    /// Whose an address was when it was read. Whether it still is, the function says.
    urls: RwLock<HashMap<String, (Namespace, FunctionName)>>,
    /// Bytes of one shard.
    most: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self::sized(BYTES)
    }
}

fn read<V>(shard: &RwLock<Clock<V>>) -> RwLockReadGuard<'_, Clock<V>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<V>(shard: &RwLock<Clock<V>>) -> RwLockWriteGuard<'_, Clock<V>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    fn sized(bytes: usize) -> Self {
        fn shards<V>() -> Vec<RwLock<Clock<V>>> {
            let fresh =
                || RwLock::new(Clock { kept: HashMap::new(), ring: VecDeque::new(), bytes: 0, writes: 0 });
            std::iter::repeat_with(fresh).take(SHARDS).collect()
        }
        Self {
            hasher: RandomState::new(),
            functions: shards(),
            versions: shards(),
            urls: RwLock::default(),
            most: bytes / SHARDS,
        }
    }

    fn place<'a, V>(&self, shards: &'a [RwLock<Clock<V>>], key: impl Hash) -> (&'a RwLock<Clock<V>>, u64) {
        let hash = self.hasher.hash_one(key);
        // The remainder is below the number of shards; the map uses the other bits.
        (&shards[usize::try_from(hash >> 32).unwrap_or(0) % SHARDS], hash)
    }

    /// What is known of the function, or else the right to keep what is read from now on.
    pub(super) fn function(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
    ) -> Result<Arc<Known>, Unwritten> {
        let (shard, hash) = self.place(&self.functions, (namespace, name));
        let shard = read(shard);
        match shard.get(hash) {
            Some(known) if known.function.name == *name && known.function.namespace == *namespace => {
                Ok(known.clone())
            }
            _ => Err(Unwritten(shard.writes)),
        }
    }

    /// Keeps what was read, unless it may have been changed since. `text` is the length of its record.
    pub(super) fn keep_function(&self, known: Arc<Known>, text: usize, since: Unwritten) {
        let (shard, hash) = self.place(&self.functions, (&known.function.namespace, &known.function.name));
        let mut shard = write(shard);
        if shard.writes == since.0 {
            shard.put(hash, known, text * PARSED + LEAST, self.most);
        }
    }

    /// The function was written; None: deleted. What is known of it is replaced, if anything is.
    pub(super) fn wrote_function(
        &self,
        (namespace, name): (&Namespace, &FunctionName),
        now: Option<(Arc<Function>, u64)>,
        text: usize,
    ) {
        let (shard, hash) = self.place(&self.functions, (namespace, name));
        let mut shard = write(shard);
        shard.writes += 1;
        let Some(before) = shard.kept.get(&hash) else { return };
        match now {
            Some((_, revision)) if before.value.revision > revision => {}
            Some((function, revision)) => {
                shard.put(hash, Arc::new(Known::new(function, revision)), text * PARSED + LEAST, self.most);
            }
            None => {
                shard.remove(hash);
                shard.ring.retain(|other| *other != hash);
            }
        }
    }

    /// Published versions never change.
    pub(super) fn version(&self, id: VersionId) -> Option<Arc<Version>> {
        let (shard, hash) = self.place(&self.versions, id);
        read(shard).get(hash).filter(|version| version.id == id).cloned()
    }

    pub(super) fn keep_version(&self, version: Arc<Version>, text: usize) {
        let (shard, hash) = self.place(&self.versions, version.id);
        write(shard).put(hash, version, text * PARSED + LEAST, self.most);
    }

    pub(super) fn owner(&self, url: &str) -> Option<(Namespace, FunctionName)> {
        self.urls.read().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    pub(super) fn keep_owner(&self, url: &str, owner: (Namespace, FunctionName)) {
        let mut urls = self.urls.write().unwrap_or_else(PoisonError::into_inner);
        if urls.len() >= URLS {
            urls.clear();
        }
        urls.insert(url.to_owned(), owner);
    }
}

#[cfg(test)]
mod tests;
