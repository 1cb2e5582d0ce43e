//! Pages of one stream, forward by scanning its part of the log, backward along the entries' links.

use anyfn_types::{Millis, Namespace, Result};

use crate::{
    entry::{Entry, Event},
    error::Fault,
    group::{AHEAD_MS, read_entry, seek},
    logs::{Logs, Shared},
    position::Position,
};

pub(crate) const CHUNK_ENTRIES: usize = 256;
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// Which events of a stream to read.
#[derive(Clone, Debug, Default)]
pub struct GetEvents {
    /// Not before; inclusive.
    pub start: Option<Millis>,
    /// Before this; exclusive.
    pub end: Option<Millis>,
    /// Without a token: the earliest events, not the latest.
    pub from_head: bool,
    /// At most this many, 1..=10000.
    pub limit: usize,
    /// `forward` or `backward` of the page before.
    pub token: Option<String>,
}

/// Events by time. A token that comes back as it was given means that there is nothing more that way now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    pub events: Vec<Event>,
    pub forward: String,
    pub backward: String,
}

/// A stream's part of the log while it is read.
pub(crate) struct Span {
    log: String,
    /// First and last entry; none if there is nothing to read.
    entries: Option<(u64, u64)>,
    /// The log's end when the reading began.
    next: u64,
    pub(crate) start: Millis,
    pub(crate) end: Millis,
}

impl Span {
    pub(crate) fn holds(&self, at: Millis) -> bool {
        (self.start..self.end).contains(&at)
    }
}

/// Collects a page within its bounds.
struct Page {
    events: Vec<Event>,
    limit: usize,
    bytes_left: usize,
    entries_left: usize,
}

impl Page {
    /// False when the page is full.
    fn take(&mut self, event: Event) -> bool {
        if self.events.len() >= self.limit || (event.text.len() > self.bytes_left && !self.events.is_empty())
        {
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(event.text.len());
        self.events.push(event);
        true
    }
}

impl Logs {
    /// `log_stream_not_found`, `log_group_not_found`, `log_token_invalid`.
    pub async fn get_events(
        &self,
        namespace: &Namespace,
        group: &str,
        stream: &str,
        request: &GetEvents,
    ) -> Result<EventPage> {
        let token = request.token.as_deref().map(Position::parse).transpose()?;
        let mut held = self.group(namespace, group, None).await?;
        let record = held.stream(&self.0, stream).await?.ok_or(Fault::NoStream)?;
        let span = Span {
            log: held.log.clone(),
            entries: record.entries.map(|entries| (entries.first_seq, entries.last_seq)),
            next: held.next,
            start: request.start.unwrap_or(0).max(held.record.horizon(self.0.base.clock.wall())),
            end: request.end.unwrap_or(Millis::MAX),
        };
        drop(held);
        let page = Page {
            events: Vec::new(),
            limit: request.limit.clamp(1, 10_000),
            bytes_left: self.0.options.page_bytes,
            entries_left: self.0.options.scan_entries.max(1),
        };
        match token {
            Some(('b', from)) => backward(&self.0, &span, stream, (from, page)).await,
            Some((_, from)) => forward(&self.0, &span, stream, (from, page)).await,
            None if request.from_head => {
                let from = head(&self.0, &span).await?;
                forward(&self.0, &span, stream, (from, page)).await
            }
            None => {
                let end = Position::at(span.entries.map_or(span.next, |(_, last)| last + 1));
                backward(&self.0, &span, stream, (end, page)).await
            }
        }
    }
}

/// Where the first event of the span may lie.
async fn head(shared: &Shared, span: &Span) -> Result<Position> {
    let Some((first, last)) = span.entries else { return Ok(Position::at(span.next)) };
    let (kept, _) = shared.log.bounds(&span.log).await?;
    let bounds = (first.max(kept), (last + 1).max(kept));
    // Nothing is further ahead of its ingestion than that.
    let since = span.start.saturating_sub(AHEAD_MS);
    Ok(Position::at(if since == 0 { bounds.0 } else { seek(shared, &span.log, bounds, since).await? }))
}

async fn forward(
    shared: &Shared,
    span: &Span,
    stream: &str,
    (from, mut page): (Position, Page),
) -> Result<EventPage> {
    let (first, end) = span.entries.map_or((0, 0), |(first, last)| (first, last + 1));
    let mut seq = from.seq.max(first);
    // Moves only past events of the page, or to where the budget ended: the end of the log moves with other streams, and
    // a token at the end must not.
    let mut mark = from;
    'page: while seq < end {
        let chunk = CHUNK_ENTRIES.min(page.entries_left);
        let entries = shared.log.read(&span.log, seq, chunk, CHUNK_BYTES).await?;
        if entries.is_empty() {
            break;
        }
        for raw in entries {
            if raw.seq >= end {
                break 'page;
            }
            seq = raw.seq + 1;
            let entry = Entry::decode(raw.seq, raw.bytes)?;
            for event in wanted(&entry, span, stream)?.into_iter().filter(|event| event.position >= from) {
                let place = event.position;
                if !page.take(event) {
                    break 'page;
                }
                mark = place.after();
            }
            page.entries_left -= 1;
            if page.entries_left == 0 {
                mark = if seq < end { Position::at(seq) } else { mark };
                break 'page;
            }
        }
    }
    let before = page.events.first().map_or(from, |event| event.position);
    Ok(finish(page.events, mark, before))
}

