//! What keys, names and sizes may be. Checked before anything reaches the writer.

use anyfn_types::{Error, Kind, Result};

const VALUE_MAX: usize = 8 << 20;

fn text(text: &str, max: usize) -> Result<()> {
    if (1..=max).contains(&text.len()) && !text.contains('\0') {
        return Ok(());
    }
    Err(Error::invalid("storage_name_invalid", format!("a key or name has 1 to {max} bytes and no NUL")))
}

/// A record's key.
pub(crate) fn key(key: &str) -> Result<()> {
    text(key, 1024)
}

/// A queue's or log's name.
pub(crate) fn name(name: &str) -> Result<()> {
    text(name, 256)
}

/// The length of a value, message or entry.
pub(crate) fn value(len: usize) -> Result<()> {
    if len <= VALUE_MAX {
        return Ok(());
    }
    Err(Error::new(Kind::TooLarge, "storage_value_too_large", "a value has at most 8 MiB"))
}

/// Several of them, kept together or not at all.
pub(crate) fn together(lens: impl Iterator<Item = usize>) -> Result<()> {
    let mut sum = 0_usize;
    for len in lens {
        value(len)?;
        sum += len + 512;
    }
    if sum <= 4 * VALUE_MAX {
        return Ok(());
    }
    Err(Error::new(Kind::TooLarge, "storage_batch_too_large", "one append has at most 32 MiB"))
}

pub(crate) fn limit(limit: usize, max: usize) -> Result<()> {
    if (1..=max).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("storage_limit_invalid", format!("a limit is 1 to {max}")))
}
