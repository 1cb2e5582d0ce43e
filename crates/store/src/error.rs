//! What can go wrong in the room, and how it reads at the port.

use std::io;

use anyfn_types::{Error, Kind};
use rustix::io::Errno;

/// Every message names what to do, because the reader may be woken by it at night.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error(
        "{file} is damaged at byte {at} ({why}); nothing was changed. Check the disk, then restore the data \
         folder from a backup"
    )]
    Damaged { file: String, at: u64, why: &'static str },
    #[error(
        "{file} is missing, though later changes build on it; put it back, or restore the data folder from a backup"
    )]
    Missing { file: String },
    #[error(
        "another anyfn server uses this data folder; stop it, or give this one a folder of its own (--data DIR)"
    )]
    Locked,
    #[error(
        "this data folder has format {found}, and this anyfn reads up to format {known}; start it with the anyfn \
         that wrote it or a later one, or restore a backup that was taken before the upgrade"
    )]
    TooNew { found: u32, known: u32 },
    #[error(
        "this is no data folder of anyfn: it holds other files; give anyfn an empty folder of its own (--data DIR)"
    )]
    Foreign,
    #[error("the store is closed")]
    Closed,
}

pub(crate) type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Tags an `io::Error` with what was being done.
pub(crate) trait During<T> {
    fn during(self, what: &'static str) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: &'static str) -> Result<T> {
        self.map_err(|source| StoreError::Io { what, source })
    }
}

fn is_full(error: &io::Error) -> bool {
    let full = [Errno::NOSPC, Errno::FBIG, Errno::DQUOT];
    error.raw_os_error().is_some_and(|raw| full.iter().any(|errno| errno.raw_os_error() == raw))
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Io { source, .. } if is_full(source) => Self::new(
                Kind::Unavailable,
                "storage_full",
                "the storage is full: nothing can be written until space is given back",
            )
            .caused_by(error),
            StoreError::Io { .. } => {
                Self::new(Kind::Unavailable, "storage_failed", "the storage failed: try again later")
                    .caused_by(error)
            }
            StoreError::Closed => Self::new(Kind::Unavailable, "storage_closed", "the server is stopping"),
            StoreError::Locked => Self::new(Kind::Conflict, "storage_locked", error.to_string()),
            StoreError::TooNew { .. } => Self::new(Kind::Unsupported, "storage_too_new", error.to_string()),
            StoreError::Foreign => Self::new(Kind::Invalid, "storage_foreign", error.to_string()),
            // The file's name is relative to the data folder, so it may be shown.
            StoreError::Damaged { .. } | StoreError::Missing { .. } => {
                Self::new(Kind::Internal, "storage_damaged", error.to_string())
            }
        }
    }
}

impl StoreError {
    /// Whether space is what is wanting.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }

    /// The same once more, for the next of those who wait.
    pub(crate) fn twin(&self) -> Self {
        match self {
            Self::Io { what, source } => {
                let again = || io::Error::new(source.kind(), source.to_string());
                let source = source.raw_os_error().map_or_else(again, io::Error::from_raw_os_error);
                Self::Io { what, source }
            }
            Self::Damaged { file, at, why } => Self::Damaged { file: file.clone(), at: *at, why },
            Self::Missing { file } => Self::Missing { file: file.clone() },
            Self::TooNew { found, known } => Self::TooNew { found: *found, known: *known },
            Self::Locked => Self::Locked,
            Self::Foreign => Self::Foreign,
            Self::Closed => Self::Closed,
        }
    }
}
