//! `Log`: places of entries in memory, entries in the segments.

use std::{collections::BTreeMap, sync::Arc};

use anyfn_core::ports::{Durability, Log, LogEntry};
use anyfn_types::{Error, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::{
    batch::{Batch, Job, Need, Safety},
    error::Result as StoreResult,
    frame::Loc,
    names,
    op::Op,
    segments::{Segments, damaged},
    shared::{Shared, gone, slice},
    writer::Writer,
};

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<u64, Loc>,
    first: u64,
    next: u64,
    /// `next` as the running batch leaves it.
    planned: u64,
    /// The latest segment that says something of `first` and `next`.
    bounded_in: u32,
    grown: Arc<Notify>,
}

impl State {
    fn drop_before(&mut self, before: u64, segments: &Segments) {
        let kept = self.entries.split_off(&before);
        std::mem::replace(&mut self.entries, kept).values().for_each(|loc| segments.forget(*loc));
        self.first = self.first.max(before);
    }

    fn is_idle(&self) -> bool {
        self.next == 0 && self.planned == 0 && Arc::strong_count(&self.grown) == 1
    }
}

/// All logs.
#[derive(Debug, Default)]
pub(crate) struct Logs(BTreeMap<Box<str>, State>);

impl Logs {
    fn get_or_new(&mut self, log: &str) -> &mut State {
        self.0.entry(log.into()).or_default()
    }

    fn tidy(&mut self, log: &str) {
        if self.0.get(log).is_some_and(State::is_idle) {
            self.0.remove(log);
        }
    }

    pub(crate) fn replay(&mut self, op: &Op<'_>, loc: Loc, segments: &Segments) {
        match *op {
            Op::Entry { log, seq, .. } => {
                let state = self.get_or_new(log);
                if seq < state.first {
                    return;
                }
                segments.keep(loc);
                if let Some(old) = state.entries.insert(seq, loc) {
                    segments.forget(old);
                }
                (state.next, state.bounded_in) = (state.next.max(seq.saturating_add(1)), loc.segment);
            }
            Op::Bounds { log, first, next } => {
                let state = self.get_or_new(log);
                (state.next, state.bounded_in) = (state.next.max(next), loc.segment);
                state.drop_before(first, segments);
            }
            Op::Removed { log } => {
                if let Some(state) = self.0.remove(log) {
                    state.entries.values().for_each(|loc| segments.forget(*loc));
                }
            }
            _ => {}
        }
    }

    /// After the last replay: entries must follow one another without a hole.
    pub(crate) fn start(&mut self) -> StoreResult<()> {
        for state in self.0.values_mut() {
            let first = state.entries.keys().next().copied().unwrap_or(state.next);
            (state.first, state.planned) = (first, state.next);
            if state.entries.len() as u64 != state.next.saturating_sub(first) {
                return Err(damaged(state.bounded_in, 0, "entries of a log are missing"));
            }
        }
        Ok(())
    }

    pub(crate) fn holds(&self, log: &str, seq: u64, loc: Loc) -> bool {
        self.0.get(log).and_then(|state| state.entries.get(&seq)).is_some_and(|found| *found == loc)
    }

    pub(crate) fn moved(&mut self, log: &str, seq: u64, loc: Loc) {
        if let Some(entry) = self.0.get_mut(log).and_then(|state| state.entries.get_mut(&seq)) {
            *entry = loc;
        }
    }

    /// Logs whose bounds are said nowhere behind the segment: they must be said again before it goes.
    pub(crate) fn bounded_in(&self, segment: u32) -> Vec<(String, u64, u64)> {
        let last = self.0.iter().filter(|(_, state)| state.next > 0 && state.bounded_in <= segment);
        last.map(|(log, state)| (log.to_string(), state.first, state.next)).collect()
    }

    pub(crate) fn bounds_moved(&mut self, log: &str, segment: u32) {
        if let Some(state) = self.0.get_mut(log) {
            state.bounded_in = segment;
        }
    }
}

#[derive(Debug)]
pub(crate) struct StoreLog {
    pub shared: Arc<Shared>,
    pub writer: Writer,
}

#[async_trait]
impl Log for StoreLog {
    async fn append(&self, log: &str, entries: Vec<Bytes>, durability: Durability) -> Result<u64, Error> {
        names::name(log)?;
        names::together(entries.iter().map(Bytes::len))?;
        let (answer, answered) = oneshot::channel();
        let log = log.to_owned();
        self.writer
            .run(
                Box::new(AppendJob { log, entries, durability, staged: Vec::new(), from: 0, answer }),
                answered,
            )
            .await
    }

    async fn read(&self, log: &str, from: u64, max: usize, max_bytes: usize) -> Result<Vec<LogEntry>, Error> {
        names::name(log)?;
        let (mut out, mut bytes, mut seq, mut before) = (Vec::new(), 0, from, None);
        while out.len() < max && bytes < max_bytes.max(1) {
            // Looked up one by one: a trim or a move in between is then seen.
            let found = self
                .shared
                .logs()
                .0
                .get(log)
                .and_then(|state| state.entries.range(seq..).next().map(|(seq, loc)| (*seq, *loc)));
            let Some((at, loc)) = found else { break };
            if !out.is_empty() && at != seq {
                break;
            }
            let Some(payload) = self.shared.read(loc).await? else {
                if before.replace(loc) == Some(loc) {
                    return Err(gone(loc));
                }
                continue;
            };
            let entry =
                slice(&payload, loc, |op| if let Op::Entry { bytes, .. } = op { Some(bytes) } else { None })?;
            bytes += entry.len();
            out.push(LogEntry { seq: at, bytes: entry });
            seq = at + 1;
        }
        Ok(out)
    }

