//! Records whose values are sealed before they reach the disk: functions' environments and access keys are secrets, and the
//! log's segments outlive what was deleted from them.
//!
//! XChaCha20-Poly1305 with a random nonce for each value; the record's key is bound in, so that no value can be passed off
//! as another's. The sealing key lies beside the store, in a file of its own that only its owner can read.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Change, Expect, Record, Records};
use anyfn_types::{Error, Kind};
use async_trait::async_trait;
use bytes::Bytes;
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use tokio::sync::mpsc;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Changes that a watcher may lag behind in this layer.
const WATCH_QUEUE: usize = 64;

/// A `Records` over another one.
#[derive(Clone)]
pub struct Sealed {
    base: Base,
    inner: Arc<dyn Records>,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").finish_non_exhaustive()
    }
}

impl Sealed {
    /// Reads the key at `path`, or makes one there (mode 0600) if there is none. Errors: `seal_key_failed`.
    pub fn open(base: Base, inner: Arc<dyn Records>, path: &Path) -> Result<Self, Error> {
        let key = read_or_make(&base, path).map_err(|e| {
            let text = format!("the key file {} cannot be used: {e}", path.display());
            Error::new(Kind::Unavailable, "seal_key_failed", text)
        })?;
        Ok(Self { base, inner, cipher: XChaCha20Poly1305::new(&key.into()) })
    }

    fn seal(&self, key: &str, value: &[u8]) -> Result<Bytes, Error> {
        let mut nonce = [0; NONCE_BYTES];
        for piece in nonce.chunks_mut(8) {
            piece.copy_from_slice(&self.base.random.u64().to_le_bytes());
        }
        let payload = Payload { msg: value, aad: key.as_bytes() };
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), payload);
        let sealed = sealed.map_err(|e| Error::internal("record_seal", e.to_string()))?;
        Ok([&nonce[..], &sealed].concat().into())
    }

    fn unseal(&self, record: Record) -> Result<Record, Error> {
        let broken = || {
            let text = format!("record {} does not open with this data folder's key", record.key);
            Error::internal("record_unseal", text)
        };
        let (nonce, sealed) = record.value.split_at_checked(NONCE_BYTES).ok_or_else(broken)?;
        let payload = Payload { msg: sealed, aad: record.key.as_bytes() };
        let value = self.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| broken())?;
        Ok(Record { value: value.into(), ..record })
    }
}

fn read_or_make(base: &Base, path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "it must hold 32 bytes");
    match fs::read(path) {
        Ok(bytes) => return bytes.try_into().map_err(|_| wrong()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Err(_) => {}
    }
    let mut key = [0; KEY_BYTES];
    for piece in key.chunks_mut(8) {
        piece.copy_from_slice(&base.random.u64().to_le_bytes());
    }
    // Whole or not at all: half a key would lock the store.
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    io::Write::write_all(&mut file, &key)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(key)
}

#[async_trait]
impl Records for Sealed {
    async fn get(&self, key: &str) -> Result<Option<Record>, Error> {
        self.inner.get(key).await?.map(|record| self.unseal(record)).transpose()
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<u64, Error> {
        self.inner.put(key, self.seal(key, &value)?, expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<u64, Error> {
        self.inner.delete(key, expect).await
    }

    async fn scan(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Record>, Error> {
        self.inner.scan(prefix, after, limit).await?.into_iter().map(|record| self.unseal(record)).collect()
    }

    async fn watch(&self, prefix: &str, from: u64) -> Result<mpsc::Receiver<Change>, Error> {
        let mut changes = self.inner.watch(prefix, from).await?;
        let (sender, receiver) = mpsc::channel(WATCH_QUEUE);
        let this = self.clone();
        self.base.tasks.spawn(TaskKind::Background, "unseal", async move {
            while let Some(change) = changes.recv().await {
                let change = match change {
                    Change::Put(record) => match this.unseal(record) {
                        Ok(record) => Change::Put(record),
                        Err(error) => {
                            tracing::error!(?error, "a watched record");
                            return;
                        }
                    },
                    other => other,
                };
                if sender.send(change).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

#[cfg(test)]
mod tests;
