//! Publish, read and resolve versions and aliases.

use std::sync::Arc;

use anyfn_types::{Error, Function, FunctionName, Kind, Namespace, Qualifier, Version, VersionId};

use super::{
    ATTEMPTS, Registry, contended, decode, function_key, function_not_found, lost, version_not_found,
};
use crate::ports::Expect;

/// Conditions of a publish.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    pub description: Option<String>,
    /// Base64 SHA-256 that the code must have.
    pub code_sha256: Option<String>,
    /// Revision that `$LATEST` must have.
    pub revision: Option<String>,
}

/// What a qualifier stands for now.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub function: Arc<Function>,
    pub version: Arc<Version>,
}

impl Registry {
    fn version_key(namespace: &Namespace, name: &FunctionName, id: VersionId) -> String {
        format!("ver/{namespace}/{name}/{id}")
    }

    pub(super) async fn delete_version_record(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        id: VersionId,
    ) -> Result<(), Error> {
        self.records.delete(&Self::version_key(namespace, name, id), Expect::Any).await.map(drop)
    }

    /// Freezes `$LATEST` under the next number. Gives the newest version back unchanged if nothing changed since.
    /// Errors: `function_not_found`, `revision_mismatch`, `code_sha_mismatch`.
    pub async fn publish(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        with: Publish,
    ) -> Result<Resolved, Error> {
        let key = function_key(namespace, name);
        for _ in 0..ATTEMPTS {
            let Some((mut function, revision)) = self.read::<Function>(&key).await? else {
                return Err(function_not_found(name));
            };
            check(&function, &with)?;
            if let Some(version) = self.unchanged(&function, &with).await? {
                return Ok(Resolved { function: Arc::new(function), version });
            }
            let version = self.frozen(&function, &with);
            let record = Self::version_key(namespace, name, version.id);
            self.write(&record, &version, Expect::Absent).await?;
            function.versions.insert(version.number, version.id);
            function.next_version += 1;
            match self.rewrite(function, revision).await {
                Ok(function) => return Ok(Resolved { function, version: Arc::new(version) }),
                Err(e) if lost(&e) => self.delete_version_record(namespace, name, version.id).await?,
                Err(e) => return Err(e),
            }
        }
        Err(contended())
    }

    /// The newest version, if it is the same as `$LATEST` but for its description.
    async fn unchanged(&self, function: &Function, with: &Publish) -> Result<Option<Arc<Version>>, Error> {
        let Some((number, _)) = function.versions.last_key_value() else { return Ok(None) };
        let newest = self.version(function, *number).await?;
        let mut config = newest.config.clone();
        let described = with.description.is_none() || with.description.as_ref() == Some(&config.description);
        config.description.clone_from(&function.latest.config.description);
        let same = described && config == function.latest.config && newest.code == function.latest.code;
        Ok(same.then_some(newest))
    }

    fn frozen(&self, function: &Function, with: &Publish) -> Version {
        let mut version = function.latest.clone();
        version.id = self.base.random.version_id();
        version.number = function.next_version;
        version.revision = self.revision();
        if let Some(description) = &with.description {
            version.config.description.clone_from(description);
        }
        version
    }

    /// A version by number; 0 is `$LATEST`. Errors: `version_not_found`.
    pub async fn version(&self, function: &Function, number: u64) -> Result<Arc<Version>, Error> {
        if number == 0 {
            return Ok(Arc::new(function.latest.clone()));
        }
        let Some(id) = function.versions.get(&number) else {
            return Err(version_not_found(function, &number.to_string()));
        };
        if let Some(version) = self.cache.version(*id) {
            return Ok(version);
        }
        let key = Self::version_key(&function.namespace, &function.name, *id);
        let Some(record) = self.records.get(&key).await? else {
            return Err(Error::internal("version_record_missing", key));
        };
        let version = Arc::new(decode::<Version>(&record)?);
        self.cache.keep_version(version.clone(), record.value.len());
        Ok(version)
    }

    /// What a call with this qualifier runs. An alias with two versions picks by weight; only then is `draw` asked for a
    /// number in 0.0..1.0.
    pub async fn resolve(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        qualifier: Option<&Qualifier>,
        draw: impl FnOnce() -> f64 + Send,
    ) -> Result<Resolved, Error> {
        let known = self.known(namespace, name).await?;
        let function = known.function.clone();
        let number = match qualifier {
            None | Some(Qualifier::Latest) => 0,
            Some(Qualifier::Version(number)) => *number,
            Some(Qualifier::Alias(alias)) => route(&function, alias, draw)?,
        };
        let version = if number == 0 { known.latest() } else { self.version(&function, number).await? };
        Ok(Resolved { function, version })
    }

    /// Deletes one published version. Errors: `version_not_found`, `version_in_use` (an alias points at it).
    pub async fn delete_version(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        number: u64,
    ) -> Result<(), Error> {
        let (_, id) = self
            .update(namespace, name, |f| {
                let points = |alias: &&anyfn_types::Alias| {
                    alias.version == number || alias.split.is_some_and(|(second, _)| second == number)
                };
                let aliases: Vec<_> = f.aliases.values().filter(points).map(|a| a.name.clone()).collect();
                if !aliases.is_empty() {
                    let text = format!("Version {number} is in use by alias {}", aliases.join(", "));
                    return Err(Error::new(Kind::Conflict, "version_in_use", text));
                }
                f.versions.remove(&number).ok_or_else(|| version_not_found(f, &number.to_string()))
            })
            .await?;
        self.delete_version_record(namespace, name, id).await
    }
}

fn check(function: &Function, with: &Publish) -> Result<(), Error> {
    if with.revision.as_ref().is_some_and(|revision| *revision != function.latest.revision) {
        return Err(revision_mismatch());
    }
    let sha = function.latest.code.digest.base64();
    match &with.code_sha256 {
        Some(wanted) if *wanted != sha => Err(Error::invalid(
            "code_sha_mismatch",
            format!(
                "CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({sha}). Please try again with the CodeSHA256 in $LATEST."
            ),
        )),
        _ => Ok(()),
    }
}

/// The error for a stale `RevisionId`.
pub fn revision_mismatch() -> Error {
    Error::new(
        Kind::Precondition,
        "revision_mismatch",
        "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId",
    )
}

fn route(function: &Function, alias: &str, draw: impl FnOnce() -> f64) -> Result<u64, Error> {
    let alias = function.aliases.get(alias).ok_or_else(|| version_not_found(function, alias))?;
    let Some((second, share)) = alias.split else { return Ok(alias.version) };
    Ok(if draw() < share.0 { second } else { alias.version })
}
