//! Gives space back: the oldest segment's living frames are written again at the end of the log, then the segment goes.
//!
//! Always the oldest, because then whatever undid something (a delete, an ack, a trim) lies in the same segment or behind
//! it, and may go with it. Costs at most one byte written again for each byte of garbage, for the log is let grow to twice
//! what lives in it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyfn_types::Error;

use crate::{
    batch::{Batch, Job, Need, Safety},
    commit::Committer,
    error::Result,
    frame::{FRAME_HEAD, Loc},
    op::{self, Op},
    scan::Scanner,
    segments::damaged,
    shared::Shared,
};

/// Bytes read and written again between two batches of callers.
const SLICE: usize = 1 << 20;
/// Segments' worth of garbage that is let lie.
const SLACK: u64 = 2;

#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// Where in the oldest segment to go on.
    at: u64,
    /// It failed; try again once a caller's batch went through.
    stalled: bool,
}

impl Committer {
    /// Whether the log has grown to where the oldest segment should go.
    pub(crate) fn wants_compaction(&self) -> bool {
        if self.compaction.stalled || self.first >= self.active.number {
            return false;
        }
        let Some(oldest) = self.shared.segments.oldest() else { return false };
        let (used, live, _) = self.shared.segments.usage();
        // On a full disk garbage is not let lie, as long as there is some to gain.
        let let_lie = if self.is_pressed() { 0 } else { live };
        self.compaction.at > 0 || oldest.live() == 0 || used > live + let_lie + SLACK * self.segment_bytes()
    }

    pub(crate) fn resume_compaction(&mut self) {
        self.compaction.stalled = false;
    }

    /// One slice of work, in a batch of its own: no other job may come between finding a frame alive and writing it again.
    pub(crate) fn compact(&mut self) {
        if let Err(error) = self.compact_slice() {
            tracing::error!(error = %error, "space could not be given back");
            self.compaction.stalled = true;
        }
    }

    fn compact_slice(&mut self) -> Result<()> {
        let Some(segment) = self.shared.segments.oldest() else { return Ok(()) };
        let number = segment.number;
        let mut scanner =
            Scanner::new(&*segment.file, self.shared.segments.place(number), self.compaction.at);
        let (mut job, mut read) = (Relocate::default(), 0);
        while segment.live() > 0 && scanner.at() < segment.end() && read < SLICE {
            let at = scanner.at();
            let Some((_, loc, payload)) = scanner.next()? else {
                return Err(damaged(number, at, "its checksum does not match"));
            };
            read += payload.len();
            if let Some(reason) = live(&self.shared, payload, loc) {
                job.reasons += reason;
                job.frames.push((loc, payload.to_vec()));
            }
        }
        self.compaction.at = scanner.at();
        let last = segment.live() == 0 || scanner.at() >= segment.end();
        if last {
            job.finish = Some(number);
            let logs = self.shared.logs().bounded_in(number);
            job.bounds_room = logs.iter().map(|(log, ..)| Op::room(log.len(), 0)).sum();
        }
        let done = job.done.clone();
        self.commit(vec![Box::new(job)]);
        if !done.load(Ordering::Acquire) {
            self.compaction = Compaction { at: 0, stalled: true };
        } else if last {
            self.compaction.at = 0;
            self.first = number + 1;
            self.shared.segments.remove(number)?;
        }
        Ok(())
    }
}

/// `None` if no index points at the frame; otherwise the bytes of the reason that it will carry.
fn live(shared: &Shared, payload: &[u8], loc: Loc) -> Option<usize> {
    match op::decode(payload)? {
        Op::Put { key, .. } => shared.records().holds(key, loc).then_some(0),
        Op::Message { queue, facts, .. } => {
            let (_, reason) = shared.queues().standing(queue, facts.id, loc)?;
            Some(reason.map_or(0, |reason| reason.len() + 2))
        }
        Op::Entry { log, seq, .. } => shared.logs().holds(log, seq, loc).then_some(0),
        _ => None,
    }
}

fn bytes(loc: Loc) -> usize {
    FRAME_HEAD + loc.len as usize
}

/// Writes living frames again and, at a segment's end, says that it is not needed any more.
#[derive(Default)]
struct Relocate {
    frames: Vec<(Loc, Vec<u8>)>,
    moved: Vec<Loc>,
    finish: Option<u32>,
    bounds: Vec<(String, Loc)>,
    /// Bytes of reasons, which messages that died meanwhile now carry.
    reasons: usize,
    bounds_room: usize,
    done: Arc<AtomicBool>,
}

impl Relocate {
    fn add(payload: &[u8], loc: Loc, shared: &Shared, batch: &mut Batch) -> Loc {
        match op::decode(payload) {
            // As it stands now: attempts and due time have changed since.
            Some(Op::Message { queue, facts, reason, body }) => {
                let standing = shared.queues().standing(queue, facts.id, loc);
                let (facts, now_dead) = standing.unwrap_or_else(|| (facts, reason.map(str::to_owned)));
                batch.add(&Op::Message { queue, facts, reason: now_dead.as_deref(), body })
            }
            Some(op) => batch.add(&op),
            None => loc,
        }
    }
}

impl Job for Relocate {
    fn room(&self) -> usize {
        let frames: usize = self.frames.iter().map(|(loc, _)| bytes(*loc)).sum();
        frames + self.reasons + self.bounds_room + Op::room(0, 0)
    }

    fn need(&self) -> Need {
        Need::Compaction
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        for (loc, payload) in &self.frames {
            self.moved.push(Self::add(payload, *loc, shared, batch));
        }
        let Some(number) = self.finish else { return Ok(Safety::Written) };
        for (log, first, next) in shared.logs().bounded_in(number) {
            let loc = batch.add(&Op::Bounds { log: &log, first, next });
            self.bounds.push((log, loc));
        }
        batch.add(&Op::Dropped { first: number + 1 });
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        for ((old, payload), new) in self.frames.iter().zip(&self.moved) {
            match op::decode(payload) {
                Some(Op::Put { key, .. }) => shared.records_mut().moved(key, *new),
                Some(Op::Message { queue, facts, .. }) => shared.queues().moved(queue, facts.id, *new),
                Some(Op::Entry { log, seq, .. }) => shared.logs().moved(log, seq, *new),
                _ => continue,
            }
            shared.segments.keep(*new);
            shared.segments.forget(*old);
        }
        for (log, loc) in &self.bounds {
            shared.logs().bounds_moved(log, loc.segment);
        }
        self.done.store(true, Ordering::Release);
    }

    fn fail(self: Box<Self>, _shared: &Shared, _error: Error) {}
}
