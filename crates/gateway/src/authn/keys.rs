//! Access keys: kept in the store, held in memory.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use anyfn_base::{Base, Counter};
use anyfn_core::ports::{Expect, Records};
use anyfn_policy::{AccessKey, Attempts, Body, Caller, Family, KeyId, Refusal, Rights, Signed, StoredKey};
use anyfn_types::{Error, Kind};
use bytes::Bytes;
use http::{header::AUTHORIZATION, request::Parts};

use super::{Identity, as_signed, unauthenticated};

const PREFIX: &str = "key/";
/// Wrong tries of one address within a minute before it is refused unseen.
const TRIES: u32 = 20;
const WINDOW_MS: u64 = 60_000;
const ADDRESSES: usize = 10_000;

/// All keys. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    base: Base,
    records: Arc<dyn Records>,
    known: RwLock<BTreeMap<KeyId, StoredKey>>,
    wrong: Mutex<Attempts>,
    refused: Counter,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    pub async fn open(base: Base, records: Arc<dyn Records>) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = records.scan(PREFIX, after.as_deref(), 1000).await?;
            let Some(last) = page.last().map(|record| record.key.clone()) else { break };
            for record in &page {
                let key: StoredKey =
                    serde_json::from_slice(&record.value).map_err(|e| Error::internal("key_decode", e))?;
                known.insert(key.id.clone(), key);
            }
            after = Some(last);
        }
        let help = "Requests refused for their signature or key.";
        let refused = base.metrics.counter("anyfn_unauthenticated_total", help, &[]);
        let wrong = Mutex::new(Attempts::new(TRIES, WINDOW_MS, ADDRESSES));
        Ok(Self(Arc::new(Shared { base, records, known: RwLock::new(known), wrong, refused })))
    }

    fn known(&self) -> RwLockReadGuard<'_, BTreeMap<KeyId, StoredKey>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tries(&self) -> MutexGuard<'_, Attempts> {
        self.0.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a key at all.
    pub fn any(&self) -> bool {
        !self.known().is_empty()
    }

    pub fn list(&self) -> Vec<StoredKey> {
        self.known().values().cloned().collect()
    }

    /// Durable when it returns. Errors: `account_invalid`.
    pub async fn create(&self, account: &str, rights: Rights) -> Result<StoredKey, Error> {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::invalid("account_invalid", "an account has 12 digits"));
        }
        let mut random = [0; 40];
        for piece in random.chunks_mut(8) {
            piece.copy_from_slice(&self.0.base.random.u64().to_le_bytes());
        }
        let AccessKey { id, secret } = AccessKey::generate(&random);
        let created = self.0.base.clock.wall();
        let key = StoredKey { id, secret, account: account.to_owned(), rights, created, revoked: None };
        let bytes = serde_json::to_vec(&key).map_err(|e| Error::internal("key_encode", e))?;
        self.0.records.put(&format!("{PREFIX}{}", key.id.0), Bytes::from(bytes), Expect::Absent).await?;
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).insert(key.id.clone(), key.clone());
        Ok(key)
    }

    /// From now on the key opens nothing. Errors: `key_not_found`.
    pub async fn revoke(&self, id: &str) -> Result<(), Error> {
        let removed =
            self.0.known.write().unwrap_or_else(PoisonError::into_inner).remove(&KeyId(id.to_owned()));
        if removed.is_none() {
            return Err(Error::not_found("key_not_found", "there is no such key; see `anyfn key ls`"));
        }
        self.0.records.delete(&format!("{PREFIX}{id}"), Expect::Any).await.map(drop)
    }

    fn guard(&self, peer: SocketAddr) -> Result<(), Error> {
        if self.tries().may_try(&peer.ip().to_string(), self.0.base.clock.wall()) {
            return Ok(());
        }
        let text = "too many wrong keys from this address; wait a minute";
        Err(Error::new(Kind::Throttled, "too_many_wrong_keys", text))
    }

    fn wrong(&self, peer: SocketAddr) {
        self.0.refused.add(1);
        self.tries().failed(&peer.ip().to_string(), self.0.base.clock.wall());
    }

    /// `Authorization: Bearer ID.SECRET`, the native API's scheme.
    pub(super) fn bearer(&self, parts: &Parts, peer: SocketAddr) -> Result<Identity, Error> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let how = "this server asks for a key: set ANYFN_KEY=ID.SECRET (see `anyfn key create`)";
        self.keyed(header.unwrap_or_default(), peer, how)
    }

    /// A key's id and secret, as `Bearer ID.SECRET`.
    pub(super) fn keyed(&self, header: &str, peer: SocketAddr, how: &str) -> Result<Identity, Error> {
        self.guard(peer)?;
        let Some(caller) = self.key_caller(header) else {
            self.wrong(peer);
            return Err(unauthenticated(how));
        };
        Ok(Identity { caller, service: None, region: None, body: None })
    }

    fn bearer_caller(&self, parts: &Parts) -> Option<Caller> {
        self.key_caller(parts.headers.get(AUTHORIZATION)?.to_str().ok()?)
    }

    fn key_caller(&self, header: &str) -> Option<Caller> {
        let known = self.known();
        match StoredKey::bearer_id(header).and_then(|id| known.get(&id)) {
            Some(key) => key.check_bearer(header),
            None => StoredKey::refuse_bearer(header),
        }
    }

    pub(crate) fn bearer_admin(&self, parts: &Parts) -> bool {
        self.bearer_caller(parts).is_some_and(|caller| caller.rights.admin)
    }

    /// Signed at all, by a key that is there: what can be told from the head.
    pub(super) fn known_signer(&self, parts: &Parts, peer: SocketAddr) -> Result<(), Error> {
        self.guard(peer)?;
        let signed = Signed::parse(&as_signed(parts));
        let known = |signed: Signed| self.known().contains_key(&KeyId(signed.credential.access_key));
        match signed.map(known) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.refusal(Refusal::UnknownKey, peer)),
            Err(refusal) => Err(self.refusal(refusal, peer)),
        }
    }

    fn refusal(&self, refusal: Refusal, peer: SocketAddr) -> Error {
        self.wrong(peer);
        Error::from(refusal)
    }

    /// AWS Signature Version 4: headers, presigned queries, signed chunks.
    pub(super) fn verified(&self, parts: &Parts, body: &Bytes, peer: SocketAddr) -> Result<Identity, Error> {
        self.guard(peer)?;
        self.verify(parts, body).map_err(|refusal| self.refusal(refusal, peer))
    }

    fn verify(&self, parts: &Parts, body: &Bytes) -> Result<Identity, Refusal> {
        let request = as_signed(parts);
        let signed = Signed::parse(&request)?;
        let family = match signed.credential.service.as_str() {
            "s3" => Family::S3,
            "sts" | "iam" | "sqs" | "sns" | "cloudformation" => Family::Query,
            _ => Family::Json,
        };
        let key = self.known().get(&KeyId(signed.credential.access_key.clone())).cloned();
        let key = key.ok_or(Refusal::UnknownKey)?;
        let now = self.0.base.clock.wall();
        let proven = signed.verify(&request, &key.secret, family, Body::of(body), now)?;
        let content = match proven.chunks {
            Some(mut chunks) => {
                let mut content = Vec::with_capacity(body.len());
                chunks.feed(body, &mut content)?;
                chunks.finish(None)?;
                Some(Bytes::from(content))
            }
            None => None,
        };
        let caller = key.caller().ok_or(Refusal::UnknownKey)?;
        let (service, region) = (Some(proven.credential.service), Some(proven.credential.region));
        Ok(Identity { caller, service, region, body: content })
    }
}
