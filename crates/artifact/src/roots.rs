//! The port `Artifacts` over `Blobs` and a folder.
//!
//! The folder is a cache and nothing else: packages are durable in `Blobs`. So at start all of it is set aside and
//! removed: a root that a power cut left half-written is never served.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Artifacts, Blobs, Package, Root};
use anyfn_types::{Code, Digest, Limits};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::{
    cache::{Cache, Key},
    error::Fault,
    merge::merge,
    staging::Staging,
    unpack::unpack,
};

/// Bytes of unpacked roots that are kept for nobody, unless set.
const BUDGET: u64 = 8 << 30;
/// Packages that are unpacked at once: they cost CPU and disk, and more at once are not sooner done.
const UNPACK_AT_ONCE: usize = 4;

/// Code packages and their unpacked roots.
#[derive(Clone)]
pub struct Roots(Arc<Shared>);

struct Shared {
    base: Base,
    blobs: Arc<dyn Blobs>,
    limits: Limits,
    staging: PathBuf,
    cache: Cache,
    workers: Arc<Semaphore>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}

impl Roots {
    /// Takes `dir` for itself: what an earlier run left there is removed in the background. Roots that nobody holds are
    /// kept up to 8 GiB. Call it within the runtime. Errors: the folder cannot be written (`package_disk`, `disk_full`).
    pub fn new(
        base: Base,
        dir: PathBuf,
        blobs: Arc<dyn Blobs>,
        limits: Limits,
    ) -> Result<Self, anyfn_types::Error> {
        Self::with_budget(base, dir, blobs, limits, BUDGET)
    }

    /// As `new`, with `disk_budget_bytes` for unpacked roots. What is held counts but is never removed; the oldest that
    /// nobody holds go first, when another root comes in.
    pub fn with_budget(
        base: Base,
        dir: PathBuf,
        blobs: Arc<dyn Blobs>,
        limits: Limits,
        disk_budget_bytes: u64,
    ) -> Result<Self, anyfn_types::Error> {
        let (roots, staging) = (dir.join("roots"), dir.join("staging"));
        let stale = set_aside(&base, &dir, &[&roots, &staging])?;
        for folder in [&roots, &staging] {
            fs::create_dir_all(folder).map_err(Fault::disk("make the code folder"))?;
        }
        let workers = Arc::new(Semaphore::new(UNPACK_AT_ONCE));
        let cache = Cache::new(roots, disk_budget_bytes);
        let shared = Self(Arc::new(Shared { base, blobs, limits, staging, cache, workers }));
        shared.remove(stale);
        Ok(shared)
    }

    /// How many roots are unpacked, and their bytes.
    pub fn unpacked(&self) -> (usize, u64) {
        self.0.cache.size()
    }

    /// Runs disk and CPU work where it blocks nobody. The folder it makes goes away if this future is dropped.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, anyfn_types::Error> {
        let permit = self.0.workers.clone().acquire_owned().await;
        let permit = permit.map_err(|e| anyfn_types::Error::internal("package_worker", e))?;
        let shared = self.0.clone();
        // The permit comes back after the result: what a dropped call leaves is gone before another one may start.
        let done = tokio::task::spawn_blocking(move || (work(&shared), permit));
        let (done, _permit) = done.await.map_err(|e| anyfn_types::Error::internal("package_worker", e))?;
        Ok(done?)
    }

    fn keep(&self, key: Key, staging: Staging, bytes: u64) -> Result<Root, anyfn_types::Error> {
        let (root, gone) = self.0.cache.put(key, staging, bytes, &self.0.staging)?;
        self.remove(gone);
        Ok(root)
    }

    /// Nobody waits for it, and the next start removes what it leaves; at shutdown it may finish within the drain.
    fn remove(&self, folders: Vec<PathBuf>) {
        if folders.is_empty() {
            return;
        }
        let work = move || {
            for folder in folders {
                if let Err(error) = fs::remove_dir_all(&folder) {
                    tracing::warn!(%error, "an old root stays behind");
                }
            }
        };
        self.0.base.tasks.spawn(TaskKind::Service, "artifact-remove", async move {
            let _ = tokio::task::spawn_blocking(work).await;
        });
    }
}

