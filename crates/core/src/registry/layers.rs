//! Layers: one record per layer, its published versions inside.

use std::collections::BTreeMap;

use anyfn_types::{Code, Error, Kind, LayerVersion, Namespace};
use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, Page, Registry, contended, decode, lost};
use crate::ports::Expect;

/// A layer's name: 1–140 characters of `A-Za-z0-9_-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LayerName(String);

impl LayerName {
    pub fn new(text: &str) -> Result<Self, Error> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !text.is_empty() && text.len() <= 140 && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid("layer_name_invalid", "a layer name has 1 to 140 characters of A-Z a-z 0-9 _ -"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a new layer version begins with.
#[derive(Clone, Debug)]
pub struct NewLayerVersion {
    pub code: Code,
    pub description: String,
    pub license: Option<String>,
    pub runtimes: Vec<String>,
    pub architectures: Vec<String>,
}

/// All versions of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    pub name: String,
    /// Numbers are never used again.
    pub next_version: u64,
    pub versions: BTreeMap<u64, LayerVersion>,
}

fn key(namespace: &Namespace, name: &LayerName) -> String {
    format!("layer/{namespace}/{}", name.0)
}

fn not_found() -> Error {
    Error::not_found("layer_not_found", "The resource you requested does not exist.")
}

impl Registry {
    /// Gives the new version; numbers are dense from 1.
    pub async fn publish_layer(
        &self,
        namespace: &Namespace,
        name: &LayerName,
        new: NewLayerVersion,
    ) -> Result<LayerVersion, Error> {
        let created = self.base.clock.wall();
        self.change_layer(namespace, name, true, |layer| {
            let version = LayerVersion {
                version: layer.next_version.max(1),
                code: new.code.clone(),
                description: new.description.clone(),
                license: new.license.clone(),
                runtimes: new.runtimes.clone(),
                architectures: new.architectures.clone(),
                created,
                policy: Vec::new(),
                policy_revision: String::new(),
            };
            layer.next_version = version.version + 1;
            layer.versions.insert(version.version, version.clone());
            Ok(version)
        })
        .await
    }

    /// Errors: `layer_not_found`.
    pub async fn layer(&self, namespace: &Namespace, name: &LayerName) -> Result<LayerRecord, Error> {
        self.read::<LayerRecord>(&key(namespace, name)).await?.map(|(layer, _)| layer).ok_or_else(not_found)
    }

    /// Errors: `layer_not_found`.
    pub async fn layer_version(
        &self,
        namespace: &Namespace,
        name: &LayerName,
        version: u64,
    ) -> Result<LayerVersion, Error> {
        self.layer(namespace, name).await?.versions.remove(&version).ok_or_else(not_found)
    }

    /// In order of names; layers without versions are left out.
    pub async fn layers(
        &self,
        namespace: &Namespace,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<LayerRecord>, Error> {
        let prefix = format!("layer/{namespace}/");
        let after = after.map(|name| format!("{prefix}{name}"));
        let records = self.records.scan(&prefix, after.as_deref(), limit).await?;
        let next = records.last().filter(|_| records.len() == limit);
        let next = next.and_then(|last| last.key.strip_prefix(&prefix)).map(str::to_owned);
        let mut items = records.iter().map(decode::<LayerRecord>).collect::<Result<Vec<_>, _>>()?;
        items.retain(|layer| !layer.versions.is_empty());
        Ok(Page { items, next })
    }

    /// Functions that refer to the version keep running with it.
    pub async fn delete_layer_version(
        &self,
        namespace: &Namespace,
        name: &LayerName,
        version: u64,
    ) -> Result<(), Error> {
        let result =
            self.change_layer(namespace, name, false, |layer| Ok(layer.versions.remove(&version))).await;
        match result {
            Err(e) if e.kind == Kind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// Changes one layer version's record (its policy).
    pub async fn update_layer_version<T>(
        &self,
        namespace: &Namespace,
        name: &LayerName,
        version: u64,
        mut change: impl FnMut(&mut LayerVersion) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.change_layer(namespace, name, false, |layer| {
            change(layer.versions.get_mut(&version).ok_or_else(not_found)?)
        })
        .await
    }

    async fn change_layer<T>(
        &self,
        namespace: &Namespace,
        name: &LayerName,
        create: bool,
        mut change: impl FnMut(&mut LayerRecord) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let key = key(namespace, name);
        for _ in 0..ATTEMPTS {
            let found = self.read::<LayerRecord>(&key).await?;
            if found.is_none() && !create {
                return Err(not_found());
            }
            let expect = found.as_ref().map_or(Expect::Absent, |(_, revision)| Expect::Revision(*revision));
            let fresh = || LayerRecord { name: name.0.clone(), next_version: 1, versions: BTreeMap::new() };
            let mut layer = found.map_or_else(fresh, |(layer, _)| layer);
            let result = change(&mut layer)?;
            match self.write(&key, &layer, expect).await {
                Ok(_) => return Ok(result),
                Err(e) if lost(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Err(contended())
    }
}
