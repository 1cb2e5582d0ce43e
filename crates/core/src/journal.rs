//! The journal: what calls leave behind for their users to read again (a result, its log, its times), by id and newest
//! first, bounded per namespace.
//!
//! Entries are written behind, in batches, into one `Log` per namespace. An entry can be read from the moment it was
//! handed over: what is not written yet is kept in memory until it is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyfn_base::{Base, Clock, Counter, TaskKind};
use anyfn_types::{Error, Namespace};
use bytes::{Buf as _, Bytes};
use tokio::sync::{mpsc, oneshot};

use crate::ports::{Durability, Log, LogEntry};

/// Entries that may wait to be written, and their bytes; what comes above is counted and dropped.
const QUEUE: usize = 16_384;
const QUEUE_BYTES: usize = 64 << 20;
const BATCH_EVERY: Duration = Duration::from_millis(200);
/// Bytes of an entry at most; the store's values end there, less a little.
const ENTRY_BYTES: usize = (8 << 20) - 1024;
/// What is read of a log at once.
const PAGE: u64 = 200;
const PAGE_BYTES: usize = 16 << 20;
const ID: usize = 16;

enum Message {
    Entry { namespace: Namespace, id: u128, body: Bytes, synced: Option<oneshot::Sender<()>> },
    Load(Namespace, oneshot::Sender<()>),
    Flush(oneshot::Sender<()>),
}

#[derive(Default)]
struct Known {
    /// Handed over and not written yet.
    pending: HashMap<(Namespace, u128), Bytes>,
    bytes: usize,
    /// Where an entry lies, for namespaces that were asked for.
    places: HashMap<Namespace, HashMap<u128, u64>>,
}

struct Shared {
    prefix: &'static str,
    keep: u64,
    log: Arc<dyn Log>,
    queue: mpsc::Sender<Message>,
    known: Mutex<Known>,
    dropped: Counter,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("prefix", &self.0.prefix).finish_non_exhaustive()
    }
}

/// One entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u128,
    pub body: Bytes,
    /// Ascends with time; for reading on.
    pub seq: u64,
}

impl Journal {
    /// `prefix` names the logs (`<prefix>/<namespace>`); about `keep` entries stay per namespace.
    pub fn start(base: &Base, log: Arc<dyn Log>, prefix: &'static str, keep: u64) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        let dropped = base.metrics.counter(
            "anyfn_journal_entries_dropped_total",
            "Entries lost to back-pressure.",
            &[("journal", prefix)],
        );
        let journal = Self(Arc::new(Shared { prefix, keep, log, queue, known: Mutex::default(), dropped }));
        let (weak, clock) = (Arc::downgrade(&journal.0), base.clock.clone());
        base.tasks.spawn(TaskKind::Background, "journal", async move { write(weak, messages, clock).await });
        journal
    }

    /// Never waits. Entries over 8 MiB, and those that find the queue full, are dropped and counted.
    pub fn write(&self, namespace: &Namespace, id: u128, body: Bytes) {
        self.hand_over(namespace, id, body, None);
    }

    /// Ends when the entry is on disk, or was dropped.
    pub async fn write_durably(&self, namespace: &Namespace, id: u128, body: Bytes) {
        let (done, waiting) = oneshot::channel();
        self.hand_over(namespace, id, body, Some(done));
        let _dropped_is_the_end_too = waiting.await;
    }

    fn hand_over(&self, namespace: &Namespace, id: u128, body: Bytes, synced: Option<oneshot::Sender<()>>) {
        {
            let mut known = self.0.known();
            if body.len() > ENTRY_BYTES || known.bytes + body.len() > QUEUE_BYTES {
                return self.0.dropped.add(1);
            }
            known.bytes += body.len();
            known.pending.insert((namespace.clone(), id), body.clone());
        }
        let size = body.len();
        let message = Message::Entry { namespace: namespace.clone(), id, body, synced };
        if self.0.queue.try_send(message).is_err() {
            self.0.dropped.add(1);
            self.0.written(&(namespace.clone(), id), size);
        }
    }

    /// What was handed over and is still in memory; sees an entry of a moment ago without reading the store.
    pub fn recent(&self, namespace: &Namespace, id: u128) -> Option<Bytes> {
        self.0.known().pending.get(&(namespace.clone(), id)).cloned()
    }

    pub async fn get(&self, namespace: &Namespace, id: u128) -> Result<Option<Bytes>, Error> {
        if let Some(body) = self.recent(namespace, id) {
            return Ok(Some(body));
        }
        if !self.0.known().places.contains_key(namespace) {
            let (done, waiting) = oneshot::channel();
            if self.0.queue.send(Message::Load(namespace.clone(), done)).await.is_ok() {
                let _ = waiting.await;
            }
        }
        let seq = self.0.known().places.get(namespace).and_then(|places| places.get(&id).copied());
        let Some(seq) = seq else { return Ok(self.recent(namespace, id)) };
        let found = self.0.log.read(&self.0.name(namespace), seq, 1, PAGE_BYTES).await?;
        Ok(found.into_iter().filter_map(entry).find(|entry| entry.id == id).map(|entry| entry.body))
    }

    /// Up to some hundred entries before `before` (None: from the newest on), newest first; empty at the end.
    pub async fn before(&self, namespace: &Namespace, before: Option<u64>) -> Result<Vec<Entry>, Error> {
        if before.is_none() {
            self.flush().await;
        }
        let name = self.0.name(namespace);
        let (first, end) = self.0.log.bounds(&name).await?;
        let end = before.unwrap_or(end).min(end);
        let from = end.saturating_sub(PAGE).max(first);
        let mut found: Vec<Entry> = Vec::new();
        while from + (found.len() as u64) < end {
            let at = from + found.len() as u64;
            let max = usize::try_from(end - at).unwrap_or(usize::MAX);
            let page = self.0.log.read(&name, at, max, PAGE_BYTES).await?;
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().filter_map(entry));
        }
        found.reverse();
        Ok(found)
    }

    /// What was handed over before is readable in the log when this returns.
    pub async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.0.queue.send(Message::Flush(done)).await.is_ok() {
            let _ = waiting.await;
        }
    }
}