async fn backward(
    shared: &Shared,
    span: &Span,
    stream: &str,
    (from, mut page): (Position, Page),
) -> Result<EventPage> {
    let mut next = last_before(shared, span, stream, from).await?;
    let mut mark = from;
    let oldest = span.start.saturating_sub(AHEAD_MS);
    'page: while let Some(entry) = next {
        for event in wanted(&entry, span, stream)?.into_iter().rev().filter(|event| event.position < from) {
            let place = event.position;
            if !page.take(event) {
                break 'page;
            }
            mark = place;
        }
        page.entries_left -= 1;
        let prev = entry.head.prev.filter(|_| entry.head.ingested >= oldest);
        if page.entries_left == 0 {
            mark = if prev.is_some() { Position::at(entry.seq) } else { mark };
            break;
        }
        next = read_entry(shared, &span.log, prev.unwrap_or(u64::MAX)).await?;
    }
    page.events.reverse();
    let after = page.events.last().map_or(from, |event| event.position.after());
    Ok(finish(page.events, after, mark))
}

/// The stream's entry that holds what lies just before the place.
async fn last_before(shared: &Shared, span: &Span, stream: &str, from: Position) -> Result<Option<Entry>> {
    let Some((_, last)) = span.entries else { return Ok(None) };
    if from.seq <= last {
        match read_entry(shared, &span.log, from.seq).await? {
            Some(there) if *there.head.stream != *stream => {}
            Some(there) if from.index == 0 => {
                return read_entry(shared, &span.log, there.head.prev.unwrap_or(u64::MAX)).await;
            }
            there => return Ok(there),
        }
    }
    // The place is another stream's: go down from the end.
    let mut entry = read_entry(shared, &span.log, last).await?;
    while let Some(later) = entry.as_ref().filter(|entry| entry.seq > from.seq) {
        entry = read_entry(shared, &span.log, later.head.prev.unwrap_or(u64::MAX)).await?;
    }
    Ok(entry)
}

/// Within a page events stand by time; those of one time as they were put.
fn finish(mut events: Vec<Event>, forward: Position, backward: Position) -> EventPage {
    events.sort_by_key(|event| event.at);
    EventPage { events, forward: forward.token('f'), backward: backward.token('b') }
}

/// The entry's events if it is of the stream and within the span.
fn wanted(entry: &Entry, span: &Span, stream: &str) -> Result<Vec<Event>> {
    if *entry.head.stream != *stream || entry.head.last < span.start || entry.head.first >= span.end {
        return Ok(Vec::new());
    }
    let mut events = entry.events()?;
    events.retain(|event| span.holds(event.at));
    Ok(events)
}
