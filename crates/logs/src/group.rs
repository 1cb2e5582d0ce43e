//! A group as its one writer sees it: where its log ends, and the records of the streams that were used lately.

mod recover;

pub(crate) use recover::{read_entry, seek};

use std::{collections::BTreeMap, sync::Arc};

use anyfn_core::ports::{Durability, Expect, Record};
use anyfn_types::{Millis, Namespace, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    entry::{Head, encode, size},
    error::Fault,
    logs::Shared,
    names::{checkpoint_key, group_key, log_name, stream_key},
};

/// Texts of one entry are cut into several entries past this.
const ENTRY_BYTES: usize = 1 << 20;

/// Stream records that are written at once, so that a group commit carries them together.
const WRITES_AT_ONCE: usize = 64;

/// No event lies further than this after its ingestion. Two hours.
pub(crate) const AHEAD_MS: Millis = 2 * 3600 * 1000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) id: String,
    pub(crate) created: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention_days: Option<u16>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
}

impl GroupRecord {
    /// Events before this are not shown any more; 0 if all are.
    pub(crate) fn horizon(&self, now: Millis) -> Millis {
        self.retention_days.map_or(0, |days| now.saturating_sub(u64::from(days) * 86_400_000))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    pub(crate) created: Millis,
    /// Entries before this are of a stream of the same name that was deleted.
    pub(crate) from: u64,
    #[serde(default)]
    pub(crate) entries: Option<Entries>,
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entries {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) first_event: Millis,
    pub(crate) last_event: Millis,
    pub(crate) ingested: Millis,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Cached {
    record: StreamRecord,
    dirty: bool,
    used: u64,
}

/// Lives behind the group's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) namespace: Namespace,
    pub(crate) name: String,
    pub(crate) record: GroupRecord,
    pub(crate) revision: u64,
    pub(crate) log: String,
    /// Another state has taken over, or the group is deleted: resolve again.
    pub(crate) gone: bool,
    pub(crate) next: u64,
    offset: u64,
    ingested: Millis,
    /// Stream records are right for all entries before this.
    checkpoint: u64,
    streams: BTreeMap<String, Cached>,
    tick: u64,
}

/// Events of one stream, on their way into the log.
pub(crate) struct Batch {
    pub(crate) stream: String,
    pub(crate) events: Vec<(Millis, Bytes)>,
}

pub(crate) fn read_record<T: DeserializeOwned>(record: &Record) -> Result<T> {
    Ok(serde_json::from_slice(&record.value).map_err(Fault::Record)?)
}

pub(crate) fn write_record<T: Serialize>(value: &T) -> Result<Bytes> {
    Ok(serde_json::to_vec(value).map_err(Fault::Record)?.into())
}

impl State {
    /// The stream's record, from memory or from disk; None if there is no such stream.
    pub(crate) async fn stream(&mut self, shared: &Shared, name: &str) -> Result<Option<StreamRecord>> {
        self.tick += 1;
        if let Some(cached) = self.streams.get_mut(name) {
            cached.used = self.tick;
            return Ok(Some(cached.record.clone()));
        }
        let key = stream_key(&self.namespace, &self.record.id, name);
        let Some(stored) = shared.records.get(&key).await? else { return Ok(None) };
        let record: StreamRecord = read_record(&stored)?;
        self.keep(shared, name, record.clone(), false).await?;
        Ok(Some(record))
    }

    /// Puts a record into the cache; what was not used for long goes to disk first.
    async fn keep(&mut self, shared: &Shared, name: &str, record: StreamRecord, dirty: bool) -> Result<()> {
        if self.streams.len() >= shared.options.streams_cached.max(1) && !self.streams.contains_key(name) {
            self.write_dirty(shared).await?;
            let mut ages: Vec<u64> = self.streams.values().map(|cached| cached.used).collect();
            ages.sort_unstable();
            let keep_from = ages[ages.len() / 2];
            self.streams.retain(|_, cached| cached.used > keep_from);
        }
        self.streams.insert(name.to_owned(), Cached { record, dirty, used: self.tick });
        Ok(())
    }

    /// Makes the stream, or says that it is there.
    pub(crate) async fn create_stream(&mut self, shared: &Shared, name: &str) -> Result<()> {
        if self.stream(shared, name).await?.is_some() {
            return Err(Fault::StreamExists.into());
        }
        let record = StreamRecord { created: shared.base.clock.wall(), from: self.next, entries: None };
        let key = stream_key(&self.namespace, &self.record.id, name);
        shared.records.put(&key, write_record(&record)?, Expect::Any).await?;
        self.keep(shared, name, record, false).await
    }

    /// A crash after this leaves no entry that could bring the stream back: the checkpoint is past all of them.
    pub(crate) async fn delete_stream(&mut self, shared: &Shared, name: &str) -> Result<()> {
        if self.stream(shared, name).await?.is_none() {
            return Err(Fault::NoStream.into());
        }
        self.write_checkpoint(shared).await?;
        let key = stream_key(&self.namespace, &self.record.id, name);
        shared.records.delete(&key, Expect::Any).await?;
        self.streams.remove(name);
        Ok(())
    }

