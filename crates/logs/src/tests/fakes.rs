//! The two ports in memory, as their documents promise, with faults to order.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use anyfn_core::ports::{Change, Durability, Expect, Log, LogEntry, Record, Records};
use anyfn_types::{Error, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

#[derive(Default)]
pub(crate) struct MemRecords {
    kept: Mutex<BTreeMap<String, Record>>,
    revision: AtomicU64,
    pub(crate) fail_writes: AtomicBool,
    pub(crate) writes: AtomicU64,
}

impl MemRecords {
    pub(crate) fn keys(&self) -> Vec<String> {
        self.kept.lock().unwrap().keys().cloned().collect()
    }

    fn admit(&self, key: &str, expect: Expect) -> Result<u64, Error> {
        assert!((1..=1024).contains(&key.len()) && !key.contains('\0'), "{key}");
        if self.fail_writes.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unavailable, "disk_full", "the disk is full"));
        }
        let now = self.kept.lock().unwrap().get(key).map(|record| record.revision);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => now.is_none(),
            Expect::Revision(revision) => now == Some(revision),
        };
        if !holds {
            return Err(Error::new(Kind::Precondition, "record_changed", "the record changed"));
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(self.revision.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

#[async_trait]
impl Records for MemRecords {
    async fn get(&self, key: &str) -> Result<Option<Record>, Error> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<u64, Error> {
        let revision = self.admit(key, expect)?;
        let record = Record { key: key.into(), value, revision };
        self.kept.lock().unwrap().insert(key.into(), record);
        Ok(revision)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<u64, Error> {
        let revision = self.admit(key, expect)?;
        self.kept.lock().unwrap().remove(key);
        Ok(revision)
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>, Error> {
        assert!((1..=10_000).contains(&limit));
        let kept = self.kept.lock().unwrap();
        let wanted =
            |record: &&Record| record.key.starts_with(prefix) && after.is_none_or(|a| *record.key > *a);
        Ok(kept.values().filter(wanted).take(limit).cloned().collect())
    }

    async fn watch(&self, _: &str, _: u64) -> Result<mpsc::Receiver<Change>, Error> {
        unreachable!("this room watches nothing")
    }
}

#[derive(Default)]
struct Kept {
    first: u64,
    entries: Vec<Bytes>,
}

#[derive(Default)]
pub(crate) struct MemLog {
    logs: Mutex<BTreeMap<String, Kept>>,
    pub(crate) fail_appends: AtomicBool,
    pub(crate) reads: AtomicU64,
}

impl MemLog {
    pub(crate) fn names(&self) -> Vec<String> {
        self.logs.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn entries(&self) -> usize {
        self.logs.lock().unwrap().values().map(|kept| kept.entries.len()).sum()
    }

    /// Replaces the bytes of every entry.
    pub(crate) fn damage(&self) {
        for kept in self.logs.lock().unwrap().values_mut() {
            kept.entries.iter_mut().for_each(|bytes| *bytes = bytes.slice(..bytes.len() / 2));
        }
    }
}

#[async_trait]
impl Log for MemLog {
    async fn append(&self, log: &str, entries: Vec<Bytes>, _: Durability) -> Result<u64, Error> {
        assert!(log.len() <= 256 && !entries.is_empty());
        // A disk takes its time: whoever waits may be cut off here.
        tokio::task::yield_now().await;
        if self.fail_appends.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unavailable, "disk_full", "the disk is full"));
        }
        let mut logs = self.logs.lock().unwrap();
        let kept = logs.entry(log.into()).or_default();
        let seq = kept.first + kept.entries.len() as u64;
        kept.entries.extend(entries);
        Ok(seq)
    }

    async fn read(&self, log: &str, from: u64, max: usize, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let logs = self.logs.lock().unwrap();
        let Some(kept) = logs.get(log) else { return Ok(Vec::new()) };
        let skip = usize::try_from(from.saturating_sub(kept.first)).unwrap();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for (index, entry) in kept.entries.iter().enumerate().skip(skip).take(max) {
            if bytes >= max_bytes {
                break;
            }
            bytes += entry.len();
            found.push(LogEntry { seq: kept.first + index as u64, bytes: entry.clone() });
        }
        Ok(found)
    }

    async fn bounds(&self, log: &str) -> Result<(u64, u64), Error> {
        let logs = self.logs.lock().unwrap();
        Ok(logs.get(log).map_or((0, 0), |kept| (kept.first, kept.first + kept.entries.len() as u64)))
    }

    async fn trim(&self, log: &str, before: u64) -> Result<(), Error> {
        if let Some(kept) = self.logs.lock().unwrap().get_mut(log) {
            let count = usize::try_from(before.saturating_sub(kept.first)).unwrap().min(kept.entries.len());
            kept.entries.drain(..count);
            kept.first += count as u64;
        }
        Ok(())
    }

    async fn remove(&self, log: &str) -> Result<(), Error> {
        self.logs.lock().unwrap().remove(log);
        Ok(())
    }

    async fn reached(&self, _: &str, _: u64) {
        unreachable!("this room does not wait for entries")
    }

    async fn logs(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.names().into_iter().filter(|name| name.starts_with(prefix)).collect())
    }
}
