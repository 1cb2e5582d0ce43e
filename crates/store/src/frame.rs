//! Frames: how one change lies in a segment file.
//!
//! ```text
//! segment = header (48 bytes) frame*
//! header  = "anyfnseg" | format u32 | number u32 | store u64 | first u32 | 0 u32 | before u64 | 0 u32 | crc u32
//! frame   = crc u32 | more u1, length u31 | change u64 | synced u64 | payload (length bytes)
//! ```
//! All little-endian. `crc` is CRC-32C over the store's id, the segment's number and everything after the crc, so that a
//! frame never passes for one of another segment or store. `change` ascends through the whole store. `synced` is the
//! last change that was known to be on disk when the frame was written: a frame that is broken, although a later one says
//! it was synced, was damaged; otherwise its writing was cut short and nobody was told that it is safe.
//! `more` ties a frame to the next one: they are kept together or not at all.

/// Bytes before a frame's payload.
pub(crate) const FRAME_HEAD: usize = 24;
/// Bytes before a segment's first frame.
pub(crate) const SEGMENT_HEAD: usize = 48;
/// A value of 8 MiB, its key and fields.
pub(crate) const PAYLOAD_MAX: usize = (8 << 20) + 8192;
/// The format that this code writes, and the latest it reads.
pub(crate) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"anyfnseg";
const MORE: u32 = 1 << 31;

/// Where a frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loc {
    pub segment: u32,
    pub at: u32,
    /// Of the payload.
    pub len: u32,
}

impl Loc {
    /// Bytes of the whole frame.
    pub(crate) fn bytes(self) -> u64 {
        FRAME_HEAD as u64 + u64::from(self.len)
    }
}

/// What a frame's checksum is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub store: u64,
    pub segment: u32,
}

impl Place {
    fn crc(self, bytes: &[u8]) -> u32 {
        let mut seed = [0; 12];
        seed[..8].copy_from_slice(&self.store.to_le_bytes());
        seed[8..].copy_from_slice(&self.segment.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c(&seed), bytes)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub change: u64,
    pub synced: u64,
    pub more: bool,
    pub len: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Opens a frame at the end of `out`; the payload follows, then `seal`.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD]);
    start
}

/// Completes the frame that began at `start`. Gives the payload's length.
pub(crate) fn seal(out: &mut [u8], start: usize, place: Place, change: u64, synced: u64, more: bool) -> u32 {
    let frame = &mut out[start..];
    let len = u32::try_from(frame.len() - FRAME_HEAD).unwrap_or(u32::MAX);
    frame[4..8].copy_from_slice(&(len | if more { MORE } else { 0 }).to_le_bytes());
    frame[8..16].copy_from_slice(&change.to_le_bytes());
    frame[16..24].copy_from_slice(&synced.to_le_bytes());
    let crc = place.crc(&frame[4..]);
    frame[..4].copy_from_slice(&crc.to_le_bytes());
    len
}

/// The head of a frame, unchecked; `None` if its length cannot be.
pub(crate) fn head(bytes: &[u8]) -> Option<FrameHead> {
    let word = u32_at(bytes, 4);
    let len = (word & !MORE) as usize;
    (bytes.len() >= FRAME_HEAD && (1..=PAYLOAD_MAX).contains(&len)).then(|| FrameHead {
        change: u64_at(bytes, 8),
        synced: u64_at(bytes, 16),
        more: word & MORE != 0,
        len,
    })
}

/// Checks a whole frame; `bytes` may go on after it.
pub(crate) fn check(bytes: &[u8], place: Place) -> Option<FrameHead> {
    let head = head(bytes)?;
    let frame = bytes.get(..FRAME_HEAD + head.len)?;
    (place.crc(&frame[4..]) == u32_at(frame, 0)).then_some(head)
}

/// What a segment says about itself and what came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub place: Place,
    /// The oldest segment that was needed when this one was begun.
    pub first: u32,
    /// The last change before this segment.
    pub before: u64,
}

impl SegmentHead {
    pub(crate) fn encode(self) -> [u8; SEGMENT_HEAD] {
        let mut out = [0; SEGMENT_HEAD];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        out[12..16].copy_from_slice(&self.place.segment.to_le_bytes());
        out[16..24].copy_from_slice(&self.place.store.to_le_bytes());
        out[24..28].copy_from_slice(&self.first.to_le_bytes());
        out[32..40].copy_from_slice(&self.before.to_le_bytes());
        let crc = crc32c::crc32c(&out[..44]);
        out[44..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEAD)?;
        let whole = bytes.starts_with(MAGIC) && crc32c::crc32c(&bytes[..44]) == u32_at(bytes, 44);
        (whole && u32_at(bytes, 8) == FORMAT).then(|| Self {
            place: Place { segment: u32_at(bytes, 12), store: u64_at(bytes, 16) },
            first: u32_at(bytes, 24),
            before: u64_at(bytes, 32),
        })
    }
}
