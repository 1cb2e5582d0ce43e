//! Zips made byte by byte: every field can lie. And a `Blobs` in memory.

use std::{
    collections::HashMap,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
};

use anyfn_base::Base;
use anyfn_core::ports::Blobs;
use anyfn_types::{Digest, Error, Limits};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::Roots;

/// One entry with every header field open.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) name: Vec<u8>,
    /// None: as `name`.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) size: u32,
    pub(crate) packed: Option<u32>,
    /// `st_mode`.
    pub(crate) mode: u32,
    pub(crate) host: u8,
    /// Reuses the local header at this offset and writes none.
    pub(crate) at: Option<u32>,
    pub(crate) extra: Vec<u8>,
    pub(crate) descriptor: bool,
}

pub(crate) fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Raw {
    Raw {
        name: name.as_ref().to_vec(),
        local_name: None,
        data: data.to_vec(),
        method: 0,
        flags: 0x800,
        crc: crc32fast::hash(data),
        size: u32::try_from(data.len()).unwrap(),
        packed: None,
        mode: 0o100_644,
        host: 3,
        at: None,
        extra: Vec::new(),
        descriptor: false,
    }
}

pub(crate) fn deflated(name: &str, data: &[u8]) -> Raw {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    Raw { data: encoder.finish().unwrap(), method: 8, ..stored(name, data) }
}

/// `n` zero bytes without holding them.
pub(crate) fn deflated_zeros(name: &str, n: u64) -> Raw {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let mut crc = crc32fast::Hasher::new();
    let block = vec![0; 1 << 20];
    let mut left = n;
    while left > 0 {
        let piece = &block[..usize::try_from(left.min(1 << 20)).unwrap()];
        encoder.write_all(piece).unwrap();
        crc.update(piece);
        left -= piece.len() as u64;
    }
    let size = u32::try_from(n).unwrap();
    Raw { data: encoder.finish().unwrap(), method: 8, size, crc: crc.finalize(), ..stored(name, b"") }
}

pub(crate) fn link(name: &str, target: &str) -> Raw {
    Raw { mode: 0o120_777, ..stored(name, target.as_bytes()) }
}

pub(crate) fn dir(name: &str) -> Raw {
    Raw { mode: 0o040_755, ..stored(name, b"") }
}

fn put16(out: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|v| out.extend(v.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|v| out.extend(v.to_le_bytes()));
}

fn local(out: &mut Vec<u8>, raw: &Raw) {
    let name = raw.local_name.as_ref().unwrap_or(&raw.name);
    let packed = raw.packed.unwrap_or_else(|| u32::try_from(raw.data.len()).unwrap());
    let sums = if raw.descriptor { [0; 3] } else { [raw.crc, packed, raw.size] };
    put32(out, &[0x0403_4b50]);
    put16(out, &[20, raw.flags, raw.method, 0, 0x21]);
    put32(out, &sums);
    put16(out, &[u16::try_from(name.len()).unwrap(), 0]);
    out.extend(name);
    out.extend(&raw.data);
    if raw.descriptor {
        put32(out, &[0x0807_4b50, raw.crc, packed, raw.size]);
    }
}

fn central(out: &mut Vec<u8>, raw: &Raw, offset: u32) {
    let packed = raw.packed.unwrap_or_else(|| u32::try_from(raw.data.len()).unwrap());
    put32(out, &[0x0201_4b50]);
    out.extend([20, raw.host]);
    put16(out, &[20, raw.flags, raw.method, 0, 0x21]);
    put32(out, &[raw.crc, packed, raw.size]);
    put16(out, &[u16::try_from(raw.name.len()).unwrap(), u16::try_from(raw.extra.len()).unwrap(), 0, 0, 0]);
    put32(out, &[raw.mode << 16, offset]);
    out.extend(&raw.name);
    out.extend(&raw.extra);
}

