//! `Records`: keys and places in memory, values in the log.

mod history;
mod watch;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use anyfn_core::ports::{Change, Expect, Record, Records};
use anyfn_types::{Error, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::{
    batch::{Batch, Job, Need, Safety},
    frame::Loc,
    names,
    op::Op,
    segments::Segments,
    shared::{Shared, blocking, gone, slice},
    writer::Writer,
};
use history::History;

/// Values that a scan reads on the caller's thread; more are read on a thread that may block.
const SCAN_INLINE: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Entry {
    revision: u64,
    loc: Loc,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    revision: u64,
    deleted: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    map: BTreeMap<Box<str>, Entry>,
    /// What the log has said so far while the store starts. Hashed, because most of it is said more than once and is then
    /// found faster; put in order once, which also packs it.
    loading: HashMap<Box<str>, Entry>,
    /// What the running batch makes of keys.
    pending: HashMap<Box<str>, Pending>,
    pub(crate) history: History,
}

impl Index {
    pub(crate) fn replay(&mut self, op: &Op<'_>, loc: Loc, segments: &Segments) {
        match *op {
            Op::Put { revision, key, .. } => {
                let fresh = Entry { revision, loc };
                match self.loading.get_mut(key) {
                    // A frame that was written again keeps its revision.
                    Some(entry) if entry.revision > revision => return,
                    Some(entry) => segments.forget(std::mem::replace(entry, fresh).loc),
                    None => drop(self.loading.insert(key.into(), fresh)),
                }
                segments.keep(loc);
            }
            Op::Delete { key, .. } => {
                if let Some(old) = self.loading.remove(key) {
                    segments.forget(old.loc);
                }
            }
            _ => {}
        }
    }

    /// After the last replay: changes up to `head` are in.
    pub(crate) fn start(&mut self, head: u64) {
        self.map = std::mem::take(&mut self.loading).into_iter().collect();
        self.history.start(head);
    }

    fn insert(&mut self, key: &str, entry: Entry, segments: &Segments) {
        segments.keep(entry.loc);
        if let Some(old) = self.map.insert(key.into(), entry) {
            segments.forget(old.loc);
        }
    }

    fn remove(&mut self, key: &str, segments: &Segments) {
        if let Some(old) = self.map.remove(key) {
            segments.forget(old.loc);
        }
    }

    pub(crate) fn holds(&self, key: &str, loc: Loc) -> bool {
        self.map.get(key).is_some_and(|entry| entry.loc == loc)
    }

    pub(crate) fn moved(&mut self, key: &str, loc: Loc) {
        if let Some(entry) = self.map.get_mut(key) {
            entry.loc = loc;
        }
    }

    /// As the running batch sees it.
    fn current(&self, key: &str) -> Option<u64> {
        let committed = || self.map.get(key).map(|entry| entry.revision);
        match self.pending.get(key) {
            Some(pending) => (!pending.deleted).then_some(pending.revision),
            None => committed(),
        }
    }

    fn range(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<(Box<str>, Entry)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let range = self.map.range::<str, _>((from, Bound::Unbounded));
        let range = range.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        range.map(|(key, entry)| (key.clone(), *entry)).collect()
    }
}

#[derive(Debug)]
pub(crate) struct StoreRecords {
    pub shared: Arc<Shared>,
    pub writer: Writer,
}

impl StoreRecords {
    fn find(shared: &Shared, key: &str) -> Option<Entry> {
        shared.records().map.get(key).copied()
    }

    async fn write(&self, key: &str, value: Option<Bytes>, expect: Expect) -> Result<u64, Error> {
        names::key(key)?;
        names::value(value.as_ref().map_or(0, Bytes::len))?;
        let (answer, answered) = oneshot::channel();
        let write = Write { key: key.into(), value, expect, staged: None, answer };
        self.writer.run(Box::new(write), answered).await
    }
}

fn value(payload: &Bytes, loc: Loc) -> Result<Bytes, Error> {
    slice(payload, loc, |op| if let Op::Put { value, .. } = op { Some(value) } else { None })
}

/// Reads the value of an entry, following it if its segment is given back meanwhile. `None` if the key went away.
fn read(shared: &Shared, key: &str, mut entry: Entry) -> Result<Option<Record>, Error> {
    loop {
        if let Some(payload) = shared.segments.read(entry.loc)? {
            let value = value(&payload, entry.loc)?;
            return Ok(Some(Record { key: key.to_owned(), value, revision: entry.revision }));
        }
        match StoreRecords::find(shared, key) {
            Some(found) if found.loc == entry.loc => return Err(gone(entry.loc)),
            Some(found) => entry = found,
            None => return Ok(None),
        }
    }
}

#[async_trait]
impl Records for StoreRecords {
    async fn get(&self, key: &str) -> Result<Option<Record>, Error> {
        names::key(key)?;
        let mut before = None;
        while let Some(entry) = Self::find(&self.shared, key) {
            if before.replace(entry.loc) == Some(entry.loc) {
                return Err(gone(entry.loc));
            }
            if let Some(payload) = self.shared.read(entry.loc).await? {
                let value = value(&payload, entry.loc)?;
                return Ok(Some(Record { key: key.to_owned(), value, revision: entry.revision }));
            }
        }
        Ok(None)
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<u64, Error> {
        self.write(key, Some(value), expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<u64, Error> {
        self.write(key, None, expect).await
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>, Error> {
        names::limit(limit, 10_000)?;
        let found = self.shared.records().range(prefix, after, limit);
        if found.len() <= SCAN_INLINE {
            let mut out = Vec::with_capacity(found.len());
            for (key, _) in found {
                out.extend(self.get(&key).await?);
            }
            return Ok(out);
        }
        let shared = self.shared.clone();
        blocking(move || {
            let read = found.into_iter().map(|(key, entry)| read(&shared, &key, entry));
            read.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn watch(&self, prefix: &str, from: u64) -> Result<mpsc::Receiver<Change>, Error> {
        Ok(watch::start(&self.shared, prefix, from))
    }
}

struct Write {
    key: Box<str>,
    value: Option<Bytes>,
    expect: Expect,
    staged: Option<StagedWrite>,
    answer: oneshot::Sender<Result<u64, Error>>,
}

struct StagedWrite {
    loc: Loc,
    revision: u64,
    /// What `pending` said before.
    before: Option<Pending>,
}

impl Job for Write {
    fn room(&self) -> usize {
        Op::room(self.key.len(), self.value.as_ref().map_or(0, Bytes::len))
    }

    fn need(&self) -> Need {
        if self.value.is_none() { Need::Frees } else { Need::Ordinary }
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let mut index = shared.records_mut();
        let current = index.current(&self.key);
        let holds = match self.expect {
            Expect::Any => true,
            Expect::Absent => current.is_none(),
            Expect::Revision(revision) => current == Some(revision),
        };
        if !holds {
            let text = "the record is not what was expected: read it again";
            return Err(Error::new(Kind::Precondition, "record_changed", text));
        }
        if self.value.is_none() && current.is_none() {
            return Ok(Safety::Synced);
        }
        let (revision, key) = (batch.next_change(), &*self.key);
        let loc = match &self.value {
            Some(value) => batch.add(&Op::Put { revision, key, value }),
            None => batch.add(&Op::Delete { revision, key }),
        };
        let pending = Pending { revision, deleted: self.value.is_none() };
        let before = index.pending.insert(self.key.clone(), pending);
        self.staged = Some(StagedWrite { loc, revision, before });
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut index = shared.records_mut();
        let Some(StagedWrite { loc, revision, .. }) = self.staged else {
            let _ = self.answer.send(Ok(index.history.head()));
            return;
        };
        let change = match self.value {
            Some(value) => {
                index.insert(&self.key, Entry { revision, loc }, &shared.segments);
                Change::Put(Record { key: self.key.to_string(), value, revision })
            }
            None => {
                index.remove(&self.key, &shared.segments);
                Change::Deleted { key: self.key.to_string(), revision }
            }
        };
        // A later job of the batch may have changed the key again.
        if index.pending.get(&self.key).is_some_and(|pending| pending.revision == revision) {
            index.pending.remove(&self.key);
        }
        index.history.push(revision, change);
        drop(index);
        let _ = self.answer.send(Ok(revision));
    }

    fn fail(self: Box<Self>, shared: &Shared, error: Error) {
        if let Some(StagedWrite { before, .. }) = self.staged {
            let mut index = shared.records_mut();
            match before {
                Some(before) => index.pending.insert(self.key, before),
                None => index.pending.remove(&self.key),
            };
        }
        let _ = self.answer.send(Err(error));
    }
}
