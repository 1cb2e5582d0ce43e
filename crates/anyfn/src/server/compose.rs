//! Rooms from settings.

use std::{
    collections::HashMap, fs, os::unix::fs::DirBuilderExt as _, path::Path, sync::Arc, time::Duration,
};

use anyfn_artifact::Roots;
use anyfn_base::Base;
use anyfn_core::{
    Documents, Journal, Registry,
    ports::{Artifacts, Contract, Network, Records},
};
use anyfn_dialect_aws::Aws;
use anyfn_dialect_native::Native;
use anyfn_dialect_openwhisk::OpenWhisk;
use anyfn_engine::{Engine, Ports, Settings};
use anyfn_gateway::{Gateway, Keys};
use anyfn_logs::Logs;
use anyfn_store::{Sealed, Store};
use anyhow::Context as _;

use super::{Running, guests, memory::HostMemory, refuse_open};
use crate::local::fingerprint;
use crate::settings::{EgressMode, IsolationMode, ServerArgs};

/// Activations that a namespace keeps.
const ACTIVATIONS: u64 = 10_000;

fn public(error: anyfn_types::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

/// Everything that a running server consists of.
pub(super) async fn compose(args: &ServerArgs) -> anyhow::Result<Running> {
    let base = Base::system();
    let (limits, namespace, dir) = (args.limits()?, args.namespace()?, args.data_dir()?);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("make the data folder {}", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("find the data folder {}", dir.display()))?;
    let store = Store::open(base.clone(), dir.join("store"), anyfn_store::Options::default())
        .await
        .map_err(public)?;
    let records = sealed(&base, &store, &dir)?;
    let keys = Keys::open(base.clone(), records.clone()).await.map_err(public)?;
    refuse_open(args, keys.any())?;
    let bound = bind_all(args).await?;
    let logs = Logs::open(base.clone(), store.records(), store.log(), anyfn_logs::Options::default());
    let roots = Roots::new(base.clone(), dir.join("code"), store.blobs(), limits.clone()).map_err(public)?;
    let artifacts: Arc<dyn Artifacts> = Arc::new(roots);
    let registry = Registry::new(base.clone(), records.clone());
    let journal = Journal::start(&base, store.log(), "activations", ACTIVATIONS);
    let lambda = guests::lambda(base.clone(), &dir, args.runtimes, guests::forking(args))?;
    let isolation = guests::isolation(&base, &dir, args, &lambda).await?;
    let capabilities = isolation.capabilities();
    check_isolation(args, &capabilities)?;
    guests::warm(&base, &lambda, &isolation, &args.templates)?;
    let whisk = OpenWhisk::new(anyfn_dialect_openwhisk::Services {
        base: base.clone(),
        registry: registry.clone(),
        documents: Documents::new(records),
        journal: journal.clone(),
        artifacts: artifacts.clone(),
        limits: limits.clone(),
        home: namespace.clone(),
        interpreters: lambda.interpreters(),
        mode: guests::runtimes(args.runtimes),
        state: dir.join("run"),
        api_host: bound.first().map(|b| format!("http://{}", b.address)).unwrap_or_default(),
    })
    .context("write what OpenWhisk's actions are started with")?;
    let http = anyfn_runtime::Http::new(&lambda);
    let wasm = guests::wasm(base.clone(), &dir);
    let templates = lambda.clone();
    let contracts: HashMap<String, Arc<dyn Contract>> = HashMap::from([
        ("lambda".to_owned(), Arc::new(lambda) as _),
        ("http".to_owned(), Arc::new(http) as _),
        ("wasm".to_owned(), Arc::new(wasm) as _),
        (OpenWhisk::CONTRACT.to_owned(), whisk.contract()),
    ]);
    let ports = Ports {
        registry: registry.clone(),
        artifacts: artifacts.clone(),
        isolation,
        logs: Arc::new(logs.clone()),
        queue: store.queue(),
        log: store.log(),
        contracts,
    };
    let network = if args.egress == EgressMode::Internet { Network::Internet } else { Network::None };
    let memory: Option<Arc<dyn anyfn_engine::MemoryGauge>> = Some(Arc::new(HostMemory::new()));
    let settings = Settings { limits: limits.clone(), network, memory, ..Settings::default() };
    let engine = Engine::start(base.clone(), ports, settings).await.map_err(public)?;
    whisk.connect(engine.clone());
    let native = Native::new(anyfn_dialect_native::Services {
        base: base.clone(),
        registry: registry.clone(),
        artifacts: artifacts.clone(),
        engine: engine.clone(),
        logs: logs.clone(),
        limits: limits.clone(),
        namespace,
        isolation: capabilities,
    });
    let aws = Aws::new(anyfn_dialect_aws::Services {
        base: base.clone(),
        registry,
        artifacts,
        engine: engine.clone(),
        logs: logs.clone(),
        limits,
    });
    let gateway = Gateway::new(base.clone(), aws, native, whisk, keys, args.domain.clone());
    let addresses = bound.iter().map(|b| b.address).collect();
    let options =
        anyfn_gateway::Options { closing: Some(gateway.closing()), ..anyfn_gateway::Options::default() };
    for one in bound {
        one.serve(&base, gateway.clone(), options.clone());
    }
    let drain = Duration::from_secs(args.drain);
    Ok(Running { base, gateway, engine, lambda: templates, logs, journal, store, addresses, drain })
}

/// Functions and keys, sealed with the data folder's own key.
pub(crate) fn sealed(base: &Base, store: &Store, dir: &Path) -> anyhow::Result<Arc<dyn Records>> {
    let sealed = Sealed::open(base.clone(), store.records(), &dir.join("seal.key"));
    Ok(Arc::new(sealed.map_err(|e| anyhow::anyhow!("{}", e.public))?))
}

async fn bind_all(args: &ServerArgs) -> anyhow::Result<Vec<anyfn_gateway::Bound>> {
    let mut bound = Vec::new();
    for address in &args.listen {
        let one = anyfn_gateway::bind(*address).await;
        bound.push(one.with_context(|| {
            format!("listen on {address}: is another server there? try --listen 127.0.0.1:0")
        })?);
    }
    Ok(bound)
}

fn check_isolation(args: &ServerArgs, capabilities: &anyfn_core::ports::Capabilities) -> anyhow::Result<()> {
    let missing: Vec<_> = capabilities.parts.iter().filter(|(_, here, _)| !here).collect();
    for (name, _, how) in &missing {
        tracing::warn!(part = name, how, "isolation is not complete on this host");
    }
    if args.isolation == IsolationMode::Required && !missing.is_empty() {
        let names: Vec<_> = missing.iter().map(|(name, _, how)| format!("{name} ({how})")).collect();
        anyhow::bail!("--isolation=required, but this host lacks: {}", names.join("; "));
    }
    Ok(())
}

/// A name for what the server makes outside of its data folder; the same for the same folder.
pub(super) fn name_of(dir: &Path) -> String {
    format!("{:016x}", fingerprint(dir.as_os_str().as_encoded_bytes()))
}
