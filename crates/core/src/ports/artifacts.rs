//! Code as packages (zip, folders) and as read-only roots that a sandbox can bind.

use std::path::PathBuf;

use anyfn_types::{Code, Digest, Error};
use async_trait::async_trait;
use bytes::Bytes;

/// A package that was accepted: checked whole, kept durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub code: Code,
}

/// A folder with unpacked code. It stays as long as a clone of this lives.
#[derive(Clone, Debug)]
pub struct Root {
    pub path: PathBuf,
    /// Keeps the folder from being collected.
    pub hold: std::sync::Arc<dyn std::any::Any + Send + Sync>,
}

#[async_trait]
pub trait Artifacts: Send + Sync {
    /// Checks a zip (bombs, path escape, links out of the root, devices, duplicate and colliding names, entry count) and
    /// keeps it. Errors: `package_invalid`, `package_too_large`. Nothing is left behind on an error.
    async fn ingest(&self, zip: Bytes) -> Result<Package, Error>;
    /// The package as it was uploaded.
    async fn package(&self, digest: Digest) -> Result<Option<Bytes>, Error>;
    /// The unpacked root of a package, unpacking it first if need be. Concurrent calls unpack once.
    async fn root(&self, digest: Digest) -> Result<Root, Error>;
    /// Roots laid over each other, later ones overwriting earlier ones.
    async fn merged(&self, digests: &[Digest]) -> Result<Root, Error>;
}