/// Renames what is there, so that the names are free at once.
fn set_aside(base: &Base, dir: &Path, folders: &[&PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    fs::create_dir_all(dir).map_err(Fault::disk("make the code folder"))?;
    let mut stale = Vec::new();
    for entry in fs::read_dir(dir).map_err(Fault::disk("read the code folder"))? {
        let entry = entry.map_err(Fault::disk("read the code folder"))?;
        if entry.file_name().to_string_lossy().starts_with("stale-") {
            stale.push(entry.path());
        }
    }
    for folder in folders {
        if folder.exists() {
            let to = dir.join(format!("stale-{:032x}", base.random.u128()));
            fs::rename(folder, &to).map_err(Fault::disk("set old roots aside"))?;
            stale.push(to);
        }
    }
    Ok(stale)
}

impl Shared {
    fn stage(&self) -> Result<Staging, Fault> {
        Staging::create(&self.staging, &format!("{:032x}", self.base.random.u128()))
    }

    fn unpacked(&self, zip: &[u8]) -> Result<(Staging, u64), Fault> {
        let staging = self.stage()?;
        let bytes = unpack(zip, staging.path(), &self.limits)?;
        Ok((staging, bytes))
    }
}

#[async_trait]
impl Artifacts for Roots {
    async fn ingest(&self, zip: Bytes) -> Result<Package, anyfn_types::Error> {
        let limit = self.0.limits.package_bytes;
        if zip.len() as u64 > limit {
            return Err(Fault::sent(limit).into());
        }
        let checked = zip.clone();
        let (digest, fresh) = self
            .blocking(move |shared| {
                let digest = Digest(Sha256::digest(&checked).into());
                // What is unpacked already was checked already.
                let fresh = match shared.cache.bytes(Key::Package(digest)) {
                    Some(bytes) => Err(bytes),
                    None => Ok(shared.unpacked(&checked)?),
                };
                Ok((digest, fresh))
            })
            .await?;
        let size = zip.len() as u64;
        let kept = self.0.blobs.put(zip).await?;
        if kept != digest {
            return Err(Fault::Corrupt(digest).into());
        }
        let unpacked = match fresh {
            Err(bytes) => bytes,
            Ok((staging, bytes)) => {
                // The first call will want it unpacked, and here it is.
                self.keep(Key::Package(digest), staging, bytes)?;
                bytes
            }
        };
        Ok(Package { code: Code { digest, size, unpacked } })
    }

    async fn package(&self, digest: Digest) -> Result<Option<Bytes>, anyfn_types::Error> {
        self.0.blobs.get(digest).await
    }

    async fn root(&self, digest: Digest) -> Result<Root, anyfn_types::Error> {
        let key = Key::Package(digest);
        if let Some(root) = self.0.cache.get(key) {
            return Ok(root);
        }
        let turn = self.0.cache.turn(key);
        let _mine = turn.wait().await;
        if let Some(root) = self.0.cache.get(key) {
            return Ok(root);
        }
        let zip = self.0.blobs.get(digest).await?.ok_or_else(|| {
            anyfn_types::Error::not_found("package_not_found", "the function's code is not there")
        })?;
        let (staging, bytes) = self
            .blocking(move |shared| {
                if Digest(Sha256::digest(&zip).into()) != digest {
                    return Err(Fault::Corrupt(digest));
                }
                shared.unpacked(&zip)
            })
            .await?;
        self.keep(key, staging, bytes)
    }

    async fn merged(&self, digests: &[Digest]) -> Result<Root, anyfn_types::Error> {
        if let [one] = digests {
            return self.root(*one).await;
        }
        let mut all = Sha256::new();
        digests.iter().for_each(|digest| all.update(digest.0));
        let key = Key::Merged(Digest(all.finalize().into()));
        if let Some(root) = self.0.cache.get(key) {
            return Ok(root);
        }
        let turn = self.0.cache.turn(key);
        let _mine = turn.wait().await;
        if let Some(root) = self.0.cache.get(key) {
            return Ok(root);
        }
        let mut roots = Vec::with_capacity(digests.len());
        for digest in digests {
            roots.push(self.root(*digest).await?);
        }
        let (staging, bytes) = self
            .blocking(move |shared| {
                let staging = shared.stage()?;
                let paths: Vec<&Path> = roots.iter().map(|root| root.path.as_path()).collect();
                let entries = shared.limits.package_entries.saturating_mul(paths.len().max(1) as u64);
                let bytes = merge(&paths, staging.path(), entries)?;
                Ok((staging, bytes))
            })
            .await?;
        self.keep(key, staging, bytes)
    }
}

#[cfg(test)]
mod tests;
