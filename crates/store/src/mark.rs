//! The mark: a small file beside the segments that says up to which change everything was on disk. It is written after
//! each sync without a sync of its own, so it may lag behind but never runs ahead. With it, a damaged last frame can be told from
//! one whose writing was cut short.

use std::sync::Arc;

use crate::disk::DiskFile;

const SLOT: u64 = 512;
const LEN: usize = 20;

#[derive(Debug)]
pub(crate) struct Mark {
    file: Arc<dyn DiskFile>,
    store: u64,
    turn: u64,
}

impl Mark {
    /// Also gives the last change that is known to have been on disk.
    pub(crate) fn open(file: Arc<dyn DiskFile>, store: u64) -> (Self, u64) {
        let slot = |turn: u64| {
            let mut bytes = [0; LEN];
            let whole = file.read_at(&mut bytes, turn * SLOT).is_ok_and(|read| read == LEN);
            whole.then(|| decode(&bytes, store)).flatten().unwrap_or(0)
        };
        let known = slot(0).max(slot(1));
        (Self { file, store, turn: 0 }, known)
    }

    /// Two slots by turns, so that a torn write leaves the other. A failure costs only knowledge, so it is not reported.
    pub(crate) fn set(&mut self, synced: u64) {
        self.turn ^= 1;
        let _ = self.file.write_at(&encode(synced, self.store), self.turn * SLOT);
    }

    pub(crate) fn sync(&self) {
        let _ = self.file.sync();
    }
}

fn encode(synced: u64, store: u64) -> [u8; LEN] {
    let mut out = [0; LEN];
    out[..8].copy_from_slice(&store.to_le_bytes());
    out[8..16].copy_from_slice(&synced.to_le_bytes());
    let crc = crc32c::crc32c(&out[..16]);
    out[16..].copy_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8; LEN], store: u64) -> Option<u64> {
    let number = |at: usize| bytes[at..at + 8].try_into().ok().map(u64::from_le_bytes);
    let crc = bytes[16..].try_into().ok().map(u32::from_le_bytes)?;
    (crc == crc32c::crc32c(&bytes[..16]) && number(0)? == store).then(|| number(8)).flatten()
}
