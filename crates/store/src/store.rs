//! The room's door.

use std::{path::PathBuf, sync::Arc};

use anyfn_base::Base;
use anyfn_core::ports::{Blobs, Log, Queue, Records};
use anyfn_types::Error;

use crate::{
    blobs::StoreBlobs,
    disk::{Disk, RealDisk},
    logs::StoreLog,
    queues::StoreQueue,
    records::StoreRecords,
    recover::{self, Lock},
    shared::{Shared, blocking},
    writer::Writer,
};

/// What can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Length of a segment file in bytes. Default 16 MiB, range 4 KiB..=1 GiB. Up to five of them are used
    /// beyond twice what the store holds.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20 }
    }
}

/// An open data folder. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store {
    records: Arc<StoreRecords>,
    queue: Arc<StoreQueue>,
    log: Arc<StoreLog>,
    blobs: Arc<StoreBlobs>,
    writer: Writer,
    lock: Arc<std::sync::Mutex<Option<LockHeld>>>,
}

struct LockHeld(#[allow(dead_code, reason = "held, never read")] Lock);

impl std::fmt::Debug for LockHeld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockHeld")
    }
}

impl Store {
    /// Opens the folder, making it if needed, and reads the log. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `storage_locked`: another server uses the folder. `storage_too_new`: a later anyfn wrote it. `storage_foreign`: it is
    /// somebody else's. `storage_damaged`: bytes are not what was written; the text names file and offset and what to do.
    /// `storage_full`, `storage_failed`: the operating system refused.
    pub async fn open(base: Base, dir: PathBuf, options: Options) -> Result<Self, Error> {
        Self::open_on(base, Arc::new(RealDisk), dir, options).await
    }

    pub(crate) async fn open_on(
        base: Base,
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        options: Options,
    ) -> Result<Self, Error> {
        let segment_bytes = options.segment_bytes.clamp(4096, 1 << 30);
        let clock = base.clock.clone();
        let (committer, blobs, lock) = blocking(move || {
            let (lock, store) = recover::take_folder(&*disk, &dir, base.random.u64())?;
            let blobs = StoreBlobs::open(disk.clone(), dir.join("blobs"))?;
            let committer = recover::open_log(base, disk, &dir, store, segment_bytes)?;
            Ok((committer, blobs, lock))
        })
        .await?;
        let shared: Arc<Shared> = committer.shared.clone();
        let writer = Writer::start(committer, clock);
        Ok(Self {
            records: Arc::new(StoreRecords { shared: shared.clone(), writer: writer.clone() }),
            queue: Arc::new(StoreQueue { shared: shared.clone(), writer: writer.clone() }),
            log: Arc::new(StoreLog { shared, writer: writer.clone() }),
            blobs: Arc::new(blobs),
            writer,
            lock: Arc::new(std::sync::Mutex::new(Some(LockHeld(lock)))),
        })
    }

    pub fn records(&self) -> Arc<dyn Records> {
        self.records.clone()
    }

    pub fn queue(&self) -> Arc<dyn Queue> {
        self.queue.clone()
    }

    pub fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    pub fn blobs(&self) -> Arc<dyn Blobs> {
        self.blobs.clone()
    }

    /// Commits what waits, syncs, and lets the folder go. Later writes are refused with `storage_closed`; reads go on.
    pub async fn close(&self) {
        self.writer.close().await;
        self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}
