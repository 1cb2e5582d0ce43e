//! Start-up: the folder's lock and version, then every change from the oldest segment to the end of the log.

use std::{
    any::Any,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyfn_base::Base;

use crate::{
    commit::{Committer, Start},
    disk::{Disk, DiskFile},
    error::{During, Result, StoreError},
    frame::{FORMAT, Loc, SEGMENT_HEAD, SegmentHead},
    mark::Mark,
    op::{self, Op},
    scan::Scanner,
    segments::{Segment, Segments, damaged, file_name, number_of},
    shared::Shared,
};

const VERSION: &str = "VERSION";
const LOCK: &str = "LOCK";
const LOG: &str = "log";
const MARK: &str = "mark";

/// Keeps a second server out while it lives.
pub(crate) type Lock = Box<dyn Any + Send + Sync>;

/// Takes the folder, or says why not. Gives the store's id.
pub(crate) fn take_folder(disk: &dyn Disk, dir: &Path, fresh_id: u64) -> Result<(Lock, u64)> {
    disk.create_dir(dir).during("making the data folder")?;
    let lock = disk.lock(&dir.join(LOCK)).during("locking the data folder")?.ok_or(StoreError::Locked)?;
    let version = match disk.open(&dir.join(VERSION)) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok((lock, new_folder(disk, dir, fresh_id)?)),
        Err(e) => return Err(e).during("reading the data folder's version"),
    };
    let mut text = vec![0; 256];
    let read = version.read_at(&mut text, 0).during("reading the data folder's version")?;
    let unreadable = || StoreError::Damaged { file: VERSION.into(), at: 0, why: "it cannot be read" };
    let text = std::str::from_utf8(&text[..read]).map_err(|_| unreadable())?;
    let (format, store) = parse_version(text).ok_or_else(unreadable)?;
    if format > FORMAT {
        return Err(StoreError::TooNew { found: format, known: FORMAT });
    }
    Ok((lock, store))
}

fn version_text(format: u32, store: u64) -> String {
    let said = format!("anyfn data folder\nformat {format}\nstore {store:016x}\n");
    format!("{said}check {:08x}\n", crc32c::crc32c(said.as_bytes()))
}

fn parse_version(text: &str) -> Option<(u32, u64)> {
    let mut lines = text.lines().skip(1);
    let format = lines.next()?.strip_prefix("format ")?.parse().ok()?;
    let store = u64::from_str_radix(lines.next()?.strip_prefix("store ")?, 16).ok()?;
    (version_text(format, store) == text).then_some((format, store))
}

fn new_folder(disk: &dyn Disk, dir: &Path, store: u64) -> Result<u64> {
    // A first start that was cut short leaves these; anything else is somebody's.
    let ours = [LOCK, "VERSION.new", LOG, "blobs", "lost+found"];
    let names = disk.list(dir).during("reading the data folder")?;
    if names.iter().any(|name| !ours.contains(&name.as_str())) {
        return Err(StoreError::Foreign);
    }
    let log = dir.join(LOG);
    disk.create_dir(&log).during("making the log's folder")?;
    if disk.list(&log).during("reading the log's folder")?.iter().any(|name| number_of(name).is_some()) {
        return Err(StoreError::Missing { file: VERSION.into() });
    }
    let fresh = dir.join("VERSION.new");
    let made = disk.create(&fresh).and_then(|file| {
        file.write_at(version_text(FORMAT, store).as_bytes(), 0)?;
        file.sync()?;
        disk.rename(&fresh, &dir.join(VERSION))?;
        disk.sync_dir(dir)
    });
    made.during("writing the data folder's version")?;
    Ok(store)
}

/// What the whole log said.
struct Replay<'a> {
    shared: &'a Shared,
    /// The last change that counts.
    change: u64,
    /// Oldest segment that is needed.
    first: u32,
}

impl Replay<'_> {
    /// Takes in one segment; gives where its last frame that counts ends, and whether something lies behind it.
    fn segment(&mut self, segment: &Segment) -> Result<(u64, bool)> {
        let place = self.shared.segments.place(segment.number);
        let mut scanner = Scanner::new(&*segment.file, place, 0);
        let mut end = scanner.at();
        let mut last = self.change;
        let mut tied: Vec<(Loc, Vec<u8>)> = Vec::new();
        while let Some((head, loc, payload)) = scanner.next()? {
            if head.change <= last {
                break;
            }
            last = head.change;
            if head.more {
                tied.push((loc, payload.to_vec()));
                continue;
            }
            for (loc, payload) in tied.drain(..) {
                self.apply(&payload, loc)?;
            }
            self.apply(payload, loc)?;
            (self.change, end) = (last, scanner.at());
        }
        let broken = scanner.proves_loss(self.change)?;
        Ok((end, broken))
    }

    fn apply(&mut self, payload: &[u8], loc: Loc) -> Result<()> {
        let unknown =
            || damaged(loc.segment, u64::from(loc.at), "it holds a change that this version does not know");
        let op = op::decode(payload).ok_or_else(unknown)?;
        if let Op::Dropped { first } = op {
            self.first = self.first.max(first);
        }
        self.shared.replay(&op, loc);
        Ok(())
    }
}

