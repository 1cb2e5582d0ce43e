//! The registry turns commands into changes of `Function` records.
//!
//! Every change is one compare-and-set on the function's record. A published version lies in a record of its own, written
//! before the function's record names it: a crash between the two leaves an orphan, never a gap in the numbers.

mod cache;
mod changes;
mod functions;
mod layers;
mod turns;
mod versions;

use std::sync::Arc;

use anyfn_base::Base;
use anyfn_types::{Error, Function, FunctionName, Kind, Namespace};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use self::{cache::Cache, changes::Bell, turns::Turns};
use crate::ports::{Expect, Record, Records};

pub use changes::{Changed, Changes};
pub use functions::NewFunction;
pub use layers::{LayerName, LayerRecord, NewLayerVersion};
pub use turns::Turn;
pub use versions::{Publish, Resolved, revision_mismatch};

/// How often a lost compare-and-set is tried again before the caller is told.
const ATTEMPTS: usize = 64;

/// A page of a listing: the items and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    base: Base,
    records: Arc<dyn Records>,
    cache: Arc<Cache>,
    changes: Arc<Bell>,
    turns: Arc<Turns>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    pub fn new(base: Base, records: Arc<dyn Records>) -> Self {
        Self { base, records, cache: Arc::default(), changes: Arc::default(), turns: Arc::default() }
    }

    /// A fresh revision for a function's, alias' or policy's record.
    pub fn revision(&self) -> String {
        self.base.random.uuid_text()
    }

    /// Reads one aggregate.
    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, u64)>, Error> {
        match self.records.get(key).await? {
            Some(record) => Ok(Some((decode(&record)?, record.revision))),
            None => Ok(None),
        }
    }

    async fn write<T: Serialize>(&self, key: &str, value: &T, expect: Expect) -> Result<u64, Error> {
        self.records.put(key, encode(value)?, expect).await
    }

    /// Writes a function that is there already, and tells who wants to know.
    async fn rewrite(&self, function: Function, revision: u64) -> Result<Arc<Function>, Error> {
        let key = function_key(&function.namespace, &function.name);
        let bytes = encode(&function)?;
        let text = bytes.len();
        let revision = self.records.put(&key, bytes, Expect::Revision(revision)).await?;
        let function = Arc::new(function);
        let name = (&function.namespace, &function.name);
        self.cache.wrote_function(name, Some((function.clone(), revision)), text);
        self.changes.ring(&function, false);
        Ok(function)
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, Error> {
    let bytes = serde_json::to_vec(value).map_err(|e| Error::internal("record_encode", e))?;
    Ok(Bytes::from(bytes))
}

fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, Error> {
    serde_json::from_slice(&record.value)
        .map_err(|e| Error::internal("record_decode", format!("record {}: {e}", record.key)))
}

/// A write lost against another; the caller of `update` reads again and retries.
fn lost(error: &Error) -> bool {
    error.kind == Kind::Precondition && error.code == "record_changed"
}

pub(crate) fn contended() -> Error {
    Error::new(Kind::Conflict, "update_conflict", "another update of the same function is in progress")
}

fn function_key(namespace: &Namespace, name: &FunctionName) -> String {
    ["fn/", namespace.as_str(), "/", name.as_str()].concat()
}

/// The error for a function that is not there.
pub fn function_not_found(name: &FunctionName) -> Error {
    Error::not_found("function_not_found", format!("function {name} was not found"))
}

/// The error for a version or alias that is not there.
pub fn version_not_found(function: &Function, qualifier: &str) -> Error {
    Error::not_found(
        "version_not_found",
        format!("function {} has no version or alias {qualifier}", function.name),
    )
}
