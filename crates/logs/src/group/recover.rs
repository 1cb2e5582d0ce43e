//! Opens a group: reads its record, finds the log's end, and takes what lies past the checkpoint into the streams'
//! records. What the log holds is the truth; the records follow it.

use std::collections::BTreeMap;

use anyfn_core::ports::{Expect, Record};
use anyfn_types::{Kind, Millis, Namespace, Result};

use super::{GroupRecord, State, read_record, write_record};
use crate::{
    entry::Entry,
    error::Fault,
    logs::Shared,
    names::{checkpoint_key, group_key},
};

const CHUNK_ENTRIES: usize = 256;
const CHUNK_BYTES: usize = 4 << 20;

impl State {
    /// None if the group does not exist and `create` does not say how it should.
    pub(crate) async fn open(
        shared: &Shared,
        namespace: &Namespace,
        name: &str,
        create: Option<&GroupRecord>,
    ) -> Result<Option<Self>> {
        let key = group_key(namespace, name);
        let stored = match shared.records.get(&key).await? {
            Some(stored) => stored,
            None => match create {
                Some(fresh) => make(shared, key, fresh).await?,
                None => return Ok(None),
            },
        };
        let record: GroupRecord = read_record(&stored)?;
        let mut state = Self {
            namespace: namespace.clone(),
            name: name.to_owned(),
            log: Self::log_of(namespace, &record),
            record,
            revision: stored.revision,
            gone: false,
            next: 0,
            offset: 0,
            ingested: 0,
            checkpoint: 0,
            streams: BTreeMap::new(),
            tick: 0,
        };
        state.recover(shared).await?;
        Ok(Some(state))
    }

    async fn recover(&mut self, shared: &Shared) -> Result<()> {
        let (first, next) = shared.log.bounds(&self.log).await?;
        self.next = next;
        let key = checkpoint_key(&self.namespace, &self.record.id);
        let stored = shared.records.get(&key).await?;
        self.checkpoint = stored.map_or(Ok(0), |stored| read_record(&stored))?.min(next);
        if let Some(last) = read_entry(shared, &self.log, next.wrapping_sub(1)).await? {
            self.ingested = last.head.ingested;
            self.offset = last.head.offset + last.size();
        }
        let mut seq = self.checkpoint.max(first);
        while seq < next {
            let entries = shared.log.read(&self.log, seq, CHUNK_ENTRIES, CHUNK_BYTES).await?;
            let Some(last) = entries.last() else { break };
            seq = last.seq + 1;
            for raw in entries {
                let entry = Entry::decode(raw.seq, raw.bytes)?;
                self.note(shared, entry.seq, &entry.head, entry.size()).await?;
            }
        }
        Ok(())
    }
}

async fn make(shared: &Shared, key: String, fresh: &GroupRecord) -> Result<Record> {
    let value = write_record(fresh)?;
    match shared.records.put(&key, value.clone(), Expect::Absent).await {
        Ok(revision) => Ok(Record { key, value, revision }),
        Err(error) if error.kind == Kind::Precondition => {
            Ok(shared.records.get(&key).await?.ok_or(Fault::Contended)?)
        }
        Err(error) => Err(error),
    }
}

/// The entry with just this number, if the log still holds it.
pub(crate) async fn read_entry(shared: &Shared, log: &str, seq: u64) -> Result<Option<Entry>> {
    if seq == u64::MAX {
        return Ok(None);
    }
    let found = shared.log.read(log, seq, 1, usize::MAX).await?.into_iter().next();
    match found.filter(|raw| raw.seq == seq) {
        Some(raw) => Ok(Some(Entry::decode(raw.seq, raw.bytes)?)),
        None => Ok(None),
    }
}

/// The first entry kept in `first..next` that was ingested at `at` or later; `next` if there is none. Halving, since
/// ingestion times never descend.
pub(crate) async fn seek(shared: &Shared, log: &str, bounds: (u64, u64), at: Millis) -> Result<u64> {
    let (mut low, mut high) = bounds;
    while low < high {
        let middle = low + (high - low) / 2;
        match read_entry(shared, log, middle).await? {
            Some(entry) if entry.head.ingested >= at => high = middle,
            // One that is not there was trimmed while we looked: what is kept lies after it.
            _ => low = middle + 1,
        }
    }
    Ok(low)
}