fn entry(entry: LogEntry) -> Option<Entry> {
    let mut body = entry.bytes;
    let id = (body.len() >= ID).then(|| body.get_u128())?;
    Some(Entry { id, body, seq: entry.seq })
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, namespace: &Namespace) -> String {
        format!("{}/{namespace}", self.prefix)
    }

    fn written(&self, key: &(Namespace, u128), size: usize) {
        let mut known = self.known();
        known.pending.remove(key);
        known.bytes = known.bytes.saturating_sub(size);
    }

    /// Reads a namespace's log once, so that entries are found by id from now on.
    async fn load(&self, namespace: &Namespace) -> Result<(), Error> {
        if self.known().places.contains_key(namespace) {
            return Ok(());
        }
        let name = self.name(namespace);
        let (mut at, end) = self.log.bounds(&name).await?;
        let mut places = HashMap::new();
        while at < end {
            let page = self.log.read(&name, at, 1000, PAGE_BYTES).await?;
            let Some(last) = page.last().map(|entry| entry.seq) else { break };
            places.extend(page.into_iter().filter_map(entry).map(|entry| (entry.id, entry.seq)));
            at = last + 1;
        }
        self.known().places.insert(namespace.clone(), places);
        Ok(())
    }

    async fn append(&self, batch: Vec<Message>) {
        let mut entries: BTreeMap<Namespace, Vec<(u128, Bytes)>> = BTreeMap::new();
        let (mut loads, mut done, mut durability) = (Vec::new(), Vec::new(), Durability::Soon);
        for message in batch {
            match message {
                Message::Entry { namespace, id, body, synced } => {
                    entries.entry(namespace).or_default().push((id, body));
                    if synced.is_some() {
                        durability = Durability::Synced;
                    }
                    done.extend(synced);
                }
                Message::Load(namespace, loaded) => loads.push((namespace, loaded)),
                Message::Flush(flushed) => done.push(flushed),
            }
        }
        for (namespace, entries) in entries {
            if let Err(error) = self.append_to(&namespace, &entries, durability).await {
                tracing::warn!(?error, journal = self.prefix, "entries not written");
            }
            for (id, body) in entries {
                self.written(&(namespace.clone(), id), body.len());
            }
        }
        for (namespace, loaded) in loads {
            if let Err(error) = self.load(&namespace).await {
                tracing::warn!(?error, journal = self.prefix, "entries not read");
            }
            let _ = loaded.send(());
        }
        for one in done {
            let _ = one.send(());
        }
    }

    async fn append_to(
        &self,
        namespace: &Namespace,
        entries: &[(u128, Bytes)],
        durability: Durability,
    ) -> Result<(), Error> {
        let name = self.name(namespace);
        let lines = entries.iter().map(|(id, body)| Bytes::from([&id.to_be_bytes()[..], body].concat()));
        let first = self.log.append(&name, lines.collect(), durability).await?;
        let count = entries.len() as u64;
        let step = (self.keep / 10).max(1);
        let trim = (first + count) / step != first / step;
        let keep_from = (first + count).saturating_sub(self.keep);
        if let Some(places) = self.known().places.get_mut(namespace) {
            places.extend(entries.iter().zip(first..).map(|((id, _), seq)| (*id, seq)));
            if trim {
                places.retain(|_, seq| *seq >= keep_from);
            }
        }
        if trim && keep_from > 0 {
            self.log.trim(&name, keep_from).await?;
        }
        Ok(())
    }
}

async fn write(shared: std::sync::Weak<Shared>, mut messages: mpsc::Receiver<Message>, clock: Clock) {
    loop {
        let mut batch = Vec::new();
        if messages.recv_many(&mut batch, 1024).await == 0 {
            return;
        }
        let waited_for = |m: &Message| !matches!(m, Message::Entry { synced: None, .. });
        if !batch.iter().any(waited_for) {
            // Whoever waits ends the pause.
            let pause = clock.sleep(BATCH_EVERY);
            tokio::pin!(pause);
            while batch.len() < 1024 && !batch.last().is_some_and(waited_for) {
                tokio::select! {
                    biased;
                    message = messages.recv() => match message { Some(m) => batch.push(m), None => break },
                    () = &mut pause => break,
                }
            }
        }
        let Some(shared) = shared.upgrade() else { return };
        shared.append(batch).await;
    }
}

#[cfg(test)]
mod tests;
