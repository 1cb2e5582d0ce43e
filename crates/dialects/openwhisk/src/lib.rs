//! Apache OpenWhisk under `/api/v1`.
//!
//! The problem: OpenWhisk's clients and actions, unmodified, on functions that every other dialect sees too. Parts: `names`
//! (how its names lie over the core's, in one place), `model` and `activation` (what it keeps), `calls` (from a name and
//! parameters to an activation), `api` (what clients call), `contract` (how an action's process is talked to).
//!
//! Actions are functions, packages, triggers and rules are `core::Documents`, activations are entries of a `core::Journal`:
//! nothing is held here. Must not know: any other dialect, any store, who checked the caller.

mod activation;
mod api;
mod calls;
mod contract;
mod fault;
mod model;
mod names;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use anyfn_base::Base;
use anyfn_core::{
    Documents, Journal, Registry,
    ports::{Artifacts, Contract},
};
use anyfn_engine::Engine;
use anyfn_runtime::{Interpreters, RuntimesMode};
use anyfn_types::{Limits, Namespace};

pub use api::ROUTES;

/// What the dialect works on.
#[derive(Clone)]
pub struct Services {
    pub base: Base,
    pub registry: Registry,
    pub documents: Documents,
    pub journal: Journal,
    pub artifacts: Arc<dyn Artifacts>,
    pub limits: Limits,
    /// Names the region of accounts.
    pub home: Namespace,
    pub interpreters: Interpreters,
    pub mode: RuntimesMode,
    /// A folder of the server's own that sandboxes may bind from; the launchers are written under it.
    pub state: PathBuf,
    /// What actions are told as their API's address.
    pub api_host: String,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("home", &self.home).finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    base: Base,
    registry: Registry,
    documents: Documents,
    journal: Journal,
    artifacts: Arc<dyn Artifacts>,
    limits: Limits,
    home: Namespace,
    interpreters: Interpreters,
    mode: RuntimesMode,
    launchers: PathBuf,
    api_host: String,
    /// The engine needs the contract first.
    engine: OnceLock<Engine>,
}

/// The dialect and its contract. Cheap to clone.
#[derive(Clone)]
pub struct OpenWhisk(Arc<Shared>);

impl std::fmt::Debug for OpenWhisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenWhisk").field("home", &self.0.home).finish_non_exhaustive()
    }
}

impl OpenWhisk {
    /// The name under which versions ask for the contract.
    pub const CONTRACT: &'static str = model::CONTRACT;

    /// Writes the launchers. Blocks for a moment; call it once, at the start.
    ///
    /// # Errors
    /// The launchers cannot be written.
    pub fn new(services: Services) -> io::Result<Self> {
        let launchers = contract::write_launchers(&services.state)?;
        Ok(Self(Arc::new(Shared {
            base: services.base,
            registry: services.registry,
            documents: services.documents,
            journal: services.journal,
            artifacts: services.artifacts,
            limits: services.limits,
            home: services.home,
            interpreters: services.interpreters,
            mode: services.mode,
            launchers,
            api_host: services.api_host,
            engine: OnceLock::new(),
        })))
    }

    /// For the engine's `Ports::contracts`.
    pub fn contract(&self) -> Arc<dyn Contract> {
        Arc::new(self.clone())
    }

    /// Once, when the engine is there; before that nothing can be called.
    pub fn connect(&self, engine: Engine) {
        let _only_the_first_counts = self.0.engine.set(engine);
    }
}
