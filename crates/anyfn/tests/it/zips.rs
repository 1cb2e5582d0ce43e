//! Zip files, also such as no honest program writes.

use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};

/// One entry as the archive shall claim it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// Unix mode with its kind.
    pub(crate) mode: u32,
    pub(crate) deflate: bool,
}

pub(crate) fn file(name: &str, data: impl Into<Vec<u8>>) -> Entry {
    Entry { name: name.into(), data: data.into(), mode: 0o100_644, deflate: false }
}

/// A package with one python module `app`.
pub(crate) fn python(source: &str) -> Vec<u8> {
    zip(&[file("app.py", source)])
}

pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut archive = Archive::default();
    for entry in entries {
        archive.add(entry);
    }
    archive.finish()
}

#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: usize,
}

impl Archive {
    pub(crate) fn add(&mut self, entry: &Entry) {
        let at = self.bytes.len();
        let crc = crc32fast::hash(&entry.data);
        let packed = if entry.deflate { deflated(&entry.data) } else { entry.data.clone() };
        let method: u16 = if entry.deflate { 8 } else { 0 };
        let fields = fields(method, crc, packed.len(), entry.data.len(), entry.name.len());
        self.bytes.extend_from_slice(b"PK\x03\x04");
        self.bytes.extend_from_slice(&fields);
        self.bytes.extend_from_slice(&entry.name);
        self.bytes.extend_from_slice(&packed);
        self.list(entry, &fields, at);
    }

    /// An entry whose bytes and sizes are as given, true or not.
    pub(crate) fn add_raw(&mut self, name: &str, packed: &[u8], plain: usize) {
        let at = self.bytes.len();
        let fields = fields(8, 0, packed.len(), plain, name.len());
        self.bytes.extend_from_slice(b"PK\x03\x04");
        self.bytes.extend_from_slice(&fields);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(packed);
        self.list(&file(name, ""), &fields, at);
    }

    /// A directory entry that shares the bytes of the file at offset 0.
    pub(crate) fn overlap(&mut self, name: &str, of: &Entry) {
        let packed = if of.deflate { deflated(&of.data) } else { of.data.clone() };
        let method: u16 = if of.deflate { 8 } else { 0 };
        let fields = fields(method, crc32fast::hash(&of.data), packed.len(), of.data.len(), name.len());
        let entry = Entry { name: name.into(), ..of.clone() };
        self.list(&entry, &fields, 0);
    }

    fn list(&mut self, entry: &Entry, fields: &[u8], at: usize) {
        self.directory.extend_from_slice(b"PK\x01\x02");
        self.directory.extend_from_slice(&[20, 3]);
        self.directory.extend_from_slice(fields);
        self.directory.extend_from_slice(&[0; 6]);
        self.directory.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        self.directory.extend_from_slice(&u32::try_from(at).unwrap().to_le_bytes());
        self.directory.extend_from_slice(&entry.name);
        self.count += 1;
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let at = u32::try_from(self.bytes.len()).unwrap();
        let size = u32::try_from(self.directory.len()).unwrap();
        // Past 65,534 entries the short count lies; the reader must notice it by itself.
        let count = u16::try_from(self.count).unwrap_or(u16::MAX - 1);
        self.bytes.append(&mut self.directory);
        self.bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend_from_slice(&count.to_le_bytes());
        self.bytes.extend_from_slice(&count.to_le_bytes());
        self.bytes.extend_from_slice(&size.to_le_bytes());
        self.bytes.extend_from_slice(&at.to_le_bytes());
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes
    }
}

fn fields(method: u16, crc: u32, packed: usize, plain: usize, name: usize) -> Vec<u8> {
    let mut out = vec![20, 0, 0, 8];
    out.extend_from_slice(&method.to_le_bytes());
    out.extend_from_slice(&[0, 0, 0x21, 0]);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&u32::try_from(packed).unwrap().to_le_bytes());
    out.extend_from_slice(&u32::try_from(plain).unwrap().to_le_bytes());
    out.extend_from_slice(&u16::try_from(name).unwrap().to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

/// A deflate stream of so many MiB of zeros: one piece, many times.
pub(crate) fn zeros(mib: usize) -> Vec<u8> {
    let mut encoder = flate2::Compress::new(Compression::best(), false);
    let mut piece = Vec::with_capacity(1 << 16);
    encoder.compress_vec(&vec![0; 1 << 20], &mut piece, flate2::FlushCompress::Full).unwrap();
    let mut stream = piece.repeat(mib);
    stream.extend_from_slice(&[3, 0]);
    stream
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
