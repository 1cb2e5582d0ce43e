//! The port `Contract`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use anyfn_base::{Base, iso_millis};
use anyfn_core::ports::{BringUp, Contract, Guest, LogTarget, Prepare, StartError};
use anyfn_types::{Config, MIB, Namespace, Version};
use async_trait::async_trait;

use crate::{
    Error, Options,
    compile::{Artifacts, Wanted},
    guest::WasmGuest,
    host::{Function, Host, Refused, Setting, has_network},
};

/// One namespace's place for its host process.
type Slot = Arc<tokio::sync::Mutex<Weak<Host>>>;

/// The contract `wasm`.
pub struct Wasm {
    base: Base,
    options: Options,
    artifacts: Artifacts,
    hosts: Mutex<HashMap<Namespace, Slot>>,
}

impl std::fmt::Debug for Wasm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasm").field("options", &self.options).finish_non_exhaustive()
    }
}

fn version_text(number: u64) -> String {
    if number == 0 { "$LATEST".to_owned() } else { number.to_string() }
}

/// The user's variables over what every function finds.
fn environment(with: &BringUp) -> Vec<(String, String)> {
    let config = &with.version.config;
    let region = with.function.namespace.as_str().split_once('.').map_or("us-east-1", |(_, region)| region);
    let mut env: indexmap::IndexMap<String, String> = [
        ("TZ", ":UTC".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", with.function.name.as_str().to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", version_text(with.version.number)),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mib.to_string()),
        ("_HANDLER", config.handler.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    env.extend(with.platform_env.iter().cloned());
    env.extend(config.env.iter().map(|(name, value)| (name.clone(), value.clone())));
    env.into_iter().collect()
}

/// A command's arguments: its name, then what the configuration says.
fn arguments(config: &Config) -> Vec<String> {
    if config.command.is_empty() { vec![config.handler.clone()] } else { config.command.clone() }
}

impl Wasm {
    pub fn new(base: Base, options: Options) -> Self {
        let artifacts = Artifacts::new(base.clone(), options.clone());
        Self { base, options, artifacts, hosts: Mutex::default() }
    }

    fn slot(&self, namespace: &Namespace) -> Slot {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Who holds a slot elsewhere is about to start a host in it.
        hosts.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|host| host.strong_count() > 0)
        });
        hosts.entry(namespace.clone()).or_default().clone()
    }

    async fn host(&self, with: &BringUp) -> Result<Arc<Host>, anyfn_types::Error> {
        let slot = self.slot(&with.function.namespace);
        let mut host = slot.lock().await;
        if let Some(running) = host.upgrade().filter(|host| !host.gone.is_cancelled()) {
            return Ok(running);
        }
        let started = Host::start(&self.base, &self.options, with).await?;
        *host = Arc::downgrade(&started);
        Ok(started)
    }

    async fn function(&self, with: &BringUp) -> Result<Arc<Function>, anyfn_types::Error> {
        let wanted = Wanted {
            namespace: &with.function.namespace,
            version: &with.version,
            code: &with.code,
            isolation: &with.isolation,
        };
        let host = self.host(with).await?;
        let loaded = self.load(with, &host, &wanted).await;
        if loaded.is_err() && host.gone.is_cancelled() {
            // It ended just now, perhaps because its last handle went: a new one, once.
            return self.load(with, &self.host(with).await?, &wanted).await;
        }
        loaded
    }

    async fn load(
        &self,
        with: &BringUp,
        host: &Arc<Host>,
        wanted: &Wanted<'_>,
    ) -> Result<Arc<Function>, anyfn_types::Error> {
        if let Some(function) = host.loaded(with.version.id).await {
            return Ok(function);
        }
        let mut fresh = false;
        loop {
            let artifact = self.artifacts.get(wanted, fresh).await?;
            let setting = Setting {
                env: environment(with),
                args: arguments(&with.version.config),
                memory_bytes: u64::from(with.version.config.memory_mib) * MIB,
                network: has_network(with.network),
            };
            match host.function(with.version.id, artifact, setting).await {
                Ok(function) => return Ok(function),
                // Made by an older engine, or on another machine: once more from the package.
                Err(Ok(Refused { stale: true, .. })) if !fresh => fresh = true,
                Err(Ok(refused)) => return Err(Error::Link(refused.text).into()),
                Err(Err(error)) => return Err(error.into()),
            }
        }
    }

    fn log_target(&self, with: &BringUp) -> LogTarget {
        let config = &with.version.config;
        let group = config.logging.group.clone();
        let day = iso_millis(self.base.clock.wall())[..10].replace('-', "/");
        let version = version_text(with.version.number);
        LogTarget {
            namespace: with.function.namespace.clone(),
            group: group.unwrap_or_else(|| format!("/aws/lambda/{}", with.function.name)),
            stream: format!("{day}/[{version}]{:032x}", with.instance.0),
        }
    }
}

#[async_trait]
impl Contract for Wasm {
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        let function = self.function(&with).await.map_err(StartError::Platform)?;
        let log = self.log_target(&with);
        Ok(Box::new(WasmGuest::new(self.base.clone(), function, with, log)))
    }

    fn resolve(&self, _version: &Version) -> Result<Option<String>, anyfn_types::Error> {
        Ok(None)
    }

    async fn prepare(&self, with: Prepare<'_>) -> Result<(), anyfn_types::Error> {
        let Prepare { namespace, version, code, isolation } = with;
        self.artifacts.get(&Wanted { namespace, version, code, isolation }, false).await.map(drop)
    }
}
