//! Changes: who keeps something for functions is told when one was changed or deleted, instead of asking again and again.

use anyfn_types::{Function, FunctionName, Namespace};
use tokio::sync::broadcast;

use super::Registry;

/// Changes that a listener may lag behind.
const BEHIND: usize = 1024;

/// A function was changed or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub namespace: Namespace,
    pub name: FunctionName,
    /// It keeps instances warm.
    pub provisioned: bool,
}

/// Changes since the listener began.
#[derive(Debug)]
pub struct Changes(broadcast::Receiver<Changed>);

impl Changes {
    /// The next change; None if some were missed and everything must be looked at again. Cancel-safe.
    pub async fn next(&mut self) -> Option<Changed> {
        match self.0.recv().await {
            Ok(changed) => Some(changed),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
pub(super) struct Bell(broadcast::Sender<Changed>);

impl Default for Bell {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Bell {
    pub(super) fn ring(&self, function: &Function, deleted: bool) {
        if self.0.receiver_count() > 0 {
            let provisioned = !deleted && !function.provisioned.is_empty();
            let (namespace, name) = (function.namespace.clone(), function.name.clone());
            // Nobody listens any more: nobody needs to know.
            let _ = self.0.send(Changed { namespace, name, provisioned });
        }
    }
}

impl Registry {
    /// Every change of an existing function from now on that goes through this registry.
    pub fn changes(&self) -> Changes {
        Changes(self.changes.0.subscribe())
    }
}
