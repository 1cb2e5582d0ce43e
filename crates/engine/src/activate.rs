//! Activate: a version becomes Active when its code is unpacked and its contract can serve it here, or Failed with a reason.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyfn_base::TaskKind;
use anyfn_types::{Error, Function, VersionId, VersionState};

use crate::Engine;

/// Versions that are being activated.
#[derive(Debug, Default)]
pub(crate) struct Activating(Mutex<HashSet<VersionId>>);

impl Engine {
    /// Begins the activation of a function's latest version if it is pending and nobody does it yet. Returns at once.
    /// Call it whenever a pending function is seen: an activation that a crash cut short is so taken up again.
    pub fn activate(&self, function: &Arc<Function>) {
        let id = function.latest.id;
        if function.latest.state != VersionState::Pending || !self.0.activating.begin(id) {
            return;
        }
        let (engine, function) = (self.clone(), function.clone());
        self.0.base.tasks.spawn(TaskKind::Request, "activate", async move {
            if let Err(error) = engine.activate_now(&function).await {
                tracing::warn!(?error, function = %function.name, "activation not recorded");
            }
            engine.0.activating.end(id);
        });
    }

    /// Ends when the function's latest version is Active or Failed; gives the function as it is then.
    pub async fn activate_now(&self, function: &Arc<Function>) -> Result<Arc<Function>, Error> {
        let (state, notice) = match self.prepare(function, &function.latest).await {
            Ok(notice) => (VersionState::Active, notice),
            Err(error) => {
                tracing::info!(?error, function = %function.name, "version failed");
                (VersionState::Failed { code: error.code.to_owned(), reason: error.public }, None)
            }
        };
        let id = function.latest.id;
        let change = |f: &mut Function| {
            if f.latest.id == id && f.latest.state == VersionState::Pending {
                f.latest.state = state.clone();
                f.latest.notice.clone_from(&notice);
            }
            Ok(())
        };
        Ok(self.0.ports.registry.update(&function.namespace, &function.name, change).await?.0)
    }
}

impl Activating {
    fn begin(&self, id: VersionId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
    }

    fn end(&self, id: VersionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
