//! What the writer and the readers share: the segments and the three indexes over them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyfn_base::Base;
use anyfn_types::Error;
use bytes::Bytes;

use crate::{
    error::StoreError,
    frame::Loc,
    logs::Logs,
    op::Op,
    queues::Queues,
    records::Index,
    segments::{Segments, damaged},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub base: Base,
    pub segments: Segments,
    records: RwLock<Index>,
    queues: Mutex<Queues>,
    logs: Mutex<Logs>,
}

impl Shared {
    pub(crate) fn new(base: Base, segments: Segments) -> Self {
        Self { base, segments, records: RwLock::default(), queues: Mutex::default(), logs: Mutex::default() }
    }

    pub(crate) fn records(&self) -> RwLockReadGuard<'_, Index> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn records_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in one change when the store starts; changes come in the order in which they lie on disk.
    pub(crate) fn replay(&self, op: &Op<'_>, loc: Loc) {
        match op {
            Op::Put { .. } | Op::Delete { .. } => self.records_mut().replay(op, loc, &self.segments),
            Op::Entry { .. } | Op::Bounds { .. } | Op::Removed { .. } => {
                self.logs().replay(op, loc, &self.segments);
            }
            Op::Message { .. }
            | Op::Leased { .. }
            | Op::Released { .. }
            | Op::Acked { .. }
            | Op::Buried { .. }
            | Op::Purged { .. }
            | Op::Redriven { .. } => self.queues().replay(op, loc, &self.segments),
            Op::Dropped { .. } => {}
        }
    }

    /// Reads a frame without blocking a worker; `None` if its segment has been given back (look up the place again).
    pub(crate) async fn read(self: &Arc<Self>, loc: Loc) -> Result<Option<Bytes>, Error> {
        if let Some(payload) = self.segments.read_cached(loc)? {
            return Ok(Some(payload));
        }
        let shared = self.clone();
        blocking(move || Ok(shared.segments.read(loc)?)).await
    }
}

/// The part of a payload that `part` borrows from it.
pub(crate) fn slice(
    payload: &Bytes,
    loc: Loc,
    part: impl Fn(Op<'_>) -> Option<&[u8]>,
) -> Result<Bytes, Error> {
    let found = crate::op::decode(payload).and_then(part).map(|bytes| payload.slice_ref(bytes));
    found.ok_or_else(|| damaged(loc.segment, u64::from(loc.at), "it holds another kind of change").into())
}

/// An index points into a segment that is not there any more: a fault of this room, told instead of searched for ever.
pub(crate) fn gone(loc: Loc) -> Error {
    damaged(loc.segment, u64::from(loc.at), "its segment is gone").into()
}

/// Runs what may wait for the disk on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Closed.into()),
    }
}