pub(crate) fn zip(entries: &[Raw]) -> Vec<u8> {
    let count = u16::try_from(entries.len().min(0xFFFF)).unwrap();
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for raw in entries {
        let offset = raw.at.unwrap_or_else(|| u32::try_from(out.len()).unwrap());
        if raw.at.is_none() {
            local(&mut out, raw);
        }
        central(&mut directory, raw, offset);
    }
    let start = u32::try_from(out.len()).unwrap();
    let size = u32::try_from(directory.len()).unwrap();
    out.extend(directory);
    if entries.len() >= 0xFFFF {
        let (at, n) = (out.len() as u64, entries.len() as u64);
        put32(&mut out, &[0x0606_4b50]);
        out.extend(44_u64.to_le_bytes());
        put16(&mut out, &[45, 45]);
        put32(&mut out, &[0, 0]);
        [n, n, u64::from(size), u64::from(start)].iter().for_each(|v| out.extend(v.to_le_bytes()));
        put32(&mut out, &[0x0706_4b50, 0]);
        out.extend(at.to_le_bytes());
        put32(&mut out, &[1]);
    }
    put32(&mut out, &[0x0605_4b50]);
    put16(&mut out, &[0, 0, count, count]);
    put32(&mut out, &[size, start]);
    put16(&mut out, &[0]);
    out
}

/// Keeps blobs in memory and can be made to fail, or to give other bytes than were put.
#[derive(Default)]
pub(crate) struct MemoryBlobs {
    pub(crate) kept: Mutex<HashMap<Digest, Bytes>>,
    pub(crate) broken: std::sync::atomic::AtomicBool,
    pub(crate) gets: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, bytes: Bytes) -> Result<Digest, Error> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Error::internal("blob_disk", "no"));
        }
        let digest = Digest(Sha256::digest(&bytes).into());
        self.kept.lock().unwrap().insert(digest, bytes);
        Ok(digest)
    }

    async fn get(&self, digest: Digest) -> Result<Option<Bytes>, Error> {
        self.gets.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // Lets others come in between, as a disk would.
        tokio::task::yield_now().await;
        Ok(self.kept.lock().unwrap().get(&digest).cloned())
    }

    async fn size(&self, digest: Digest) -> Result<Option<u64>, Error> {
        Ok(self.kept.lock().unwrap().get(&digest).map(|b| b.len() as u64))
    }

    async fn delete(&self, digest: Digest) -> Result<(), Error> {
        self.kept.lock().unwrap().remove(&digest);
        Ok(())
    }
}

/// A code folder inside a bigger one that must stay clean.
pub(crate) struct House {
    pub(crate) outside: tempfile::TempDir,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) base: Base,
    pub(crate) roots: Roots,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), u64::MAX)
    }

    pub(crate) fn with(limits: Limits, budget: u64) -> Self {
        let outside = tempfile::tempdir().unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let base = Base::simulated(0, 7);
        let dir = outside.path().join("a/b/code");
        let roots = Roots::with_budget(base.clone(), dir, blobs.clone(), limits, budget).unwrap();
        Self { outside, blobs, base, roots }
    }

    /// Every path below the outer folder that is not inside an unpacked root, relative and sorted.
    pub(crate) fn outside_of_roots(&self) -> Vec<String> {
        let mut found = paths(self.outside.path());
        found.retain(|path| !path.starts_with("a/b/code/roots/"));
        found
    }

    /// Nothing but the two empty folders is there.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(paths(self.outside.path()), CLEAN);
        assert!(self.blobs.kept.lock().unwrap().is_empty());
    }
}

pub(crate) const CLEAN: [&str; 5] = ["a", "a/b", "a/b/code", "a/b/code/roots", "a/b/code/staging"];

/// All paths below, links not followed, sorted.
pub(crate) fn paths(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, at: &str, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let path = if at.is_empty() {
                entry.file_name().to_string_lossy().into_owned()
            } else {
                format!("{at}/{}", entry.file_name().to_string_lossy())
            };
            out.push(path.clone());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &path, out);
            }
        }
    }
    let mut out = Vec::new();
    walk(dir, "", &mut out);
    out.sort();
    out
}
