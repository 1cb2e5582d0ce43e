//! `Blobs`: one file per blob, named by its digest. A blob is whole or not there: it is written beside, synced, then renamed.

use std::{
    io::ErrorKind,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyfn_core::ports::Blobs;
use anyfn_types::{Digest, Error, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::{
    disk::{Disk, DiskFile},
    error::{During, Result as StoreResult, StoreError},
    shared::blocking,
};

/// Blobs that are read or written at once; bounds memory and threads.
const AT_ONCE: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct StoreBlobs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    turn: Arc<AtomicU64>,
    at_once: Arc<Semaphore>,
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

impl StoreBlobs {
    /// Takes away what was being written when the server last ended.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: PathBuf) -> StoreResult<Self> {
        let tmp = dir.join("tmp");
        disk.create_dir(&tmp).during("making the folder of blobs")?;
        for name in disk.list(&tmp).during("reading the folder of blobs")? {
            disk.remove(&tmp.join(name)).during("removing a blob that was not finished")?;
        }
        Ok(Self { disk, dir, turn: Arc::default(), at_once: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let text = digest.to_string();
        self.dir.join(&text[..2]).join(&text[2..])
    }

    fn file(&self, digest: Digest) -> StoreResult<Option<Arc<dyn DiskFile>>> {
        match self.disk.open(&self.path(digest)) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).during("opening a blob"),
        }
    }

    fn read(&self, digest: Digest) -> Result<Option<Bytes>, Error> {
        let Some(file) = self.file(digest)? else { return Ok(None) };
        let len = usize::try_from(file.len().during("reading a blob")?).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len];
        let read = file.read_at(&mut bytes, 0).during("reading a blob")?;
        bytes.truncate(read);
        if digest_of(&bytes) == digest {
            return Ok(Some(bytes.into()));
        }
        let text = digest.to_string();
        let file = format!("blobs/{}/{}", &text[..2], &text[2..]);
        let cause = StoreError::Damaged { file, at: 0, why: "its digest does not match" };
        Err(Error::new(Kind::Internal, "blob_damaged", "stored bytes are damaged: upload them again")
            .caused_by(cause))
    }

    fn write(&self, bytes: &Bytes) -> Result<Digest, Error> {
        let digest = digest_of(bytes);
        // A damaged one is written anew; what cannot be read counts as damaged.
        if matches!(self.read(digest), Ok(Some(_))) {
            return Ok(digest);
        }
        let tmp = self.dir.join("tmp").join(self.turn.fetch_add(1, Ordering::Relaxed).to_string());
        let written = self.write_beside(bytes, &tmp, digest);
        if written.is_err() {
            let _ = self.disk.remove(&tmp);
        }
        written.during("writing a blob")?;
        Ok(digest)
    }

    fn write_beside(&self, bytes: &Bytes, tmp: &std::path::Path, digest: Digest) -> std::io::Result<()> {
        let file = self.disk.create(tmp)?;
        file.reserve(bytes.len() as u64)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.dir);
        self.disk.create_dir(folder)?;
        self.disk.rename(tmp, &path)?;
        self.disk.sync_dir(folder)?;
        // The folder may be new.
        self.disk.sync_dir(&self.dir)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.at_once.clone().acquire_owned().await;
        let blobs = self.clone();
        blocking(move || {
            let done = work(&blobs);
            drop(permit);
            done
        })
        .await
    }
}

#[async_trait]
impl Blobs for StoreBlobs {
    async fn put(&self, bytes: Bytes) -> Result<Digest, Error> {
        self.run(move |blobs| blobs.write(&bytes)).await
    }

    async fn get(&self, digest: Digest) -> Result<Option<Bytes>, Error> {
        self.run(move |blobs| blobs.read(digest)).await
    }

    async fn size(&self, digest: Digest) -> Result<Option<u64>, Error> {
        self.run(move |blobs| match blobs.file(digest)? {
            Some(file) => Ok(Some(file.len().during("reading a blob")?)),
            None => Ok(None),
        })
        .await
    }

    async fn delete(&self, digest: Digest) -> Result<(), Error> {
        self.run(move |blobs| {
            let path = blobs.path(digest);
            match blobs.disk.remove(&path) {
                Ok(()) => {
                    let folder = path.parent().unwrap_or(&blobs.dir);
                    Ok(blobs.disk.sync_dir(folder).during("deleting a blob")?)
                }
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                Err(e) => Ok(Err(e).during("deleting a blob")?),
            }
        })
        .await
    }
}
