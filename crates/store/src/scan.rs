//! Reads a segment's frames from front to back. It must stay calm on any bytes.

use crate::{
    disk::DiskFile,
    error::{During, Result},
    frame::{self, FRAME_HEAD, FrameHead, Loc, PAYLOAD_MAX, Place, SEGMENT_HEAD},
};

const CHUNK: usize = 1 << 20;
/// How far the numbers of two neighbouring changes can lie apart; holes are left by writes that failed.
const LEAP: u64 = 1 << 32;

#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    file: &'a dyn DiskFile,
    place: Place,
    /// Bytes of the file from `start` on.
    buffer: Vec<u8>,
    start: u64,
    at: u64,
}

impl<'a> Scanner<'a> {
    /// Starts at the first frame, or at any later one.
    pub(crate) fn new(file: &'a dyn DiskFile, place: Place, at: u64) -> Self {
        let at = at.max(SEGMENT_HEAD as u64);
        Self { file, place, buffer: Vec::new(), start: at, at }
    }

    /// Where the next frame begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The bytes from the current place on, at least `wanted` of them unless the file ends.
    fn window(&mut self, wanted: usize) -> Result<&[u8]> {
        let offset = usize::try_from(self.at - self.start).unwrap_or(usize::MAX);
        if self.buffer.len() < offset.saturating_add(wanted) {
            self.buffer.drain(..offset.min(self.buffer.len()));
            self.start = self.at;
            let have = self.buffer.len();
            let rest = self.file.len().during("reading a segment")?.saturating_sub(self.start);
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            self.buffer.resize(wanted.max(CHUNK).min(rest).max(have), 0);
            let read = self.file.read_at(&mut self.buffer[have..], self.start + have as u64);
            self.buffer.truncate(have + read.during("reading a segment")?);
            return Ok(&self.buffer);
        }
        Ok(&self.buffer[offset..])
    }

    /// The next whole frame, its place and its payload; `None` where no valid frame begins.
    pub(crate) fn next(&mut self) -> Result<Option<(FrameHead, Loc, &[u8])>> {
        let Some(head) = frame::head(self.window(FRAME_HEAD)?) else { return Ok(None) };
        let (place, at) = (self.place, self.at);
        if frame::check(self.window(FRAME_HEAD + head.len)?, place).is_none() {
            return Ok(None);
        }
        let (Ok(offset), Ok(len)) = (u32::try_from(at), u32::try_from(head.len)) else { return Ok(None) };
        self.at += (FRAME_HEAD + head.len) as u64;
        let from = usize::try_from(at - self.start).unwrap_or_default() + FRAME_HEAD;
        Ok(Some((head, Loc { segment: place.segment, at: offset, len }, &self.buffer[from..from + head.len])))
    }

    /// Looks behind a place without a valid frame for one that says that changes after `last` had been on disk.
    pub(crate) fn proves_loss(&mut self, last: u64) -> Result<bool> {
        loop {
            let window = self.window(CHUNK)?;
            if window.len() <= FRAME_HEAD {
                return Ok(false);
            }
            let steps = window.len() - FRAME_HEAD;
            let candidate = |bytes: &[u8]| {
                frame::head(bytes).is_some_and(|head| {
                    head.synced > last && head.change > head.synced && head.change - last < LEAP
                })
            };
            let zero = window.iter().all(|byte| *byte == 0);
            let found =
                (!zero).then(|| (0..steps).find(|&i| candidate(&window[i..i + FRAME_HEAD]))).flatten();
            self.at += found.unwrap_or(steps) as u64;
            if found.is_some() {
                let place = self.place;
                if frame::check(self.window(FRAME_HEAD + PAYLOAD_MAX)?, place).is_some() {
                    return Ok(true);
                }
                self.at += 1;
            }
        }
    }
}
