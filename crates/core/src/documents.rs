//! Documents: what a dialect keeps beside functions (packages, triggers, rules, apps), one record each.
//!
//! A kind belongs to one dialect and is named like it (`whisk-package`); names are free text of 1..=700 bytes without NUL.
//! Nothing here knows what is inside.

use std::sync::Arc;

use anyfn_types::{Error, Namespace};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Page,
    ports::{Expect, Record, Records},
};

/// How often a lost compare-and-set is tried again before the caller is told.
const ATTEMPTS: usize = 64;

/// Cheap to clone.
#[derive(Clone)]
pub struct Documents(Arc<dyn Records>);

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

fn prefix(namespace: &Namespace, kind: &str) -> String {
    format!("doc/{namespace}/{kind}/")
}

fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, Error> {
    serde_json::from_slice(&record.value)
        .map_err(|e| Error::internal("record_decode", format!("record {}: {e}", record.key)))
}

impl Documents {
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self(records)
    }

    /// The document and its revision.
    pub async fn get<T: DeserializeOwned>(
        &self,
        namespace: &Namespace,
        kind: &str,
        name: &str,
    ) -> Result<Option<(T, u64)>, Error> {
        let record = self.0.get(&format!("{}{name}", prefix(namespace, kind))).await?;
        record.map(|record| Ok((decode(&record)?, record.revision))).transpose()
    }

    /// Durable when it returns; gives the new revision. Errors: `record_changed` (Precondition).
    pub async fn put<T: Serialize>(
        &self,
        (namespace, kind, name): (&Namespace, &str, &str),
        value: &T,
        expect: Expect,
    ) -> Result<u64, Error> {
        let bytes = serde_json::to_vec(value).map_err(|e| Error::internal("record_encode", e))?;
        self.0.put(&format!("{}{name}", prefix(namespace, kind)), Bytes::from(bytes), expect).await
    }

    /// Durable when it returns. Errors: `record_changed` (Precondition).
    pub async fn delete(
        &self,
        namespace: &Namespace,
        kind: &str,
        name: &str,
        expect: Expect,
    ) -> Result<(), Error> {
        self.0.delete(&format!("{}{name}", prefix(namespace, kind)), expect).await.map(drop)
    }

    /// In order of names, from behind `after`, a page's `next`. `limit` 1..=10000.
    pub async fn list<T: DeserializeOwned>(
        &self,
        namespace: &Namespace,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(String, T)>, Error> {
        let prefix = prefix(namespace, kind);
        let after = after.map(|name| format!("{prefix}{name}"));
        let records = self.0.scan(&prefix, after.as_deref(), limit).await?;
        let full = records.len() == limit;
        let item = |record: &Record| Ok((record.key[prefix.len()..].to_owned(), decode(record)?));
        let items = records.iter().map(item).collect::<Result<Vec<(String, T)>, Error>>()?;
        let next = items.last().filter(|_| full).map(|(name, _)| name.clone());
        Ok(Page { items, next })
    }

    /// Reads, changes, writes back; again when another change came between. None if there is no such document. `change`
    /// must be free of side effects.
    pub async fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        (namespace, kind, name): (&Namespace, &str, &str),
        mut change: impl FnMut(&mut T) -> Result<R, Error> + Send,
    ) -> Result<Option<(T, R)>, Error> {
        for _ in 0..ATTEMPTS {
            let Some((mut value, revision)) = self.get::<T>(namespace, kind, name).await? else {
                return Ok(None);
            };
            let result = change(&mut value)?;
            match self.put((namespace, kind, name), &value, Expect::Revision(revision)).await {
                Ok(_) => return Ok(Some((value, result))),
                Err(e) if e.code == "record_changed" => {}
                Err(e) => return Err(e),
            }
        }
        Err(crate::registry::contended())
    }
}
