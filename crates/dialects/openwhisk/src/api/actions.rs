//! `actions`: list, put, get, delete.

use std::sync::Arc;

use anyfn_core::NewFunction;
use anyfn_types::{
    AsyncConfig, Config, Contract, Ephemeral, Error, Function, Logging, Namespace, Version, VersionState,
};
use anyfn_web::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ctx,
    code::{Exec, Source},
};
use crate::{
    contract,
    fault::{Fault, Result},
    model::{self, CONTRACT, EXTRA, KeyValue, Meta, overlay},
    names::{ActionName, FullName},
};

/// What is read of the registry at once.
const PAGE: usize = 1000;
const TMP_MIB: u32 = 512;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Put {
    exec: Option<Exec>,
    parameters: Option<Vec<KeyValue>>,
    annotations: Option<Vec<KeyValue>>,
    limits: Option<PutLimits>,
    publish: Option<bool>,
    #[serde(rename = "delAnnotations")]
    del_annotations: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PutLimits {
    timeout: Option<u64>,
    memory: Option<u64>,
    logs: Option<u64>,
    concurrency: Option<u64>,
}

fn within(name: &str, value: Option<u64>, now: u64, range: (u64, u64, u64)) -> Result<u64> {
    let value = value.unwrap_or(now);
    if (range.0..=range.2).contains(&value) {
        return Ok(value);
    }
    let text = format!("{name} {value} is not within the allowed range {} to {}", range.0, range.2);
    Err(Fault::invalid(format!("The request content was malformed:\nrequirement failed: {text}")))
}

impl PutLimits {
    fn apply(&self, limits: &mut model::ActionLimits) -> Result<()> {
        limits.timeout = within("timeout", self.timeout, limits.timeout, model::TIMEOUT_MS)?;
        limits.memory = within("memory", self.memory, limits.memory, model::MEMORY_MB)?;
        limits.logs = within("logs", self.logs, limits.logs, model::LOGS_MB)?;
        limits.concurrency = within("concurrency", self.concurrency, limits.concurrency, model::CONCURRENCY)?;
        Ok(())
    }
}

impl Ctx<'_> {
    pub(super) async fn list_actions(&self, package: Option<&str>) -> Result<Response> {
        let home = self.shared.home(&self.who.namespace, Some(self.namespace.as_str()), package).await?;
        let (skip, limit) = self.query.page()?;
        let mut all = self.all_actions(&home.namespace).await?;
        all.retain(|(action, _)| package.is_none() || action.package == home.package);
        if self.query.flag("count", false)? {
            return Ok(anyfn_web::json(
                StatusCode::OK,
                &json!({ "actions": all.len().saturating_sub(skip) }),
            ));
        }
        // The newest first, as their lists are.
        all.sort_by_key(|(_, function)| std::cmp::Reverse(function.latest.modified));
        let shown = all.iter().skip(skip).take(limit).map(|(action, f)| summary(action, f));
        Ok(anyfn_web::json(StatusCode::OK, &shown.collect::<Vec<_>>()))
    }

    /// Every function whose name an action can have.
    pub(super) async fn all_actions(&self, namespace: &Namespace) -> Result<Vec<(ActionName, Function)>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.shared.registry.list(namespace, after.as_deref(), PAGE).await?;
            all.extend(
                page.items.into_iter().filter_map(|f| ActionName::of(&f.name).map(|action| (action, f))),
            );
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    pub(super) async fn get_action(&self, full: &FullName) -> Result<Response> {
        let found = self.shared.find(&self.who.namespace, full).await?;
        let code = self.query.flag("code", true)?;
        let mut shown = self.describe(&found.action, &found.function, code).await?;
        if let Some(binding) = &found.binding {
            shown["namespace"] = json!(binding);
            shown["parameters"] = json!(overlay(&found.parameters, &found.meta.parameters));
        }
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }

    pub(super) async fn describe(&self, action: &ActionName, f: &Function, code: bool) -> Result<Value> {
        let meta = Meta::of(&f.latest);
        let mut shown = summary(action, f);
        let mut exec = json!({ "kind": meta.kind, "binary": meta.binary });
        if meta.is_sequence() {
            exec = json!({ "kind": meta.kind, "components": meta.components });
        } else if code {
            exec["code"] = self.shared.code(&meta, &f.latest.code).await?.into();
        }
        if let Some(main) = &meta.main {
            exec["main"] = json!(main);
        }
        shown["exec"] = exec;
        shown["parameters"] = json!(meta.parameters);
        Ok(shown)
    }

    pub(super) async fn delete_action(&self, full: &FullName) -> Result<Response> {
        self.own()?;
        self.not_bound(full).await?;
        let name = full.action.function()?;
        let function = self.shared.registry.get(&self.namespace, &name).await?;
        let shown = self.describe(&full.action, &function, false).await?;
        self.shared.registry.delete(&self.namespace, &name).await?;
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }

    /// Actions are put into packages, not into bindings.
    async fn not_bound(&self, full: &FullName) -> Result<()> {
        let Some(name) = &full.action.package else { return Ok(()) };
        match self.shared.package(&self.namespace, name).await? {
            None => Err(Fault::not_found()),
            Some(package) if package.binding.is_some() => {
                Err(Fault::invalid("Operation not permitted on package binding."))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) async fn put_action(&self, full: &FullName) -> Result<Response> {
        self.own()?;
        self.not_bound(full).await?;
        let put: Put = self.body()?;
        let overwrite = self.query.flag("overwrite", false)?;
        let name = full.action.function()?;
        let _turn = self.shared.registry.turn(&self.namespace, &name).await;
        let before = match self.shared.registry.get(&self.namespace, &name).await {
            Ok(_) if !overwrite => return Err(Fault::exists()),
            Ok(function) => Some(function),
            Err(e) if e.code == "function_not_found" => None,
            Err(e) => return Err(e.into()),
        };
        let source = put.exec.as_ref().map(Exec::source).transpose()?;
        let meta = self.meta(full, &put, before.as_deref(), source.as_ref()).await?;
        let code = match (source, &before) {
            (Some(source), _) => self.shared.artifacts.ingest(source.zip).await?.code,
            (None, Some(before)) => before.latest.code.clone(),
            (None, None) => return Err(Fault::invalid("exec undefined")),
        };
        let config = self.config(&meta, before.as_ref().map(|f| &f.latest.config))?;
        let new = NewFunction {
            namespace: self.namespace.clone(),
            name,
            code,
            config,
            tags: Default::default(),
            extra: Default::default(),
        };
        let function = self.store(new, before.is_some()).await?;
        let shown = self.describe(&full.action, &function, false).await?;
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }

    async fn meta(
        &self,
        full: &FullName,
        put: &Put,
        before: Option<&Function>,
        source: Option<&Source>,
    ) -> Result<Meta> {
        let mut meta = before.map_or_else(Meta::default, |f| Meta::of(&f.latest));
        meta.version += 1;
        if let (Some(exec), Some(source)) = (&put.exec, source) {
            meta.kind.clone_from(&source.kind);
            meta.main.clone_from(&exec.main);
            meta.binary = source.binary;
            meta.file.clone_from(&source.file);
            meta.components = Vec::new();
            if meta.is_sequence() {
                meta.components = self.components(full, exec).await?;
            }
        }
        if let Some(parameters) = &put.parameters {
            meta.parameters.clone_from(parameters);
        }
        if let Some(annotations) = &put.annotations {
            meta.annotations.clone_from(annotations);
        }
        meta.annotations.retain(|one| !put.del_annotations.contains(&one.key));
        if !meta.is_sequence() && !meta.annotations.iter().any(|one| one.key == "provide-api-key") {
            meta.annotations.push(KeyValue::new("provide-api-key", false));
        }
        meta.annotations = overlay(&meta.annotations, &[KeyValue::new("exec", meta.kind.clone())]);
        if let Some(limits) = &put.limits {
            limits.apply(&mut meta.limits)?;
        }
        meta.publish = put.publish.unwrap_or(meta.publish);
        for (what, all) in [("parameters", &meta.parameters), ("annotations", &meta.annotations)] {
            let bytes = serde_json::to_vec(all).map_or(0, |bytes| bytes.len() as u64);
            if bytes > model::PAYLOAD_BYTES {
                return Err(Fault::too_large(what, bytes, model::PAYLOAD_BYTES));
            }
        }
        Ok(meta)
    }

    /// Of a sequence, with their namespaces; all must be there, and none may lead back to it.
    async fn components(&self, full: &FullName, exec: &Exec) -> Result<Vec<String>> {
        let own = &self.who.namespace;
        let names =
            exec.components()?.iter().map(|name| FullName::parse(name)).collect::<Result<Vec<_>>>()?;
        let me = full.qualified(own);
        let mut left: Vec<FullName> = names.clone();
        let (mut seen, mut atoms) = (0, 0);
        while let Some(one) = left.pop() {
            seen += 1;
            if one.qualified(own) == me || seen > 10_000 {
                return Err(Fault::invalid("Sequence may not refer to itself."));
            }
            let found = self.shared.find(own, &one).await;
            let found = found.map_err(|_| Fault::invalid("Sequence component does not exist."))?;
            atoms += usize::from(!found.meta.is_sequence());
            for inner in &found.meta.components {
                left.push(FullName::parse(inner)?);
            }
        }
        if atoms > model::SEQUENCE_MAX {
            return Err(Fault::invalid("Too many actions in the sequence."));
        }
        Ok(names.iter().map(|name| name.qualified(own)).collect())
    }

    fn config(&self, meta: &Meta, before: Option<&Config>) -> Result<Config> {
        let account = self.namespace.as_str().split('.').next().unwrap_or_default();
        let runtime = contract::runtime(&meta.kind).unwrap_or_else(|| "provided".to_owned());
        let mut extra = before.map(|config| config.extra.clone()).unwrap_or_default();
        let kept = serde_json::to_value(meta).map_err(|e| Error::internal("record_encode", e))?;
        extra.insert(EXTRA.to_owned(), kept);
        // A sequence and a composition have no time of their own: their steps have.
        let endless = meta.is_sequence() || meta.is_conductor();
        Ok(Config {
            contract: Contract::Other(CONTRACT.to_owned()),
            runtime,
            handler: meta.main.clone().unwrap_or_else(|| "main".to_owned()),
            command: Vec::new(),
            description: model::annotation(&meta.annotations, "description")
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            role: format!("arn:aws:iam::{account}:role/anyfn"),
            env: Default::default(),
            memory_mib: u32::try_from(meta.limits.memory).unwrap_or(u32::MAX),
            timeout_ms: if endless { 0 } else { meta.limits.timeout },
            ephemeral: Ephemeral { mib: TMP_MIB },
            layers: Vec::new(),
            architecture: if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }.to_owned(),
            logging: Logging::default(),
            placement: before.map(|config| config.placement).unwrap_or_default(),
            extra,
        })
    }

    async fn store(&self, new: NewFunction, there: bool) -> Result<Arc<Function>> {
        let shared = self.shared;
        let function = if there {
            let (id, revision) = (shared.base.random.version_id(), shared.registry.revision());
            let modified = shared.base.clock.wall();
            let version = Version {
                id,
                number: 0,
                code: new.code.clone(),
                config: new.config.clone(),
                modified,
                revision,
                state: VersionState::Pending,
                notice: None,
            };
            let change = |f: &mut Function| {
                f.latest = version.clone();
                Ok(())
            };
            shared.registry.update(&new.namespace, &new.name, change).await?.0
        } else {
            let created = shared.registry.create(new.clone()).await;
            created.map_err(|e| if e.code == "function_exists" { Fault::exists() } else { e.into() })?
        };
        // An activation is not tried again: whoever fires it decides that.
        let once = |f: &mut Function| {
            let modified = f.latest.modified;
            let once = AsyncConfig { retries: Some(0), max_age_s: None, destinations: Value::Null, modified };
            f.async_configs.entry(String::new()).or_insert(once);
            Ok(())
        };
        shared.registry.update(&function.namespace, &function.name, once).await?;
        let Some(engine) = shared.engine.get() else { return Ok(function) };
        let function = engine.activate_now(&function).await?;
        match &function.latest.state {
            VersionState::Failed { reason, .. } => {
                let reason = reason.clone();
                if !there {
                    shared.registry.delete(&function.namespace, &function.name).await?;
                }
                Err(Fault::invalid(reason))
            }
            _ => Ok(function),
        }
    }
}

fn summary(action: &ActionName, f: &Function) -> Value {
    let meta = Meta::of(&f.latest);
    let namespace = match &action.package {
        Some(package) => format!("{}/{package}", f.namespace),
        None => f.namespace.to_string(),
    };
    json!({ "namespace": namespace, "name": action.name, "version": meta.version_text(), "publish": meta.publish,
        "annotations": meta.annotations, "limits": meta.limits_json(), "exec": { "binary": meta.binary },
        "updated": f.latest.modified })
}
