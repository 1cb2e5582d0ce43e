//! Access keys: kept in the store, held in memory.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use anyfn_base::{Base, Counter};
use anyfn_core::ports::{Expect, Records};
use anyfn_policy::{Caller, Rights};
use anyfn_types::{Error, Kind};
use bytes::Bytes;
use http::{header::AUTHORIZATION, request::Parts};
use serde::{Deserialize, Serialize};

use super::{Identity, unauthenticated, wrong::Wrong};

const PREFIX: &str = "key/";

/// A key as it is kept. SigV4 needs the secret itself, so it cannot be a hash.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredKey {
    /// `AKIA…`, 20 characters.
    pub id: String,
    pub secret: String,
    /// 12 digits.
    pub account: String,
    pub invoke_only: bool,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey")
            .field("id", &self.id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// All keys. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    base: Base,
    records: Arc<dyn Records>,
    known: RwLock<BTreeMap<String, StoredKey>>,
    wrong: Wrong,
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
        let refused = base.metrics.counter(
            "anyfn_unauthenticated_total",
            "Requests refused for their signature or key.",
            &[],
        );
        Ok(Self(Arc::new(Shared {
            base,
            records,
            known: RwLock::new(known),
            wrong: Wrong::default(),
            refused,
        })))
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, StoredKey>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a key at all.
    pub fn any(&self) -> bool {
        !self.known().is_empty()
    }

    pub async fn list(&self) -> Result<Vec<StoredKey>, Error> {
        Ok(self.known().values().cloned().collect())
    }

    /// Durable when it returns. Errors: `account_invalid`.
    pub async fn create(&self, account: &str, invoke_only: bool) -> Result<StoredKey, Error> {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::invalid("account_invalid", "an account has 12 digits"));
        }
        let random = &self.0.base.random;
        let id = format!("AKIA{}", random.label(16).to_ascii_uppercase());
        let key = StoredKey { id, secret: random.label(40), account: account.to_owned(), invoke_only };
        let bytes = serde_json::to_vec(&key).map_err(|e| Error::internal("key_encode", e))?;
        self.0.records.put(&format!("{PREFIX}{}", key.id), Bytes::from(bytes), Expect::Absent).await?;
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).insert(key.id.clone(), key.clone());
        Ok(key)
    }

    /// Errors: `key_not_found`.
    pub async fn revoke(&self, id: &str) -> Result<(), Error> {
        if self.0.known.write().unwrap_or_else(PoisonError::into_inner).remove(id).is_none() {
            return Err(Error::not_found("key_not_found", "there is no such key; see `anyfn key ls`"));
        }
        self.0.records.delete(&format!("{PREFIX}{id}"), Expect::Any).await.map(drop)
    }

    fn caller(key: &StoredKey) -> Caller {
        let rights = Rights { invoke: true, admin: !key.invoke_only };
        Caller { account: key.account.clone(), key: Some(key.id.clone()), rights }
    }

    fn guard(&self, peer: SocketAddr) -> Result<(), Error> {
        if self.0.wrong.refused(peer.ip(), self.0.base.clock.now()) {
            return Err(Error::new(
                Kind::Throttled,
                "too_many_wrong_keys",
                "too many wrong keys from this address; wait a minute",
            ));
        }
        Ok(())
    }

    fn wrong(&self, peer: SocketAddr) {
        self.0.refused.add(1);
        self.0.wrong.note(peer.ip(), self.0.base.clock.now());
    }

    /// `Authorization: Bearer ID:SECRET`, the native API's scheme.
    pub(super) fn bearer(&self, parts: &Parts, peer: SocketAddr) -> Result<Identity, Error> {
        self.guard(peer)?;
        let Some(caller) = self.bearer_caller(parts) else {
            self.wrong(peer);
            return Err(unauthenticated(
                "this server asks for a key: set ANYFN_KEY=ID:SECRET (see `anyfn key create`)",
            ));
        };
        Ok(Identity { caller, service: None, region: None, body: None })
    }

    fn bearer_caller(&self, parts: &Parts) -> Option<Caller> {
        let text = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let (id, secret) = text.split_once(':')?;
        let known = self.known();
        // An unknown id costs as much as a known one.
        let (key, there) = known.get(id).map_or((None, ""), |key| (Some(key), key.secret.as_str()));
        let same = anyfn_policy::same_secret(secret.as_bytes(), there.as_bytes());
        key.filter(|_| same).map(Self::caller)
    }

    pub(crate) fn bearer_admin(&self, parts: &Parts) -> bool {
        self.bearer_caller(parts).is_some_and(|caller| caller.rights.admin)
    }
}
impl Keys {
    pub(super) async fn verified(&self, _: &Parts, _: &Bytes, _: SocketAddr) -> Result<Identity, Error> {
        Err(unauthenticated("x"))
    }
}
