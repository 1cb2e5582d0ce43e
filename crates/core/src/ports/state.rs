//! State: four ports, each with an embedded engine and, later, distributed ones. Every engine passes the same
//! conformance suite (`testkit`). Acknowledged means on disk.
//!
//! Keys are UTF-8 text of 1..=1024 bytes without NUL; values are at most 8 MiB; queue and log names as keys, at most 256 bytes.

use anyfn_types::{Digest, Error, MessageId, Millis};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

/// One stored value. `revision` grows with every change of the store; no two changes share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: String,
    pub value: Bytes,
    pub revision: u64,
}

/// What must hold for a write to happen. If it does not: `Kind::Precondition`, code `record_changed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Any,
    Absent,
    Revision(u64),
}

/// One change as a watcher sees it, in the order of revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put(Record),
    Deleted {
        key: String,
        revision: u64,
    },
    /// The watcher fell behind what is kept: scan again, then watch from this revision.
    Relist {
        revision: u64,
    },
}

/// Key to value, with compare-and-set.
#[async_trait]
pub trait Records: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<Record>, Error>;
    /// Durable when it returns. Gives the new revision.
    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<u64, Error>;
    /// Durable when it returns. Deleting what is not there is no error under `Expect::Any`.
    async fn delete(&self, key: &str, expect: Expect) -> Result<u64, Error>;
    /// In key order, those that start with `prefix` and are greater than `after`, at most `limit` (1..=10000).
    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>, Error>;
    /// Every change under `prefix` with a revision greater than `from`. The channel is bounded; a slow reader gets `Relist`.
    async fn watch(&self, prefix: &str, from: u64) -> Result<mpsc::Receiver<Change>, Error>;
}

/// A message to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    pub id: MessageId,
    pub body: Bytes,
    /// Not before this; 0 means at once.
    pub due: Millis,
}

/// How long a lease holds, in milliseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(pub u64);

/// A message in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    pub id: MessageId,
    pub body: Bytes,
    /// 1 on first delivery.
    pub attempt: u32,
    pub appended: Millis,
    /// Proof of the lease; acks with an older one are refused with `Kind::Precondition`, code `lease_lost`.
    pub token: u64,
}

/// What lies in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    pub ready: u64,
    pub delayed: u64,
    pub leased: u64,
    pub dead: u64,
    /// When the oldest message that is not dead was appended.
    pub oldest: Option<Millis>,
}

/// Durable messages: at least once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Durable when it returns. Appending an id that the queue still holds changes nothing.
    async fn append(&self, queue: &str, messages: Vec<Append>) -> Result<(), Error>;
    /// Up to `max` messages that are due, oldest first. Empty if there is none.
    async fn lease(&self, queue: &str, max: usize, lease: Lease) -> Result<Vec<Leased>, Error>;
    /// Holds the lease for another `lease` from now.
    async fn extend(&self, queue: &str, id: MessageId, token: u64, lease: Lease) -> Result<(), Error>;
    /// Done; durable when it returns.
    async fn ack(&self, queue: &str, id: MessageId, token: u64) -> Result<(), Error>;
    /// Give it back, to be delivered again not before `due`.
    async fn release(&self, queue: &str, id: MessageId, token: u64, due: Millis) -> Result<(), Error>;
    /// Set it aside with a reason; it is kept and counted until `redrive` or `purge`.
    async fn bury(&self, queue: &str, id: MessageId, token: u64, reason: &str) -> Result<(), Error>;
    async fn depth(&self, queue: &str) -> Result<Depth, Error>;
    /// Returns when the queue may have something due (or at once if it has).
    async fn ready(&self, queue: &str);
    async fn purge(&self, queue: &str) -> Result<u64, Error>;
    /// Puts dead messages back; gives how many.
    async fn redrive(&self, queue: &str) -> Result<u64, Error>;
    /// Names of queues that hold anything, those that start with `prefix`.
    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error>;
}

/// One entry of a log. Sequence numbers of a log are dense and ascend from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub seq: u64,
    pub bytes: Bytes,
}

/// When an append returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On disk.
    Synced,
    /// In the operating system's hands; on disk within a second.
    Soon,
}

/// Ordered appends.
#[async_trait]
pub trait Log: Send + Sync {
    /// Gives the sequence number of the first. All or none of the entries are kept.
    async fn append(&self, log: &str, entries: Vec<Bytes>, durability: Durability) -> Result<u64, Error>;
    /// From `from` on, at most `max` entries and about `max_bytes`.
    async fn read(&self, log: &str, from: u64, max: usize, max_bytes: usize) -> Result<Vec<LogEntry>, Error>;
    /// The first sequence number that is kept and the next to be written.
    async fn bounds(&self, log: &str) -> Result<(u64, u64), Error>;
    /// Forget what lies before `before`.
    async fn trim(&self, log: &str, before: u64) -> Result<(), Error>;
    /// Forget the whole log; a later append starts at 0.
    async fn remove(&self, log: &str) -> Result<(), Error>;
    /// Returns when the log holds `seq` (or at once if it does).
    async fn reached(&self, log: &str, seq: u64);
    /// Names of logs that start with `prefix`.
    async fn logs(&self, prefix: &str) -> Result<Vec<String>, Error>;
}

/// Bytes by digest, whole.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Durable when it returns. Writing what is there already changes nothing.
    async fn put(&self, bytes: Bytes) -> Result<Digest, Error>;
    /// None if it is not there. A blob whose bytes do not match its digest is an error, never served.
    async fn get(&self, digest: Digest) -> Result<Option<Bytes>, Error>;
    async fn size(&self, digest: Digest) -> Result<Option<u64>, Error>;
    async fn delete(&self, digest: Digest) -> Result<(), Error>;
}
