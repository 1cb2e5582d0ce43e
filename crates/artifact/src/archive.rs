//! Reads a zip's central directory (PKWARE APPNOTE 6.3.9) without believing it.
//!
//! What must stay true: memory grows with the number of entries (which is capped while reading) and never with what a
//! header claims; no two entries share bytes of the archive; a local header names the same file as its central one, so
//! that no other reader of the same bytes sees another package.

use crate::error::Fault;

/// The longest path of an entry, in bytes.
const PATH_MAX: usize = 2048;
/// End-of-central-directory record, its fixed part.
const END: usize = 22;
const CENTRAL: usize = 46;
const LOCAL: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
}

/// One entry as its headers tell it.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) method: Method,
    pub(crate) crc: u32,
    /// What it claims to be when unpacked; anything else is an error.
    pub(crate) size: u64,
    pub(crate) data: &'a [u8],
    /// `st_mode` if the archive tells one; 0 otherwise.
    pub(crate) mode: u32,
    /// Seconds since the Unix epoch, if the archive tells.
    pub(crate) modified: Option<u64>,
}

/// All entries of `zip`, in the order of the central directory. At most `limit` of them.
pub(crate) fn entries(zip: &[u8], limit: u64) -> Result<Vec<Entry<'_>>, Fault> {
    let directory = Directory::find(zip)?;
    if directory.count > limit {
        return Err(Fault::TooMany(limit));
    }
    let mut rest =
        zip.get(directory.start..directory.end).ok_or(Fault::Unreadable("directory out of range"))?;
    let mut found = Vec::new();
    let mut spans = Vec::new();
    while !rest.is_empty() {
        if found.len() as u64 == limit {
            return Err(Fault::TooMany(limit));
        }
        let (central, after) = Central::read(rest)?;
        rest = after;
        let (entry, span) = central.resolve(zip, &directory, found.len())?;
        found.push(entry);
        spans.push(span);
    }
    if found.len() as u64 != directory.count {
        return Err(Fault::Unreadable("the directory's count is wrong"));
    }
    spans.sort_unstable();
    if spans.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(Fault::Unreadable("entries overlap"));
    }
    Ok(found)
}

/// Where the central directory lies, in bytes of the file as sent.
#[derive(Debug)]
struct Directory {
    start: usize,
    end: usize,
    count: u64,
    /// Bytes before the archive (a self-extracting stub); offsets count from after them.
    base: usize,
}

impl Directory {
    fn find(zip: &[u8]) -> Result<Self, Fault> {
        let at = find_end(zip).ok_or(Fault::Unreadable("no end of central directory"))?;
        let end = &zip[at..];
        let (disk, start_disk) = (u16_at(end, 4)?, u16_at(end, 6)?);
        let (here, total) = (u16_at(end, 8)?, u16_at(end, 10)?);
        let (size, offset) = (u32_at(end, 12)?, u32_at(end, 16)?);
        let wide = total == 0xFFFF || here == 0xFFFF || size == u32::MAX || offset == u32::MAX;
        if let Some(locator) = at.checked_sub(20).filter(|_| wide)
            && zip[locator..].starts_with(b"PK\x06\x07")
        {
            return Self::find64(zip, locator);
        }
        if disk != 0 || start_disk != 0 || here != total {
            return Err(Fault::Unreadable("the archive spans disks"));
        }
        Self::placed(at, u64::from(size), u64::from(offset), u64::from(total))
    }

    fn find64(zip: &[u8], locator: usize) -> Result<Self, Fault> {
        // The record lies right before its locator; its own offset may be shifted by a stub before the archive.
        let at = locator.checked_sub(56).ok_or(Fault::Unreadable("zip64 end is missing"))?;
        let end = &zip[at..];
        if !end.starts_with(b"PK\x06\x06") || u64_at(end, 4)? != 44 {
            return Err(Fault::Unreadable("zip64 end is damaged"));
        }
        if u32_at(end, 16)? != 0 || u32_at(end, 20)? != 0 || u64_at(end, 24)? != u64_at(end, 32)? {
            return Err(Fault::Unreadable("the archive spans disks"));
        }
        Self::placed(at, u64_at(end, 40)?, u64_at(end, 48)?, u64_at(end, 32)?)
    }

    /// The directory ends where the end record begins.
    fn placed(end: usize, size: u64, offset: u64, count: u64) -> Result<Self, Fault> {
        let size = usize::try_from(size).map_err(|_| Fault::Unreadable("directory out of range"))?;
        let start = end.checked_sub(size).ok_or(Fault::Unreadable("directory out of range"))?;
        let offset = usize::try_from(offset).map_err(|_| Fault::Unreadable("directory out of range"))?;
        let base = start.checked_sub(offset).ok_or(Fault::Unreadable("directory out of range"))?;
        Ok(Self { start, end, count, base })
    }
}

/// The last end record whose comment ends exactly with the file: bytes after it are refused.
fn find_end(zip: &[u8]) -> Option<usize> {
    let last = zip.len().checked_sub(END)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|&at| {
        zip[at..].starts_with(b"PK\x05\x06")
            && u16_at(&zip[at..], 20).is_ok_and(|comment| at + END + usize::from(comment) == zip.len())
    })
}

/// One central header, its parts still as they came.
struct Central<'a> {
    fixed: &'a [u8],
    name: &'a [u8],
    extra: &'a [u8],
}

