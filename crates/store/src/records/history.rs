//! The latest changes, for watchers. Bounded in number and bytes; what falls off the end makes slow watchers list again.

use std::{collections::VecDeque, sync::Arc};

use anyfn_core::ports::Change;
use tokio::sync::Notify;

const CHANGES: usize = 8192;
const BYTES: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct History {
    changes: VecDeque<(u64, Change)>,
    bytes: usize,
    /// Every change after this revision is in `changes`.
    horizon: u64,
    head: u64,
    grown: Arc<Notify>,
}

/// What a watcher gets next.
#[derive(Debug)]
pub(crate) enum Next {
    Changes(Vec<Change>),
    /// The watcher's place is not kept any more, or never was.
    Relist(u64),
    Nothing,
}

fn size(change: &Change) -> usize {
    match change {
        Change::Put(record) => record.key.len() + record.value.len(),
        Change::Deleted { key, .. } => key.len(),
        Change::Relist { .. } => 0,
    }
}

fn key(change: &Change) -> &str {
    match change {
        Change::Put(record) => &record.key,
        Change::Deleted { key, .. } => key,
        Change::Relist { .. } => "",
    }
}

impl History {
    /// The store starts with changes up to `head`, none of which are kept here.
    pub(crate) fn start(&mut self, head: u64) {
        (self.head, self.horizon) = (head, head);
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn grown(&self) -> Arc<Notify> {
        self.grown.clone()
    }

    pub(crate) fn push(&mut self, revision: u64, change: Change) {
        self.bytes += size(&change);
        self.changes.push_back((revision, change));
        self.head = revision;
        while self.changes.len() > CHANGES || self.bytes > BYTES {
            let Some((gone, change)) = self.changes.pop_front() else { break };
            self.bytes -= size(&change);
            self.horizon = gone;
        }
        self.grown.notify_waiters();
    }

    /// Changes under `prefix` after `from`, at most `limit`, and the revision up to which they were looked for.
    pub(crate) fn after(&self, from: u64, prefix: &str, limit: usize) -> (Next, u64) {
        if from < self.horizon || from > self.head {
            return (Next::Relist(self.head), self.head);
        }
        let begin = self.changes.partition_point(|(revision, _)| *revision <= from);
        let (mut found, mut seen) = (Vec::new(), from);
        for (revision, change) in self.changes.range(begin..) {
            if found.len() == limit {
                break;
            }
            seen = *revision;
            if key(change).starts_with(prefix) {
                found.push(change.clone());
            }
        }
        (if found.is_empty() { Next::Nothing } else { Next::Changes(found) }, seen)
    }
}