    /// Appends batches of streams; a stream that is not there comes into being. After an error nobody knows where the
    /// log ends, so this state ends and the next user reads it from disk.
    pub(crate) async fn append(
        &mut self,
        shared: &Shared,
        batches: &[&Batch],
        durability: Durability,
    ) -> Result<Vec<(u64, Head)>> {
        let now = shared.base.clock.wall().max(self.ingested);
        let mut heads = Vec::with_capacity(batches.len());
        let mut entries = Vec::with_capacity(batches.len());
        let (mut seq, mut offset) = (self.next, self.offset);
        for batch in batches {
            let known = self.stream(shared, &batch.stream).await?;
            let mut prev = known.and_then(|record| record.entries).map(|held| held.last_seq);
            for events in cut(&batch.events) {
                let head = head_of(&batch.stream, events, (now, offset, prev));
                entries.push(encode(&head, events));
                heads.push((seq, head));
                offset += size(events);
                prev = Some(seq);
                seq += 1;
            }
        }
        if entries.is_empty() {
            return Ok(heads);
        }
        self.gone = true;
        let first = shared.log.append(&self.log, entries, durability).await?;
        let expected = std::mem::replace(&mut self.next, seq);
        (self.offset, self.ingested) = (offset, now);
        // The log holds the entries now; if a record cannot follow, the next user reads it again from the log.
        let noted = self.note_all(shared, &heads).await;
        self.gone = first != expected || noted.is_err();
        Ok(heads)
    }

    async fn note_all(&mut self, shared: &Shared, heads: &[(u64, Head)]) -> Result<()> {
        for (index, (seq, head)) in heads.iter().enumerate() {
            let end = heads.get(index + 1).map_or(self.offset, |(_, next)| next.offset);
            self.note(shared, *seq, head, end - head.offset).await?;
        }
        Ok(())
    }

    /// Takes an entry of the log into its stream's record; entries that are in it already change nothing.
    async fn note(&mut self, shared: &Shared, seq: u64, head: &Head, bytes: u64) -> Result<()> {
        let known = self.stream(shared, &head.stream).await?;
        let mut record = known.unwrap_or(StreamRecord { created: head.ingested, from: seq, entries: None });
        if seq < record.from || record.entries.is_some_and(|held| seq <= held.last_seq) {
            return Ok(());
        }
        let held = record.entries.get_or_insert(Entries {
            first_seq: seq,
            last_seq: seq,
            first_event: head.first,
            last_event: head.last,
            ingested: head.ingested,
            events: 0,
            bytes: 0,
        });
        held.last_seq = seq;
        held.first_event = held.first_event.min(head.first);
        held.last_event = held.last_event.max(head.last);
        held.ingested = head.ingested;
        held.events += u64::from(head.count);
        held.bytes += bytes;
        self.keep(shared, &head.stream, record, true).await
    }

    async fn write_dirty(&mut self, shared: &Shared) -> Result<()> {
        let dirty: Vec<String> =
            self.streams.iter().filter(|(_, cached)| cached.dirty).map(|(name, _)| name.clone()).collect();
        for names in dirty.chunks(WRITES_AT_ONCE) {
            let mut writes = Vec::with_capacity(names.len());
            for name in names {
                let Some(cached) = self.streams.get(name) else { continue };
                let key = stream_key(&self.namespace, &self.record.id, name);
                let value = write_record(&cached.record)?;
                writes.push(async move { shared.records.put(&key, value, Expect::Any).await });
            }
            futures_util::future::try_join_all(writes).await?;
            for name in names {
                if let Some(cached) = self.streams.get_mut(name) {
                    cached.dirty = false;
                }
            }
        }
        Ok(())
    }

    /// Brings the stream records on disk up to the end of the log, so that a restart has nothing to read again.
    pub(crate) async fn write_checkpoint(&mut self, shared: &Shared) -> Result<()> {
        if self.gone || self.checkpoint == self.next {
            return Ok(());
        }
        self.write_dirty(shared).await?;
        let key = checkpoint_key(&self.namespace, &self.record.id);
        shared.records.put(&key, write_record(&self.next)?, Expect::Any).await?;
        self.checkpoint = self.next;
        Ok(())
    }

    /// Writes a changed record of the group itself.
    pub(crate) async fn write_group(&mut self, shared: &Shared, record: GroupRecord) -> Result<()> {
        let key = group_key(&self.namespace, &self.name);
        let value = write_record(&record)?;
        self.revision = shared.records.put(&key, value, Expect::Revision(self.revision)).await?;
        self.record = record;
        Ok(())
    }

    /// Forgets a stream that the sweep took from disk.
    pub(crate) fn forget_stream(&mut self, name: &str) {
        self.streams.remove(name);
    }

    pub(crate) fn log_of(namespace: &Namespace, record: &GroupRecord) -> String {
        log_name(namespace, &record.id)
    }
}

fn head_of(stream: &str, events: &[(Millis, Bytes)], place: (Millis, u64, Option<u64>)) -> Head {
    let (ingested, offset, prev) = place;
    Head {
        ingested,
        offset,
        prev,
        first: events.iter().map(|(at, _)| *at).min().unwrap_or_default(),
        last: events.iter().map(|(at, _)| *at).max().unwrap_or_default(),
        stream: Arc::from(stream),
        count: u32::try_from(events.len()).unwrap_or(u32::MAX),
    }
}

/// Pieces of about `ENTRY_BYTES`, none empty.
fn cut(events: &[(Millis, Bytes)]) -> Vec<&[(Millis, Bytes)]> {
    let mut pieces = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, (_, text)) in events.iter().enumerate() {
        if bytes > 0 && bytes + text.len() > ENTRY_BYTES {
            pieces.push(&events[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += text.len() + 12;
    }
    if start < events.len() {
        pieces.push(&events[start..]);
    }
    pieces
}
