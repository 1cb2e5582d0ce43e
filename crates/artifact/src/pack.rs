//! Writes zips that are the same bytes for the same content: sorted by the caller, fixed times, Unix modes.

use std::io::{self, Write as _};

use flate2::{Compression, write::DeflateEncoder};

/// 1980-01-01 00:00:00, the first moment that a DOS date can say.
const DATE: u16 = (1 << 5) | 1;
/// Made by Unix (3), by version 4.5 of the format.
const MADE_BY: u16 = (3 << 8) | 45;
const UTF8: u16 = 1 << 11;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File { executable: bool },
    Link,
}

impl Kind {
    fn mode(self) -> u32 {
        match self {
            Self::File { executable: false } => 0o100_644,
            Self::File { executable: true } => 0o100_755,
            Self::Link => 0o120_777,
        }
    }
}

/// Entries are written as they come; the directory follows at the end.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    directory: Vec<u8>,
    count: u64,
}

impl Writer {
    /// `name` is relative with `/`. Fails past 4 GiB, which no platform takes.
    pub(crate) fn add(&mut self, name: &str, kind: Kind, content: &[u8]) -> io::Result<()> {
        let deflated = deflate(content)?;
        let (method, data) = match kind {
            Kind::File { .. } if deflated.len() < content.len() => (8_u16, &*deflated),
            _ => (0, content),
        };
        let offset = narrow(self.out.len())?;
        let mut common = Vec::with_capacity(26);
        push16(&mut common, &[20, UTF8, method, 0, DATE]);
        push32(&mut common, &[crc32fast::hash(content), narrow(data.len())?, narrow(content.len())?]);
        let name_len = u16::try_from(name.len()).map_err(|_| too_large())?;
        push16(&mut common, &[name_len, 0]);

        self.out.extend(b"PK\x03\x04");
        self.out.extend(&common);
        self.out.extend(name.as_bytes());
        self.out.extend(data);

        self.directory.extend(b"PK\x01\x02");
        push16(&mut self.directory, &[MADE_BY]);
        self.directory.extend(&common);
        push16(&mut self.directory, &[0, 0, 0]);
        push32(&mut self.directory, &[kind.mode() << 16, offset]);
        self.directory.extend(name.as_bytes());
        self.count += 1;
        Ok(())
    }

    /// The archive. From 65,535 entries on it has the zip64 end record.
    pub(crate) fn finish(mut self) -> io::Result<Vec<u8>> {
        let (start, size) = (narrow(self.out.len())?, narrow(self.directory.len())?);
        self.out.extend(&self.directory);
        if self.count >= u64::from(u16::MAX) {
            let end64 = self.out.len() as u64;
            self.out.extend(b"PK\x06\x06");
            self.out.extend(44_u64.to_le_bytes());
            push16(&mut self.out, &[MADE_BY, 45]);
            push32(&mut self.out, &[0, 0]);
            for value in [self.count, self.count, u64::from(size), u64::from(start)] {
                self.out.extend(value.to_le_bytes());
            }
            self.out.extend(b"PK\x06\x07");
            push32(&mut self.out, &[0]);
            self.out.extend(end64.to_le_bytes());
            push32(&mut self.out, &[1]);
        }
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        self.out.extend(b"PK\x05\x06");
        push16(&mut self.out, &[0, 0, count, count]);
        push32(&mut self.out, &[size, start]);
        push16(&mut self.out, &[0]);
        Ok(self.out)
    }
}

fn deflate(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content)?;
    encoder.finish()
}

fn push16(to: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| to.extend(value.to_le_bytes()));
}

fn push32(to: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| to.extend(value.to_le_bytes()));
}

fn narrow(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a package has less than 4 GiB")
}