/// Sizes and the offset after the zip64 field was taken into account.
struct Extent {
    packed: u64,
    size: u64,
    offset: u64,
}

impl<'a> Central<'a> {
    fn read(rest: &'a [u8]) -> Result<(Self, &'a [u8]), Fault> {
        let torn = Fault::Unreadable("directory is torn");
        if !rest.starts_with(b"PK\x01\x02") || rest.len() < CENTRAL {
            return Err(torn);
        }
        let (fixed, tail) = rest.split_at(CENTRAL);
        let (name, extra, comment) = (u16_at(fixed, 28)?, u16_at(fixed, 30)?, u16_at(fixed, 32)?);
        let (Some((name, tail)), comment) = (tail.split_at_checked(name.into()), usize::from(comment)) else {
            return Err(torn);
        };
        let Some((extra, tail)) = tail.split_at_checked(extra.into()) else { return Err(torn) };
        let Some(after) = tail.get(comment..) else { return Err(torn) };
        Ok((Self { fixed, name, extra }, after))
    }

    fn resolve(
        &self,
        zip: &'a [u8],
        directory: &Directory,
        index: usize,
    ) -> Result<(Entry<'a>, (usize, usize)), Fault> {
        let bad = |why| Fault::Entry { index, why };
        // bit 0 encrypted, bit 6 strong encryption, bit 13 masked headers
        if u16_at(self.fixed, 8)? & 0x2041 != 0 {
            return Err(bad("encrypted"));
        }
        let method = match u16_at(self.fixed, 10)? {
            0 => Method::Stored,
            8 => Method::Deflated,
            _ => return Err(bad("compression method is not supported")),
        };
        if u16_at(self.fixed, 34)? != 0 {
            return Err(Fault::Unreadable("the archive spans disks"));
        }
        if self.name.len() > PATH_MAX {
            return Err(bad("name is too long"));
        }
        let name = std::str::from_utf8(self.name).map_err(|_| bad("name is not UTF-8"))?;
        let extent = self.extent().ok_or_else(|| bad("zip64 field is damaged"))?;
        let (data, span) = self.data(zip, directory, &extent).ok_or_else(|| bad("data out of range"))?;
        if method == Method::Stored && extent.packed != extent.size {
            return Err(bad("sizes differ"));
        }
        let crc = u32_at(self.fixed, 16)?;
        let mode = self.mode();
        Ok((Entry { name, method, crc, size: extent.size, data, mode, modified: self.modified() }, span))
    }

    /// The entry's bytes, and all that belongs to it, from its local header on.
    fn data(
        &self,
        zip: &'a [u8],
        directory: &Directory,
        extent: &Extent,
    ) -> Option<(&'a [u8], (usize, usize))> {
        let start = directory.base.checked_add(usize::try_from(extent.offset).ok()?)?;
        let local = zip.get(start..directory.start)?;
        if !local.starts_with(b"PK\x03\x04") || local.len() < LOCAL {
            return None;
        }
        let name_len = usize::from(u16_at(local, 26).ok()?);
        let data = LOCAL + name_len + usize::from(u16_at(local, 28).ok()?);
        if local.get(LOCAL..LOCAL + name_len)? != self.name {
            return None;
        }
        let end = data.checked_add(usize::try_from(extent.packed).ok()?)?;
        Some((local.get(data..end)?, (start, start + end)))
    }

    /// Fields that read all ones stand in the zip64 extra field (0x0001), in this order.
    fn extent(&self) -> Option<Extent> {
        let mut wide = field(self.extra, 0x0001).unwrap_or_default();
        let mut take = |at: usize| -> Option<u64> {
            let narrow = u32_at(self.fixed, at).ok()?;
            if narrow != u32::MAX {
                return Some(u64::from(narrow));
            }
            let (value, rest) = wide.split_at_checked(8)?;
            wide = rest;
            u64_at(value, 0).ok()
        };
        let size = take(24)?;
        let packed = take(20)?;
        let offset = take(42)?;
        Some(Extent { packed, size, offset })
    }

    /// Hosts 3 (Unix) and 19 (macOS) always write modes; others may (Python on Windows does), seen by a file type.
    fn mode(&self) -> u32 {
        let mode = u32_at(self.fixed, 38).unwrap_or_default() >> 16;
        let unix = matches!(self.fixed[5], 3 | 19);
        if unix || mode & 0o170_000 != 0 { mode } else { 0 }
    }

    /// Field 0x5455 (seconds, as Info-ZIP writes it): compiled Python files are checked against it.
    fn modified(&self) -> Option<u64> {
        let field = field(self.extra, 0x5455)?;
        (field.first()? & 1 == 1).then(|| u32_at(field, 1).ok().map(u64::from))?
    }
}

/// The extra field with this id.
fn field(mut extra: &[u8], id: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (tag, len) = (u16_at(extra, 0).ok()?, usize::from(u16_at(extra, 2).ok()?));
        let body = extra.get(4..4 + len)?;
        if tag == id {
            return Some(body);
        }
        extra = &extra[4 + len..];
    }
    None
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Fault> {
    bytes.get(at..).and_then(|b| b.first_chunk::<N>()).copied().ok_or(Fault::Unreadable("torn header"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    bytes_at(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Fault> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}
