//! Pages of a whole group: some streams or all, by time and by pattern, in the order of the log.

use std::collections::HashMap;

use anyfn_types::{Millis, Namespace, Result};

use crate::{
    entry::{Entry, Event},
    error::Fault,
    group::{AHEAD_MS, StreamRecord, read_record, seek},
    logs::{Logs, Shared},
    names::stream_key,
    pattern::Pattern,
    position::Position,
    read::{CHUNK_BYTES, CHUNK_ENTRIES},
};

/// Which streams of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Streams {
    #[default]
    All,
    Named(Vec<String>),
    Prefix(String),
}

impl Streams {
    pub(crate) fn matches(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefix(prefix) => stream.starts_with(prefix.as_str()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct FilterEvents {
    pub streams: Streams,
    /// Not before; inclusive.
    pub start: Option<Millis>,
    /// Not after; inclusive.
    pub end: Option<Millis>,
    pub pattern: Pattern,
    /// At most this many, 1..=10000.
    pub limit: usize,
    /// `FilterPage::next` of the page before.
    pub token: Option<String>,
}

/// Events by time within the page. A page may be empty and still have a next one.
#[derive(Clone, Debug, Default)]
pub struct FilterPage {
    pub events: Vec<Event>,
    pub next: Option<String>,
}

/// Tells streams that are there from those that were deleted, asking for each once a page.
struct Living<'a> {
    shared: &'a Shared,
    namespace: &'a Namespace,
    id: &'a str,
    from: HashMap<std::sync::Arc<str>, Option<u64>>,
}

impl Living<'_> {
    async fn holds(&mut self, entry: &Entry) -> Result<bool> {
        let name = &entry.head.stream;
        if let Some(from) = self.from.get(name) {
            return Ok(from.is_some_and(|from| entry.seq >= from));
        }
        let stored = self.shared.records.get(&stream_key(self.namespace, self.id, name)).await?;
        let from = match stored {
            Some(stored) => Some(read_record::<StreamRecord>(&stored)?.from),
            None => None,
        };
        self.from.insert(name.clone(), from);
        Ok(from.is_some_and(|from| entry.seq >= from))
    }
}

impl Logs {
    /// `log_group_not_found`, `log_stream_not_found` for a named stream, `log_token_invalid`.
    pub async fn filter_events(
        &self,
        namespace: &Namespace,
        group: &str,
        request: &FilterEvents,
    ) -> Result<FilterPage> {
        let token = request.token.as_deref().map(Position::parse).transpose()?;
        let mut held = self.group(namespace, group, None).await?;
        // The records on disk are asked below, outside of the lock.
        held.write_checkpoint(&self.0).await?;
        if let Streams::Named(names) = &request.streams {
            for name in names {
                held.stream(&self.0, name).await?.ok_or(Fault::NoStream)?;
            }
        }
        let (id, log, next) = (held.record.id.clone(), held.log.clone(), held.next);
        let start = request.start.unwrap_or(0).max(held.record.horizon(self.0.base.clock.wall()));
        drop(held);
        let from = match token {
            Some((_, from)) => from,
            None => {
                let (first, _) = self.0.log.bounds(&log).await?;
                let since = start.saturating_sub(AHEAD_MS);
                Position::at(if since == 0 {
                    first
                } else {
                    seek(&self.0, &log, (first, next), since).await?
                })
            }
        };
        let living = Living { shared: &self.0, namespace, id: &id, from: HashMap::new() };
        let range = (start, request.end.unwrap_or(Millis::MAX));
        Search { living, log: &log, next, range, request }.page(from).await
    }
}

struct Search<'a> {
    living: Living<'a>,
    log: &'a str,
    /// The log's end when the search began.
    next: u64,
    /// Both inclusive.
    range: (Millis, Millis),
    request: &'a FilterEvents,
}

impl Search<'_> {
    async fn page(mut self, from: Position) -> Result<FilterPage> {
        let options = &self.living.shared.options;
        let (mut bytes_left, mut entries_left) = (options.page_bytes, options.scan_entries.max(1));
        let limit = self.request.limit.clamp(1, 10_000);
        let mut page = FilterPage::default();
        let mut seq = from.seq;
        while seq < self.next {
            let chunk = CHUNK_ENTRIES.min(entries_left);
            let entries = self.living.shared.log.read(self.log, seq, chunk, CHUNK_BYTES).await?;
            if entries.is_empty() {
                break;
            }
            for raw in entries {
                if raw.seq >= self.next {
                    return Ok(finish(page, None));
                }
                seq = raw.seq + 1;
                let entry = Entry::decode(raw.seq, raw.bytes)?;
                for event in self.wanted(&entry).await? {
                    if event.position < from {
                        continue;
                    }
                    let full = page.events.len() >= limit
                        || (event.text.len() > bytes_left && !page.events.is_empty());
                    if full {
                        return Ok(finish(page, Some(event.position)));
                    }
                    bytes_left = bytes_left.saturating_sub(event.text.len());
                    page.events.push(event);
                }
                entries_left -= 1;
                if entries_left == 0 && seq < self.next {
                    return Ok(finish(page, Some(Position::at(seq))));
                }
            }
            if entries_left == 0 {
                break;
            }
        }
        Ok(finish(page, None))
    }

    async fn wanted(&mut self, entry: &Entry) -> Result<Vec<Event>> {
        let (start, end) = self.range;
        let head = &entry.head;
        if head.last < start || head.first > end || !self.request.streams.matches(&head.stream) {
            return Ok(Vec::new());
        }
        if !self.living.holds(entry).await? {
            return Ok(Vec::new());
        }
        let mut events = entry.events()?;
        events.retain(|event| (start..=end).contains(&event.at) && self.request.pattern.matches(&event.text));
        Ok(events)
    }
}

fn finish(mut page: FilterPage, next: Option<Position>) -> FilterPage {
    page.events.sort_by_key(|event| event.at);
    page.next = next.map(|next| next.token('f'));
    page
}
