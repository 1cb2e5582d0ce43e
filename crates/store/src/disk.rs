//! The seam for storage faults: every file operation of the room goes through `Disk`. Tests put a disk behind it that
//! forgets what was not synced, tears writes, flips bits and runs full.

#[cfg(any(test, fuzzing))]
pub(crate) mod faulty;
mod real;

use std::{any::Any, fmt, io, path::Path, sync::Arc};

pub(crate) use real::RealDisk;

/// A file system, as much of it as the room needs. All calls may block.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Creates the folder and its parents; no error if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Names in the folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Creates or empties the file.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// `NotFound` if it is not there.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in the folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock that keeps a second server out; `None` if another holds it. Held until dropped.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Any + Send + Sync>>>;
}

/// One file. Offsets and lengths in bytes.
pub(crate) trait DiskFile: Send + Sync + fmt::Debug {
    fn len(&self) -> io::Result<u64>;
    /// Fills as much of `buf` as the file has; less only at its end.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    /// Fills all of `buf` if that needs no waiting; `false` if it would, and the content of `buf` is then undefined.
    fn read_cached(&self, buf: &mut [u8], at: u64) -> io::Result<bool>;
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Makes sure that the first `len` bytes have room on the disk. Grows the file with zeros, never shrinks it.
    fn reserve(&self, len: u64) -> io::Result<()>;
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// Returns when every byte written so far is on the disk (fdatasync).
    fn sync(&self) -> io::Result<()>;
}
