//! The segment files that the store holds, and reading single frames from them.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use crate::{
    disk::{Disk, DiskFile},
    error::{During, Result, StoreError},
    frame::{self, FRAME_HEAD, Loc, Place, SEGMENT_HEAD, SegmentHead},
};

#[derive(Debug)]
pub(crate) struct Segment {
    pub number: u32,
    pub file: Arc<dyn DiskFile>,
    /// Bytes of frames that an index still points at.
    live: AtomicU64,
    /// Bytes used, header included.
    end: AtomicU64,
}

impl Segment {
    pub(crate) fn new(number: u32, file: Arc<dyn DiskFile>, end: u64) -> Self {
        Self { number, file, live: AtomicU64::new(0), end: AtomicU64::new(end) }
    }

    pub(crate) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(crate) struct Segments {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    /// The store's id; binds frames to this store.
    pub store: u64,
    held: RwLock<BTreeMap<u32, Arc<Segment>>>,
}

/// A file that only holds space back.
fn spare_name(nth: u8) -> String {
    format!("spare-{nth}")
}

pub(crate) fn file_name(number: u32) -> String {
    format!("{number:010}.seg")
}

pub(crate) fn number_of(name: &str) -> Option<u32> {
    name.strip_suffix(".seg").filter(|digits| digits.len() == 10)?.parse().ok()
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, store: u64) -> Self {
        Self { disk, dir, store, held: RwLock::default() }
    }

    pub(crate) fn place(&self, number: u32) -> Place {
        Place { store: self.store, segment: number }
    }

    pub(crate) fn insert(&self, segment: Arc<Segment>) {
        self.held.write().unwrap_or_else(PoisonError::into_inner).insert(segment.number, segment);
    }

    pub(crate) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    pub(crate) fn oldest(&self) -> Option<Arc<Segment>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).values().next().cloned()
    }

    /// Bytes used and bytes alive over all segments, and how many they are.
    pub(crate) fn usage(&self) -> (u64, u64, usize) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let sum = |(used, live), segment: &Arc<Segment>| (used + segment.end(), live + segment.live());
        let (used, live) = held.values().fold((0, 0), sum);
        (used, live, held.len())
    }

    /// An index points at the frame now.
    pub(crate) fn keep(&self, loc: Loc) {
        if let Some(segment) = self.get(loc.segment) {
            segment.live.fetch_add(loc.bytes(), Ordering::Relaxed);
        }
    }

    /// No index points at the frame any more.
    pub(crate) fn forget(&self, loc: Loc) {
        if let Some(segment) = self.get(loc.segment) {
            segment.live.fetch_sub(loc.bytes(), Ordering::Relaxed);
        }
    }

    /// Makes a segment with room for `len` bytes; it is durable when this returns, or nothing is left of it.
    pub(crate) fn create(&self, head: SegmentHead, len: u64) -> Result<Arc<Segment>> {
        let name = file_name(head.place.segment);
        let (path, fresh) = (self.dir.join(&name), self.dir.join(format!("{name}.new")));
        let made = self.disk.create(&fresh).and_then(|file| {
            file.reserve(len)?;
            file.write_at(&head.encode(), 0)?;
            file.sync()?;
            self.disk.rename(&fresh, &path)?;
            self.disk.sync_dir(&self.dir)?;
            Ok(file)
        });
        if made.is_err() {
            let _ = self.disk.remove(&fresh);
        }
        let file = made.during("making room for new changes")?;
        let segment = Arc::new(Segment::new(head.place.segment, file, SEGMENT_HEAD as u64));
        self.insert(segment.clone());
        Ok(segment)
    }

    /// Holds `len` bytes of the disk back.
    pub(crate) fn hold_spare(&self, nth: u8, len: u64) -> Result<()> {
        let path = self.dir.join(spare_name(nth));
        let held = self.disk.create(&path).and_then(|file| file.reserve(len));
        if held.is_err() {
            let _ = self.disk.remove(&path);
        }
        held.during("holding space back")
    }

    /// Gives them up, to be used.
    pub(crate) fn give_spare(&self, nth: u8) -> Result<()> {
        self.disk.remove(&self.dir.join(spare_name(nth))).during("using the space held back")
    }

    /// Takes the segment out; open readers keep the file until they are done.
    pub(crate) fn remove(&self, number: u32) -> Result<()> {
        self.held.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
        let removed = self.disk.remove(&self.dir.join(file_name(number)));
        removed.and_then(|()| self.disk.sync_dir(&self.dir)).during("giving back a segment")
    }

    /// The payload at `loc`; `None` if the segment has been given back meanwhile (look up the place again). May block.
    pub(crate) fn read(&self, loc: Loc) -> Result<Option<Bytes>> {
        let Some(segment) = self.get(loc.segment) else { return Ok(None) };
        let mut frame = vec![0; FRAME_HEAD + loc.len as usize];
        let read = segment.file.read_at(&mut frame, u64::from(loc.at)).during("reading a change")?;
        if read < frame.len() {
            let ended = io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends too early");
            return Err(StoreError::Io { what: "reading a change", source: ended });
        }
        self.payload(frame, loc).map(Some)
    }

    /// As `read`, but only if it need not wait: `Ok(None)` says to use `read`.
    pub(crate) fn read_cached(&self, loc: Loc) -> Result<Option<Bytes>> {
        let Some(segment) = self.get(loc.segment) else { return Ok(None) };
        let mut frame = vec![0; FRAME_HEAD + loc.len as usize];
        if segment.file.read_cached(&mut frame, u64::from(loc.at)).during("reading a change")? {
            return self.payload(frame, loc).map(Some);
        }
        Ok(None)
    }

    fn payload(&self, frame: Vec<u8>, loc: Loc) -> Result<Bytes> {
        match frame::check(&frame, self.place(loc.segment)) {
            Some(head) if head.len == loc.len as usize => Ok(Bytes::from(frame).slice(FRAME_HEAD..)),
            _ => Err(damaged(loc.segment, u64::from(loc.at), "its checksum does not match")),
        }
    }
}

pub(crate) fn damaged(segment: u32, at: u64, why: &'static str) -> StoreError {
    StoreError::Damaged { file: format!("log/{}", file_name(segment)), at, why }
}