    async fn bounds(&self, log: &str) -> Result<(u64, u64), Error> {
        names::name(log)?;
        Ok(self.shared.logs().0.get(log).map_or((0, 0), |state| (state.first, state.next)))
    }

    async fn trim(&self, log: &str, before: u64) -> Result<(), Error> {
        names::name(log)?;
        let (answer, answered) = oneshot::channel();
        let log = log.to_owned();
        self.writer.run(Box::new(TrimJob { log, before, staged: None, answer }), answered).await
    }

    async fn remove(&self, log: &str) -> Result<(), Error> {
        names::name(log)?;
        let (answer, answered) = oneshot::channel();
        self.writer.run(Box::new(RemoveJob { log: log.to_owned(), before: 0, answer }), answered).await
    }

    async fn reached(&self, log: &str, seq: u64) {
        let waiting = Waiting { shared: &self.shared, log };
        loop {
            let grown = self.shared.logs().get_or_new(log).grown.clone();
            // Begun before looking, so that a change in between wakes it.
            let more = grown.notified();
            if self.shared.logs().get_or_new(log).next > seq {
                break;
            }
            more.await;
        }
        drop(waiting);
    }

    async fn logs(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let logs = self.shared.logs();
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        let named = logs.0.range::<str, _>(from).take_while(|(name, _)| name.starts_with(prefix));
        Ok(named.filter(|(_, state)| state.next > 0).map(|(name, _)| name.to_string()).collect())
    }
}

/// A waiter makes an entry for a log that may not be there; the last one takes it away again.
struct Waiting<'a> {
    shared: &'a Shared,
    log: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.logs().tidy(self.log);
    }
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

struct AppendJob {
    log: String,
    entries: Vec<Bytes>,
    durability: Durability,
    staged: Vec<Loc>,
    from: u64,
    answer: Answer<u64>,
}

impl Job for AppendJob {
    fn room(&self) -> usize {
        self.entries.iter().map(|entry| Op::room(self.log.len(), entry.len())).sum()
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let mut logs = shared.logs();
        let state = logs.get_or_new(&self.log);
        self.from = state.planned;
        for (i, bytes) in self.entries.iter().enumerate() {
            let op = Op::Entry { log: &self.log, seq: state.planned, bytes };
            self.staged.push(batch.add_tied(&op, i + 1 < self.entries.len()));
            state.planned += 1;
        }
        Ok(if self.durability == Durability::Synced { Safety::Synced } else { Safety::Written })
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut logs = shared.logs();
        let state = logs.get_or_new(&self.log);
        for (seq, loc) in (self.from..).zip(&self.staged) {
            shared.segments.keep(*loc);
            state.entries.insert(seq, *loc);
            (state.next, state.bounded_in) = (seq + 1, loc.segment);
        }
        state.grown.notify_waiters();
        logs.tidy(&self.log);
        drop(logs);
        let _ = self.answer.send(Ok(self.from));
    }

    fn fail(self: Box<Self>, shared: &Shared, error: Error) {
        let mut logs = shared.logs();
        logs.get_or_new(&self.log).planned = self.from;
        logs.tidy(&self.log);
        drop(logs);
        let _ = self.answer.send(Err(error));
    }
}

struct TrimJob {
    log: String,
    before: u64,
    staged: Option<Loc>,
    answer: Answer<()>,
}

impl Job for TrimJob {
    fn room(&self) -> usize {
        Op::room(self.log.len(), 0)
    }

    fn need(&self) -> Need {
        Need::Frees
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let logs = shared.logs();
        let Some(state) = logs.0.get(&*self.log) else { return Ok(Safety::Synced) };
        if self.before > state.planned {
            let text = "a log cannot be trimmed behind its end";
            return Err(Error::new(Kind::Invalid, "log_trim_invalid", text));
        }
        if self.before > state.first {
            let op = Op::Bounds { log: &self.log, first: self.before, next: state.planned };
            self.staged = Some(batch.add(&op));
        }
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        if let (Some(loc), Some(state)) = (self.staged, shared.logs().0.get_mut(&*self.log)) {
            state.drop_before(self.before, &shared.segments);
            state.bounded_in = loc.segment;
        }
        let _ = self.answer.send(Ok(()));
    }

    fn fail(self: Box<Self>, _shared: &Shared, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}

struct RemoveJob {
    log: String,
    before: u64,
    answer: Answer<()>,
}

impl Job for RemoveJob {
    fn room(&self) -> usize {
        Op::room(self.log.len(), 0)
    }

    fn need(&self) -> Need {
        Need::Frees
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        if let Some(state) = shared.logs().0.get_mut(&*self.log) {
            self.before = std::mem::take(&mut state.planned);
            batch.add(&Op::Removed { log: &self.log });
        }
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut logs = shared.logs();
        if let Some(state) = logs.0.get_mut(&*self.log) {
            state.entries.values().for_each(|loc| shared.segments.forget(*loc));
            state.entries.clear();
            (state.first, state.next) = (0, 0);
        }
        logs.tidy(&self.log);
        drop(logs);
        let _ = self.answer.send(Ok(()));
    }

    fn fail(self: Box<Self>, shared: &Shared, error: Error) {
        if let Some(state) = shared.logs().0.get_mut(&*self.log) {
            state.planned = self.before;
        }
        let _ = self.answer.send(Err(error));
    }
}
