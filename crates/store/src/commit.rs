//! The only writer: takes jobs in batches, lays their frames behind one another, syncs once, answers all.
//!
//! What must stay true: `synced_end <= end`; `tail` holds exactly the bytes between them; nothing that was not written
//! is published, and nothing answered as synced lies behind `synced_end`.

use std::{io, sync::Arc};

use anyfn_base::{Counter, Gauge, Histogram, Metrics};
use anyfn_types::{Error, Kind};

use crate::{
    batch::{Batch, Job, Need, Safety},
    compact::Compaction,
    error::{During, Result, StoreError},
    frame::{SEGMENT_HEAD, SegmentHead},
    mark::Mark,
    segments::Segment,
    shared::Shared,
};

/// Bytes of jobs that share one write.
const BATCH: usize = 4 << 20;
/// Segments held back for when the disk is full.
const SPARES: u8 = 2;
/// Bytes that may wait for the sync of every second.
const TAIL: usize = 4 << 20;

#[derive(Debug)]
pub(crate) struct Figures {
    appends: Counter,
    syncs: Counter,
    bytes: Counter,
    sync_time: Histogram,
    used: Gauge,
    live: Gauge,
}

impl Figures {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            appends: metrics.counter("anyfn_store_appends_total", "Changes written to the log.", &[]),
            syncs: metrics.counter("anyfn_store_syncs_total", "Syncs of the log.", &[]),
            bytes: metrics.counter("anyfn_store_written_bytes_total", "Bytes written to the log.", &[]),
            sync_time: metrics.histogram("anyfn_store_sync_seconds", "How long a sync took.", &[]),
            used: metrics.gauge("anyfn_store_used_bytes", "Bytes in segments.", &[]),
            live: metrics.gauge("anyfn_store_live_bytes", "Bytes in segments that are still needed.", &[]),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Committer {
    pub shared: Arc<Shared>,
    pub active: Arc<Segment>,
    /// Oldest segment that is needed.
    pub first: u32,
    pub compaction: Compaction,
    figures: Figures,
    mark: Mark,
    segment_bytes: u64,
    end: u64,
    synced_end: u64,
    /// Bytes of the active segment that have room on the disk.
    reserved: u64,
    change: u64,
    synced: u64,
    tail: Vec<u8>,
    /// What lies behind `end` is unknown: a write or sync failed, or the store was just opened.
    unclean: bool,
    /// The disk had no room for the next segment, or for the spare one.
    full: bool,
    /// Segments' worth of the disk that are held back, see `Need`.
    spares: u8,
    /// Memory of the last batch, for the next.
    buffer: Vec<u8>,
}

/// Where recovery found the end of the log.
#[derive(Debug)]
pub(crate) struct Start {
    pub active: Arc<Segment>,
    pub first: u32,
    pub end: u64,
    pub change: u64,
    pub mark: Mark,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, start: Start, segment_bytes: u64) -> Self {
        let figures = Figures::new(&shared.base.metrics);
        Self {
            shared,
            active: start.active,
            first: start.first,
            compaction: Compaction::default(),
            figures,
            mark: start.mark,
            segment_bytes,
            end: start.end,
            synced_end: start.end,
            reserved: 0,
            change: start.change,
            synced: start.change,
            tail: Vec::new(),
            unclean: true,
            full: false,
            spares: 0,
            buffer: Vec::new(),
        }
    }

