//! Forgetting: events past their group's retention, streams that held nothing else, and what deleted groups left.

use anyfn_core::ports::Expect;
use anyfn_types::{Namespace, Result};

use crate::{
    error::Fault,
    group::{AHEAD_MS, StreamRecord, read_record, seek},
    logs::Logs,
    names::{GRAVES, GROUPS, split_key, stream_key},
};

const SCAN: usize = 200;

/// The numbers of days that a group may keep its events.
pub const RETENTION_DAYS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries of logs that were trimmed.
    pub entries: u64,
    /// Streams that held nothing any more.
    pub streams: u64,
    /// Deleted groups whose rest was removed.
    pub graves: u64,
}

pub(crate) fn check_retention(days: u16) -> Result<(), Fault> {
    if RETENTION_DAYS.contains(&days) { Ok(()) } else { Err(Fault::Retention(days)) }
}

impl Logs {
    pub(crate) async fn sweep_forever(&self) {
        loop {
            self.0.base.clock.sleep(self.0.options.sweep_every).await;
            match self.sweep().await {
                Ok(swept) => tracing::debug!(?swept, "swept the logs"),
                Err(error) => tracing::warn!(?error, "could not sweep the logs"),
            }
        }
    }

    /// One pass over all groups of all namespaces, a page of records at a time.
    pub async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        self.sweep_graves(&mut swept).await?;
        let mut after: Option<String> = None;
        loop {
            let found = self.0.records.scan(GROUPS, after.as_deref(), SCAN).await?;
            for stored in &found {
                if let Some((namespace, name)) = split_key(&stored.key, GROUPS) {
                    self.sweep_group(&namespace, name, &mut swept).await?;
                }
            }
            if found.len() < SCAN {
                return Ok(swept);
            }
            after = found.into_iter().next_back().map(|stored| stored.key);
        }
    }

    async fn sweep_group(&self, namespace: &Namespace, name: &str, swept: &mut Swept) -> Result<()> {
        let stored = self.0.records.get(&crate::names::group_key(namespace, name)).await?;
        let keeps_all = match &stored {
            Some(stored) => read_record::<crate::group::GroupRecord>(stored)?.retention_days.is_none(),
            None => true,
        };
        // A group that keeps all is not opened: a sweep must not push those in use out of the cache.
        if keeps_all {
            return Ok(());
        }
        let mut held = self.group(namespace, name, None).await?;
        let horizon = held.record.horizon(self.0.base.clock.wall()).saturating_sub(AHEAD_MS);
        let (first, next) = self.0.log.bounds(&held.log).await?;
        let before = seek(&self.0, &held.log, (first, next), horizon).await?;
        if before <= first {
            return Ok(());
        }
        held.write_checkpoint(&self.0).await?;
        // The last entry stays: it knows the sizes and the time that the next one builds on.
        let before = before.min(next - 1);
        self.0.log.trim(&held.log, before).await?;
        swept.entries += before - first;
        let prefix = stream_key(namespace, &held.record.id, "");
        let mut after: Option<String> = None;
        loop {
            let found = self.0.records.scan(&prefix, after.as_deref(), SCAN).await?;
            for stored in &found {
                let record: StreamRecord = read_record(stored)?;
                if record.entries.is_some_and(|held| held.last_seq < before) {
                    held.forget_stream(stored.key.strip_prefix(&prefix).unwrap_or_default());
                    self.0.records.delete(&stored.key, Expect::Any).await?;
                    swept.streams += 1;
                }
            }
            if found.len() < SCAN {
                return Ok(());
            }
            after = found.into_iter().next_back().map(|stored| stored.key);
        }
    }

    async fn sweep_graves(&self, swept: &mut Swept) -> Result<()> {
        loop {
            let found = self.0.records.scan(GRAVES, None, SCAN).await?;
            for stored in &found {
                let Some((namespace, id)) = split_key(&stored.key, GRAVES) else { continue };
                let name: String = read_record(stored)?;
                // A crash may have come between the grave and the end of the group: then the group lives on.
                let key = crate::names::group_key(&namespace, &name);
                let group = self.0.records.get(&key).await?;
                let lives = match &group {
                    Some(group) => read_record::<crate::group::GroupRecord>(group)?.id == id,
                    None => false,
                };
                if lives {
                    self.0.records.delete(&stored.key, Expect::Any).await?;
                } else {
                    self.bury(&namespace, id).await?;
                    swept.graves += 1;
                }
            }
            if found.len() < SCAN {
                return Ok(());
            }
        }
    }
}