fn read_head(file: &dyn DiskFile, number: u32, store: u64) -> Result<SegmentHead> {
    let mut bytes = [0; SEGMENT_HEAD];
    file.read_at(&mut bytes, 0).during("reading a segment")?;
    let head = SegmentHead::decode(&bytes);
    let head = head.ok_or_else(|| damaged(number, 0, "its head cannot be read"))?;
    if head.place.store != store {
        return Err(damaged(number, 0, "it belongs to another store"));
    }
    if head.place.segment != number {
        return Err(damaged(number, 0, "it is another segment's file"));
    }
    Ok(head)
}

/// The numbers of all segment files, ascending; what was being made is removed.
fn list(segments: &Segments) -> Result<Vec<u32>> {
    let names = segments.disk.list(&segments.dir).during("reading the log's folder")?;
    for name in names.iter().filter(|name| name.ends_with(".new")) {
        segments.disk.remove(&segments.dir.join(name)).during("removing a segment that was not finished")?;
    }
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens the log and gives its writer. Nothing is written to segments here, so a full disk does not keep the server down.
pub(crate) fn open_log(
    base: Base,
    disk: Arc<dyn Disk>,
    dir: &Path,
    store: u64,
    segment_bytes: u64,
) -> Result<Committer> {
    let log: PathBuf = dir.join(LOG);
    disk.create_dir(&log).during("making the log's folder")?;
    let segments = Segments::new(disk.clone(), log, store);
    let numbers = list(&segments)?;
    let (mark, known) = Mark::open(mark_file(&*disk, dir)?, store);
    let shared = Arc::new(Shared::new(base, segments));
    if numbers.is_empty() {
        return first_segment(shared, mark, known, segment_bytes);
    }
    let mut replay = Replay { shared: &shared, change: 0, first: 0 };
    let (active, end) = read_all(&mut replay, &numbers)?;
    if replay.change < known {
        return Err(damaged(active.number, end, "changes that were on disk cannot be read"));
    }
    let (change, first) = (replay.change, replay.first);
    if numbers.first().is_none_or(|oldest| *oldest > first) {
        return Err(StoreError::Missing { file: format!("{LOG}/{}", file_name(first)) });
    }
    // Given back, but the server ended before the files were gone.
    for number in numbers.into_iter().filter(|number| *number < first) {
        shared.segments.remove(number)?;
    }
    shared.logs().start()?;
    shared.records_mut().start(change);
    Ok(Committer::new(shared, Start { active, first, end, change, mark }, segment_bytes))
}

fn read_all(replay: &mut Replay<'_>, numbers: &[u32]) -> Result<(Arc<Segment>, u64)> {
    let segments = &replay.shared.segments;
    let mut previous: Option<(Arc<Segment>, u64)> = None;
    for &number in numbers {
        let file = segments.disk.open(&segments.dir.join(file_name(number))).during("opening a segment")?;
        let head = read_head(&*file, number, segments.store)?;
        match &previous {
            None => replay.change = head.before,
            Some((before, _)) if before.number + 1 != number => {
                return Err(StoreError::Missing { file: format!("{LOG}/{}", file_name(before.number + 1)) });
            }
            Some((before, end)) if replay.change != head.before => {
                return Err(damaged(before.number, *end, "changes that were on disk cannot be read"));
            }
            Some(_) => {}
        }
        replay.first = replay.first.max(head.first);
        let segment = Arc::new(Segment::new(number, file, 0));
        segments.insert(segment.clone());
        let (end, lost) = replay.segment(&segment)?;
        if lost {
            return Err(damaged(number, end, "changes that were on disk cannot be read"));
        }
        segment.set_end(end);
        previous = Some((segment, end));
    }
    previous.ok_or_else(|| StoreError::Missing { file: format!("{LOG}/{}", file_name(0)) })
}

fn mark_file(disk: &dyn Disk, dir: &Path) -> Result<Arc<dyn DiskFile>> {
    let path = dir.join(MARK);
    match disk.open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => disk.create(&path).during("making the mark"),
        other => other.during("opening the mark"),
    }
}

fn first_segment(shared: Arc<Shared>, mark: Mark, known: u64, segment_bytes: u64) -> Result<Committer> {
    if known > 0 {
        return Err(StoreError::Missing { file: format!("{LOG}/{}", file_name(1)) });
    }
    let head = SegmentHead { place: shared.segments.place(1), first: 1, before: 0 };
    let active = shared.segments.create(head, segment_bytes)?;
    let start = Start { active, first: 1, end: SEGMENT_HEAD as u64, change: 0, mark };
    Ok(Committer::new(shared, start, segment_bytes))
}