    /// Whether something written still waits for a sync.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.tail.is_empty()
    }

    /// Commits all jobs, in order, each answered when this returns.
    pub(crate) fn commit(&mut self, jobs: Vec<Box<dyn Job>>) {
        let mut jobs = jobs.into_iter().peekable();
        while let Some(first) = jobs.next() {
            let mut room = first.room();
            let mut together = vec![first];
            while let Some(next) = jobs.next_if(|next| room + next.room() <= BATCH) {
                room += next.room();
                together.push(next);
            }
            self.commit_batch(together, room);
        }
    }

    fn commit_batch(&mut self, jobs: Vec<Box<dyn Job>>, room: usize) {
        // The job that may use least rules its batch, so that no ordinary one uses what is held back.
        let need = jobs.iter().map(|job| job.need()).min().unwrap_or(Need::Ordinary);
        if let Err(error) = self.make_room(room as u64, need) {
            let (frees, rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.need() > need);
            rest.into_iter().for_each(|job| job.fail(&self.shared, error.twin().into()));
            if !frees.is_empty() {
                self.commit_batch(frees, room);
            }
            return;
        }
        let place = self.shared.segments.place(self.active.number);
        let bytes = std::mem::take(&mut self.buffer);
        let mut batch = Batch::new(bytes, place, self.end, self.change, self.synced);
        let mut safety = Safety::Written;
        let mut staged = Vec::with_capacity(jobs.len());
        for mut job in jobs {
            let decision = job.stage(&self.shared, &mut batch);
            safety = safety.max(*decision.as_ref().unwrap_or(&Safety::Written));
            staged.push((job, decision.err()));
        }
        debug_assert!(batch.bytes.len() <= room, "a job asked for too little room");
        let written = self.write(&batch, safety);
        self.buffer = batch.bytes;
        self.buffer.clear();
        self.buffer.shrink_to(BATCH);
        self.answer(staged, written);
    }

    /// A refusal may rest on a change of the same batch, so it waits for the batch like the rest.
    fn answer(&self, staged: Vec<(Box<dyn Job>, Option<Error>)>, written: Result<()>) {
        match written {
            Ok(()) => staged.into_iter().for_each(|(job, refused)| match refused {
                None => job.commit(&self.shared),
                Some(error) => job.fail(&self.shared, error),
            }),
            // Undone from the last to the first, so that each finds what it left.
            Err(error) => staged.into_iter().rev().for_each(|(job, refused)| {
                let refused = refused.filter(|refused| refused.kind == Kind::Invalid);
                job.fail(&self.shared, refused.unwrap_or_else(|| error.twin().into()));
            }),
        }
    }

    fn write(&mut self, batch: &Batch, safety: Safety) -> Result<()> {
        if !batch.bytes.is_empty() {
            if let Err(error) = self.active.file.write_at(&batch.bytes, self.end) {
                return Err(self.failed("writing changes", error));
            }
            self.figures.appends.add(batch.change - self.change);
            self.figures.bytes.add(batch.bytes.len() as u64);
        }
        // Changes that failed leave a hole: their numbers may have been on disk and are not used again.
        self.change = batch.change;
        let end = self.end;
        self.tail.extend_from_slice(&batch.bytes);
        self.end += batch.bytes.len() as u64;
        let wanted = safety == Safety::Synced || self.tail.len() > TAIL;
        if wanted && let Err(error) = self.sync() {
            self.tail.truncate(usize::try_from(end - self.synced_end).unwrap_or_default());
            self.end = end;
            return Err(self.failed("syncing changes", error));
        }
        self.active.set_end(self.end);
        Ok(())
    }

    /// Remembers that the disk may hold bytes that nobody was promised, and tries at once to take them away.
    fn failed(&mut self, what: &'static str, source: io::Error) -> StoreError {
        self.unclean = true;
        tracing::error!(what, error = %source, "the storage refused");
        let _ = self.clean();
        StoreError::Io { what, source }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let began = self.shared.base.clock.now();
        self.active.file.sync()?;
        self.figures.sync_time.observe_us(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.figures.syncs.add(1);
        self.tail.clear();
        self.tail.shrink_to(TAIL);
        self.synced_end = self.end;
        self.synced = self.change;
        self.mark.set(self.synced);
        Ok(())
    }

    /// Syncs what still waits; failing leaves it waiting.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.unclean {
            self.clean()?;
        }
        match self.sync() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed("syncing changes", error)),
        }
    }

    /// Writes again what was promised and cuts off the rest. After a failed sync the kernel may have dropped the pages,
    /// so they are written from memory, not synced a second time.
    fn clean(&mut self) -> Result<()> {
        let file = &self.active.file;
        file.write_at(&self.tail, self.synced_end).during("writing changes again")?;
        file.truncate(self.end).during("cutting off changes that failed")?;
        self.reserved = self.end;
        file.sync().during("syncing after a failure")?;
        let wanted = self.segment_bytes.max(self.end);
        self.reserved = file.reserve(wanted).map_or(self.end, |()| wanted);
        self.unclean = false;
        self.synced_end = self.end;
        self.synced = self.change;
        self.tail.clear();
        self.mark.set(self.synced);
        Ok(())
    }

    /// Sees to it that `room` bytes fit behind `end`: in the active segment or in a new one.
    fn make_room(&mut self, room: u64, need: Need) -> Result<()> {
        if self.unclean {
            self.clean()?;
        }
        let held = self.hold_spares();
        self.full = held.as_ref().is_err_and(StoreError::is_full);
        let kept = match need {
            Need::Ordinary => SPARES,
            Need::Frees => 1,
            Need::Compaction => 0,
        };
        if self.spares < kept {
            return held;
        }
        if self.end + room <= self.reserved || self.extend(room, need) {
            return Ok(());
        }
        let mut rolled = self.roll_for(room, need);
        while rolled.as_ref().is_err_and(StoreError::is_full) && self.spares > kept {
            self.shared.segments.give_spare(self.spares)?;
            self.spares -= 1;
            rolled = self.roll_for(room, need);
        }
        self.full |= self.spares < SPARES || rolled.as_ref().is_err_and(StoreError::is_full);
        rolled
    }

    fn hold_spares(&mut self) -> Result<()> {
        while self.spares < SPARES {
            self.shared.segments.hold_spare(self.spares + 1, self.segment_bytes)?;
            self.spares += 1;
        }
        Ok(())
    }

    /// Reserves more of the active segment, if that is enough.
    fn extend(&mut self, room: u64, need: Need) -> bool {
        let (whole, least) = (self.segment_bytes, self.end + room);
        let tried = [whole, if need == Need::Ordinary { whole } else { least }];
        let fits = |len: &u64| least <= whole && self.active.file.reserve(*len).is_ok();
        let Some(reserved) = tried.into_iter().find(fits) else { return false };
        self.reserved = reserved;
        true
    }

    /// What gives space back is content with less than a whole segment.
    fn roll_for(&mut self, room: u64, need: Need) -> Result<()> {
        let least = SEGMENT_HEAD as u64 + room;
        match self.roll(self.segment_bytes.max(least)) {
            Err(error) if error.is_full() && need > Need::Ordinary => self.roll(least),
            other => other,
        }
    }

    /// Whether the disk had no room for another segment when last asked.
    pub(crate) fn is_pressed(&self) -> bool {
        self.full
    }

    /// Ends the active segment and begins the next.
    fn roll(&mut self, len: u64) -> Result<()> {
        self.flush()?;
        let place = self.shared.segments.place(self.active.number + 1);
        let head = SegmentHead { place, first: self.first, before: self.change };
        let next = self.shared.segments.create(head, len)?;
        // The rest was only reserved. If cutting fails, the zeros stay; the next segment's head says where this one ends.
        let _ = self.active.file.truncate(self.end);
        self.active = next;
        (self.end, self.synced_end, self.reserved) = (SEGMENT_HEAD as u64, SEGMENT_HEAD as u64, len);
        let (used, live, _) = self.shared.segments.usage();
        self.figures.used.set(i64::try_from(used).unwrap_or(i64::MAX));
        self.figures.live.set(i64::try_from(live).unwrap_or(i64::MAX));
        Ok(())
    }

    /// The last act: everything is on disk, and the mark says so.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.flush()?;
        let _ = self.active.file.truncate(self.end);
        self.reserved = self.end;
        self.mark.set(self.synced);
        self.mark.sync();
        Ok(())
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }
}
