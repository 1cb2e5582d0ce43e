//! What can be wrong with a package. Public texts are AWS's own where AWS has one, because clients match on them.

use anyfn_types as types;

/// Public text for anything that is no readable zip, in AWS's words.
const UNREADABLE: &str = "Could not unzip uploaded file. Please check your file, then try to upload again.";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The archive itself is damaged or uses what we do not read.
    #[error("unreadable zip: {0}")]
    Unreadable(&'static str),
    /// The archive is readable, but an entry must not be unpacked.
    #[error("entry {index}: {why}")]
    Entry { index: usize, why: &'static str },
    /// More bytes than the limit, as sent or when unpacked.
    #[error("{0}")]
    TooLarge(String),
    /// More files and folders than the limit.
    #[error("more than {0} entries")]
    TooMany(u64),
    /// The disk said no.
    #[error("{what}: {source}")]
    Disk { what: &'static str, source: std::io::Error },
    /// Stored bytes are not those of their digest.
    #[error("package {0} does not match its digest")]
    Corrupt(types::Digest),
}

impl Fault {
    pub(crate) fn unpacked(limit: u64) -> Self {
        Self::TooLarge(format!("Unzipped size must be smaller than {limit} bytes"))
    }

    pub(crate) fn sent(limit: u64) -> Self {
        Self::TooLarge(format!("Request must be smaller than {limit} bytes"))
    }

    pub(crate) fn disk(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk { what, source }
    }
}

impl From<Fault> for types::Error {
    fn from(error: Fault) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match &error {
            Fault::Unreadable(_) => Self::invalid("package_invalid", UNREADABLE).caused_by(error),
            Fault::Entry { .. } | Fault::TooMany(_) => {
                let public = format!("{UNREADABLE} ({error})");
                Self::invalid("package_invalid", public).caused_by(error)
            }
            Fault::TooLarge(text) => {
                Self::new(types::Kind::TooLarge, "package_too_large", text.clone()).caused_by(error)
            }
            Fault::Disk { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
                Self::new(types::Kind::Unavailable, "disk_full", "no space left for code; try again later")
                    .caused_by(error)
            }
            Fault::Disk { .. } => Self::internal("package_disk", error),
            Fault::Corrupt(_) => Self::internal("package_corrupt", error),
        }
    }
}
