//! Functions and versions that were read lately, so that a call does not read the store.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyfn_types::{Function, FunctionName, Namespace, Version, VersionId};

/// Entries of each kind; past this the cache starts again from nothing, which costs one read per function in use.
const MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Cache {
    functions: RwLock<HashMap<String, (Arc<Function>, u64)>>,
    versions: RwLock<HashMap<VersionId, Arc<Version>>>,
    /// Whose an address was when it was read. Whether it still is, the function says.
    urls: RwLock<HashMap<String, (Namespace, FunctionName)>>,
}

impl Cache {
    pub(super) fn function(&self, key: &str) -> Option<Arc<Function>> {
        self.functions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .map(|(function, _)| function.clone())
    }

    /// Keeps the newer of what is there and what is given.
    pub(super) fn keep_function(&self, key: String, function: Arc<Function>, revision: u64) {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        if functions.get(&key).is_some_and(|(_, known)| *known > revision) {
            return;
        }
        if functions.len() >= MAX {
            functions.clear();
        }
        functions.insert(key, (function, revision));
    }

    pub(super) fn forget_function(&self, key: &str) {
        self.functions.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    pub(super) fn version(&self, id: VersionId) -> Option<Arc<Version>> {
        self.versions.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn keep_version(&self, version: Arc<Version>) {
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        if versions.len() >= MAX {
            versions.clear();
        }
        versions.insert(version.id, version);
    }

    pub(super) fn owner(&self, url: &str) -> Option<(Namespace, FunctionName)> {
        self.urls.read().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    pub(super) fn keep_owner(&self, url: &str, owner: (Namespace, FunctionName)) {
        let mut urls = self.urls.write().unwrap_or_else(PoisonError::into_inner);
        if urls.len() >= MAX {
            urls.clear();
        }
        urls.insert(url.to_owned(), owner);
    }
}
