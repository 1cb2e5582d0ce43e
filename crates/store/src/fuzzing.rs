//! Doors for the fuzz targets under `fuzz/`; built only with `cfg(fuzzing)`.

use std::sync::Arc;

use anyfn_base::Base;

use crate::{
    disk::{Disk as _, faulty::FaultyDisk},
    frame::{self, SEGMENT_HEAD, SegmentHead},
    op,
    scan::Scanner,
    segments::{Segment, Segments},
    shared::Shared,
};

/// Any bytes as a segment file, then as payloads whose frames are sound: neither may panic, and what is read must be
/// written again the same.
pub fn segment(bytes: &[u8]) {
    let disk = FaultyDisk::default();
    let segments = Segments::new(Arc::new(disk.clone()), "/log".into(), 1);
    let place = segments.place(1);
    let Ok(file) = disk.create("/log/1".as_ref()) else { return };
    if file.write_at(bytes, 0).is_err() {
        return;
    }
    let _ = SegmentHead::decode(bytes);
    let mut scanner = Scanner::new(&*file, place, 0);
    while let Ok(Some(_)) = scanner.next() {}
    let _ = scanner.proves_loss(0);
    replay(bytes, segments, &disk);
}

/// Each piece is a length byte and a payload.
fn replay(mut bytes: &[u8], segments: Segments, disk: &FaultyDisk) {
    let place = segments.place(1);
    let mut log = vec![0; SEGMENT_HEAD];
    let mut change = 0;
    while let Some((&len, rest)) = bytes.split_first() {
        let (payload, behind) = rest.split_at(rest.len().min(usize::from(len)));
        bytes = behind;
        if let Some(op) = op::decode(payload) {
            let mut again = Vec::new();
            op.encode(&mut again);
            assert_eq!(again, payload);
        }
        change += 1;
        let start = frame::begin(&mut log);
        log.extend_from_slice(payload);
        frame::seal(&mut log, start, place, change, change - 1, false);
    }
    let Ok(file) = disk.create("/log/2".as_ref()) else { return };
    if file.write_at(&log, 0).is_err() {
        return;
    }
    segments.insert(Arc::new(Segment::new(1, file.clone(), log.len() as u64)));
    let shared = Shared::new(Base::simulated(0, 0), segments);
    let mut scanner = Scanner::new(&*file, place, 0);
    while let Ok(Some((_, loc, payload))) = scanner.next() {
        if let Some(op) = op::decode(payload) {
            shared.replay(&op, loc);
        }
    }
    let _ = shared.logs().start();
}
