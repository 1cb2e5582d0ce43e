//! Create, get, list, update and delete functions.

use std::{collections::BTreeMap, sync::Arc};

use anyfn_types::{
    Code, Config, Error, Function, FunctionName, FunctionUrl, Kind, Namespace, Version, VersionState,
};

use super::{ATTEMPTS, Page, Registry, contended, decode, function_key, function_not_found, lost};
use crate::ports::Expect;

/// What a new function begins with.
#[derive(Clone, Debug)]
pub struct NewFunction {
    pub namespace: Namespace,
    pub name: FunctionName,
    pub code: Code,
    pub config: Config,
    pub tags: BTreeMap<String, String>,
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Registry {
    /// Errors: `function_exists` (Conflict).
    pub async fn create(&self, new: NewFunction) -> Result<Arc<Function>, Error> {
        let now = self.base.clock.wall();
        let latest = Version {
            id: self.base.random.version_id(),
            number: 0,
            code: new.code,
            config: new.config,
            modified: now,
            revision: self.revision(),
            state: VersionState::Pending,
            notice: None,
        };
        let function = Function {
            namespace: new.namespace,
            name: new.name,
            created: now,
            latest,
            versions: BTreeMap::new(),
            next_version: 1,
            aliases: BTreeMap::new(),
            policy: Vec::new(),
            urls: BTreeMap::new(),
            async_configs: BTreeMap::new(),
            reserved: None,
            provisioned: BTreeMap::new(),
            tags: new.tags,
            extra: new.extra,
        };
        let key = function_key(&function.namespace, &function.name);
        match self.write(&key, &function, Expect::Absent).await {
            Ok(revision) => {
                let function = Arc::new(function);
                self.cache.keep_function(key, function.clone(), revision);
                Ok(function)
            }
            Err(e) if lost(&e) => Err(Error::new(
                Kind::Conflict,
                "function_exists",
                format!("Function already exist: {}", function.name),
            )),
            Err(e) => Err(e),
        }
    }

    /// Errors: `function_not_found`.
    pub async fn get(&self, namespace: &Namespace, name: &FunctionName) -> Result<Arc<Function>, Error> {
        let key = function_key(namespace, name);
        if let Some(function) = self.cache.function(&key) {
            return Ok(function);
        }
        let Some((function, revision)) = self.read::<Function>(&key).await? else {
            return Err(function_not_found(name));
        };
        let function = Arc::new(function);
        self.cache.keep_function(key, function.clone(), revision);
        Ok(function)
    }

    /// In order of names; `after` is a page's `next`. `limit` 1..=10000.
    pub async fn list(
        &self,
        namespace: &Namespace,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Function>, Error> {
        let prefix = format!("fn/{namespace}/");
        let after = after.map(|name| format!("{prefix}{name}"));
        let records = self.records.scan(&prefix, after.as_deref(), limit).await?;
        let full = records.len() == limit;
        let items = records.iter().map(decode::<Function>).collect::<Result<Vec<_>, _>>()?;
        let next = items.last().filter(|_| full).map(|last| last.name.to_string());
        Ok(Page { items, next })
    }

    /// All namespaces that have functions are walked; for the owner's own tools only.
    pub async fn list_all(&self, after: Option<&str>, limit: usize) -> Result<Page<Function>, Error> {
        let records = self.records.scan("fn/", after, limit).await?;
        let next = records.last().filter(|_| records.len() == limit).map(|last| last.key.clone());
        let items = records.iter().map(decode::<Function>).collect::<Result<Vec<_>, _>>()?;
        Ok(Page { items, next })
    }

    /// Reads, changes, writes back; again when another change came between. `change` must be free of side effects.
    pub async fn update<T>(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        mut change: impl FnMut(&mut Function) -> Result<T, Error> + Send,
    ) -> Result<(Arc<Function>, T), Error> {
        let key = function_key(namespace, name);
        for _ in 0..ATTEMPTS {
            let Some((mut function, revision)) = self.read::<Function>(&key).await? else {
                return Err(function_not_found(name));
            };
            let result = change(&mut function)?;
            match self.write(&key, &function, Expect::Revision(revision)).await {
                Ok(revision) => {
                    let function = Arc::new(function);
                    self.cache.keep_function(key, function.clone(), revision);
                    return Ok((function, result));
                }
                Err(e) if lost(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Err(contended())
    }

    /// Deletes the function with its versions, aliases and addresses.
    pub async fn delete(&self, namespace: &Namespace, name: &FunctionName) -> Result<Arc<Function>, Error> {
        let key = function_key(namespace, name);
        let Some((function, _)) = self.read::<Function>(&key).await? else {
            return Err(function_not_found(name));
        };
        self.records.delete(&key, Expect::Any).await?;
        self.cache.forget_function(&key);
        for id in function.versions.values() {
            self.delete_version_record(namespace, name, *id).await?;
        }
        for url in function.urls.values() {
            self.records.delete(&url_key(&url.id), Expect::Any).await?;
        }
        Ok(Arc::new(function))
    }

    /// Gives a function (or an alias of it) an address. Errors: `url_exists` (Conflict).
    pub async fn put_url(
        &self,
        function: &Function,
        url: FunctionUrl,
        fresh: bool,
    ) -> Result<Arc<Function>, Error> {
        let at = url.alias.clone().unwrap_or_default();
        let owner = (&function.namespace, &function.name);
        self.write(&url_key(&url.id), &owner, Expect::Any).await?;
        let result = self
            .update(&function.namespace, &function.name, |f| {
                if fresh && f.urls.contains_key(&at) {
                    let text = format!("Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function", f.name);
                    return Err(Error::new(Kind::Conflict, "url_exists", text));
                }
                f.urls.insert(at.clone(), url.clone());
                Ok(())
            })
            .await;
        if result.is_err() && fresh {
            self.records.delete(&url_key(&url.id), Expect::Any).await?;
        }
        Ok(result?.0)
    }

    /// The function behind an address.
    pub async fn by_url(&self, id: &str) -> Result<Option<(Arc<Function>, FunctionUrl)>, Error> {
        let owner = match self.cache.owner(id) {
            Some(owner) => owner,
            None => {
                let Some((owner, _)) = self.read::<(Namespace, FunctionName)>(&url_key(id)).await? else {
                    return Ok(None);
                };
                self.cache.keep_owner(id, owner.clone());
                owner
            }
        };
        let function = self.get(&owner.0, &owner.1).await?;
        let url = function.urls.values().find(|url| url.id == id).cloned();
        Ok(url.map(|url| (function, url)))
    }

    /// Takes an address back. Errors: `url_not_found`.
    pub async fn delete_url(
        &self,
        namespace: &Namespace,
        name: &FunctionName,
        at: &str,
    ) -> Result<(), Error> {
        let (_, url) = self
            .update(namespace, name, |f| {
                f.urls.remove(at).ok_or_else(|| {
                    Error::not_found("url_not_found", "The resource you requested does not exist.")
                })
            })
            .await?;
        self.records.delete(&url_key(&url.id), Expect::Any).await?;
        Ok(())
    }
}

fn provisioned_key(namespace: &Namespace, name: &FunctionName) -> String {
    format!("provisioned/{namespace}/{name}")
}

impl Registry {
    /// Call it before a function's `provisioned` gets an entry: a mark without one is swept, an entry without a mark would
    /// never be warmed after a restart.
    pub async fn mark_provisioned(&self, namespace: &Namespace, name: &FunctionName) -> Result<(), Error> {
        self.write(&provisioned_key(namespace, name), &(namespace, name), Expect::Any).await.map(drop)
    }

    /// Functions that keep instances warm; marks that no longer hold are taken away.
    pub async fn provisioned(&self) -> Result<Vec<Arc<Function>>, Error> {
        let mut found = Vec::new();
        for record in self.records.scan("provisioned/", None, 10_000).await? {
            let (namespace, name): (Namespace, FunctionName) = decode(&record)?;
            match self.get(&namespace, &name).await {
                Ok(function) if !function.provisioned.is_empty() => found.push(function),
                Ok(_) => self.unmark(&record.key, record.revision).await?,
                Err(e) if e.kind == Kind::NotFound => self.unmark(&record.key, record.revision).await?,
                Err(e) => return Err(e),
            }
        }
        Ok(found)
    }

    /// Unless somebody marked it again meanwhile.
    async fn unmark(&self, key: &str, revision: u64) -> Result<(), Error> {
        match self.records.delete(key, Expect::Revision(revision)).await {
            Err(e) if !lost(&e) => Err(e),
            _ => Ok(()),
        }
    }
}

fn url_key(id: &str) -> String {
    format!("url/{id}")
}
