//! Jobs are what callers want changed; a batch is the frames of the jobs that share one sync.

use anyfn_types::Error;

use crate::{
    frame::{self, Loc, Place},
    op::Op,
    shared::Shared,
};

/// How safe a job must be before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Safety {
    /// Handed to the operating system; synced within a second.
    Written,
    /// On disk.
    Synced,
}

/// What a job may use when the disk is full. Two spare segments are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// Neither.
    Ordinary,
    /// It helps to give space back (acks, deletes, trims): one of them.
    Frees,
    /// It gives space back: both.
    Compaction,
}

/// One wish. `stage` decides, `commit` or `fail` answers. Between `stage` and `commit` no reader may see the change;
/// later jobs of the same batch must.
pub(crate) trait Job: Send {
    /// An upper bound of the bytes that `stage` adds.
    fn room(&self) -> usize;
    fn need(&self) -> Need {
        Need::Ordinary
    }
    /// Checks the wish against the state and the jobs staged before it, and adds its frames. After an `Err` only `fail` follows.
    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error>;
    /// The frames are as safe as asked for: publish and answer.
    fn commit(self: Box<Self>, shared: &Shared);
    /// Undo what `stage` did and answer.
    fn fail(self: Box<Self>, shared: &Shared, error: Error);
}

#[derive(Debug)]
pub(crate) struct Batch {
    pub bytes: Vec<u8>,
    place: Place,
    /// Where in the segment `bytes` will lie.
    start: u64,
    /// The last change used.
    pub change: u64,
    synced: u64,
}

impl Batch {
    pub(crate) fn new(bytes: Vec<u8>, place: Place, start: u64, change: u64, synced: u64) -> Self {
        Self { bytes, place, start, change, synced }
    }

    /// The number that the next frame's change will have.
    pub(crate) fn next_change(&self) -> u64 {
        self.change + 1
    }

    pub(crate) fn add(&mut self, op: &Op<'_>) -> Loc {
        self.add_tied(op, false)
    }

    /// With `more`, the frame counts only together with the one that is added next.
    pub(crate) fn add_tied(&mut self, op: &Op<'_>, more: bool) -> Loc {
        self.change += 1;
        let start = frame::begin(&mut self.bytes);
        op.encode(&mut self.bytes);
        let len = frame::seal(&mut self.bytes, start, self.place, self.change, self.synced, more);
        // A segment is shorter than 4 GiB, so the place fits.
        let at = u32::try_from(self.start + start as u64).unwrap_or(u32::MAX);
        Loc { segment: self.place.segment, at, len }
    }
}
