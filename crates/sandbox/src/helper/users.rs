//! Host user ids for sandboxes: one each, and none is used again while its sandbox lives.

use std::collections::BTreeSet;

/// Ids of one helper.
const RANGE: u32 = 16_384;
/// Above the ids of people and services, below those that container tools hand out by default in most set-ups.
const FIRST: u32 = 200_000;
/// Ranges for helpers with different names.
const RANGES: u32 = 4096;

#[derive(Debug)]
pub(crate) struct Users {
    base: u32,
    next: u32,
    taken: BTreeSet<u32>,
}

impl Users {
    /// The name picks the range, so that two helpers of one host are unlikely to share ids.
    pub(crate) fn new(name: &str) -> Self {
        let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        Self { base: FIRST + (hash % RANGES) * RANGE, next: 0, taken: BTreeSet::new() }
    }

    /// None if all are taken.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let free = (0..RANGE)
            .map(|step| self.base + (self.next + step) % RANGE)
            .find(|id| !self.taken.contains(id))?;
        self.next = (free - self.base + 1) % RANGE;
        self.taken.insert(free);
        Some(free)
    }

    pub(crate) fn give_back(&mut self, id: u32) {
        self.taken.remove(&id);
    }
}

#[cfg(test)]
mod tests;
