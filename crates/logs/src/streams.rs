//! Streams: create, delete, list.

use anyfn_types::{Millis, Namespace, Result};

use crate::{
    error::Fault,
    group::{Entries, StreamRecord, read_record},
    logs::Logs,
    names::{check_stream, stream_key},
};

const SCAN: usize = 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    pub name: String,
    pub created: Millis,
    /// None while it has never held an event.
    pub first_event: Option<Millis>,
    pub last_event: Option<Millis>,
    pub last_ingestion: Option<Millis>,
    /// Sizes of all events it ever took, each with 26 bytes of overhead.
    pub stored_bytes: u64,
    /// Clients pass it to the next put; nothing depends on it.
    pub upload_token: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    #[default]
    Name,
    /// By the latest event; streams without events come first.
    LastEvent,
}

#[derive(Clone, Debug, Default)]
pub struct ListStreams {
    pub prefix: Option<String>,
    pub order: OrderBy,
    pub descending: bool,
    /// At most this many, 1..=1000.
    pub limit: usize,
    /// `StreamPage::next` of the page before.
    pub token: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct StreamPage {
    pub streams: Vec<StreamInfo>,
    pub next: Option<String>,
}

/// Where a stream stands in a listing.
type Rank = (Millis, String);

impl Logs {
    /// `log_stream_exists` if it is there already.
    pub async fn create_stream(&self, namespace: &Namespace, group: &str, name: &str) -> Result<()> {
        check_stream(name)?;
        let mut held = self.group(namespace, group, None).await?;
        held.create_stream(&self.0, name).await
    }

    /// Its events are out of reach at once; their bytes go with the retention or the group.
    pub async fn delete_stream(&self, namespace: &Namespace, group: &str, name: &str) -> Result<()> {
        let mut held = self.group(namespace, group, None).await?;
        held.delete_stream(&self.0, name).await
    }

    /// Reads all records of the group's streams unless the order is that of their names; memory stays at one page.
    pub async fn list_streams(
        &self,
        namespace: &Namespace,
        group: &str,
        request: &ListStreams,
    ) -> Result<StreamPage> {
        let mut held = self.group(namespace, group, None).await?;
        held.write_checkpoint(&self.0).await?;
        let base = stream_key(namespace, &held.record.id, "");
        drop(held);
        let after = request.token.as_deref().map(parse_rank).transpose()?;
        let mut page = Best { request, after, kept: Vec::new() };
        let prefix = format!("{base}{}", request.prefix.as_deref().unwrap_or_default());
        // In the order of keys a page can start where the one before ended, and stop when it is full.
        let in_key_order = request.order == OrderBy::Name && !request.descending;
        let mut after_key =
            page.after.as_ref().filter(|_| in_key_order).map(|rank| format!("{base}{}", rank.1));
        loop {
            let found = self.0.records.scan(&prefix, after_key.as_deref(), SCAN).await?;
            let ended = found.len() < SCAN;
            for stored in &found {
                let name = stored.key.strip_prefix(&base).unwrap_or_default();
                page.offer(name, read_record(stored)?);
            }
            if ended || (in_key_order && page.kept.len() > page.limit()) {
                return Ok(page.finish());
            }
            after_key = found.into_iter().next_back().map(|stored| stored.key);
        }
    }
}

/// The best of a listing so far: one more than the page holds, which tells whether there is a next page.
struct Best<'a> {
    request: &'a ListStreams,
    after: Option<Rank>,
    kept: Vec<(Rank, StreamRecord)>,
}

impl Best<'_> {
    fn limit(&self) -> usize {
        self.request.limit.clamp(1, 1000)
    }

    fn rank(&self, name: &str, record: &StreamRecord) -> Rank {
        let last = record.entries.map_or(0, |held| held.last_event);
        (if self.request.order == OrderBy::LastEvent { last } else { 0 }, name.to_owned())
    }

    fn offer(&mut self, name: &str, record: StreamRecord) {
        let rank = self.rank(name, &record);
        let down = self.request.descending;
        if self.after.as_ref().is_some_and(|after| if down { rank >= *after } else { rank <= *after }) {
            return;
        }
        let place = self.kept.partition_point(|(kept, _)| if down { *kept > rank } else { *kept < rank });
        if place <= self.limit() {
            self.kept.insert(place, (rank, record));
            self.kept.truncate(self.limit() + 1);
        }
    }

    fn finish(mut self) -> StreamPage {
        let more = self.kept.len() > self.limit();
        self.kept.truncate(self.limit());
        let next = self.kept.last().filter(|_| more).map(|((at, name), _)| format!("{at:020}/{name}"));
        let streams = self.kept.into_iter().map(|((_, name), record)| info(name, &record)).collect();
        StreamPage { streams, next }
    }
}

fn parse_rank(token: &str) -> Result<Rank, Fault> {
    let (at, name) = token.split_once('/').ok_or(Fault::Token)?;
    Ok((at.parse().map_err(|_| Fault::Token)?, name.to_owned()))
}

fn info(name: String, record: &StreamRecord) -> StreamInfo {
    let held = record.entries;
    let of = |field: fn(&Entries) -> u64| held.as_ref().map(field);
    StreamInfo {
        name,
        created: record.created,
        first_event: of(|held| held.first_event),
        last_event: of(|held| held.last_event),
        last_ingestion: of(|held| held.ingested),
        stored_bytes: of(|held| held.bytes).unwrap_or_default(),
        upload_token: format!("{:056}", of(|held| held.last_seq + 1).unwrap_or_default()),
    }
}
