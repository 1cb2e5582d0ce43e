//! Tasks have a kind, and the kind says what happens at shutdown.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What shutdown does with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// A request somebody waits for: it is let finish within the drain time.
    Request,
    /// A loop of the platform: it watches `Tasks::stopping` and ends by itself.
    Service,
    /// Work nobody waits for: it is dropped at shutdown.
    Background,
}

/// What a drain left behind: names of tasks that had not ended, with how many of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Drained {
    pub left: BTreeMap<&'static str, usize>,
}

#[derive(Clone, Default)]
pub struct Tasks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stopping: CancellationToken,
    tracker: TaskTracker,
    alive: Mutex<BTreeMap<&'static str, usize>>,
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("alive", &self.alive()).finish()
    }
}

struct Named(Arc<Shared>, &'static str);

impl Drop for Named {
    fn drop(&mut self) {
        let mut alive = self.0.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = alive.get_mut(self.1) {
            *count -= 1;
            if *count == 0 {
                alive.remove(self.1);
            }
        }
    }
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when shutdown begins.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// The only spawn of the workspace.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that spawns")]
    pub fn spawn<F>(&self, kind: TaskKind, name: &'static str, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        *self.0.alive.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        let named = Named(self.0.clone(), name);
        let stopping = self.stopping();
        let task = async move {
            let _named = named;
            if kind == TaskKind::Background {
                stopping.run_until_cancelled(work).await
            } else {
                Some(work.await)
            }
        };
        match kind {
            TaskKind::Request | TaskKind::Service => tokio::spawn(self.0.tracker.track_future(task)),
            TaskKind::Background => tokio::spawn(task),
        }
    }

    /// Names and counts of the tasks that are alive.
    pub fn alive(&self) -> BTreeMap<&'static str, usize> {
        self.0.alive.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins shutdown without waiting.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Begins shutdown, waits for requests and services at most `within`, and names what is left.
    pub async fn drain(&self, within: Duration) -> Drained {
        self.stop();
        self.0.tracker.close();
        let left = match tokio::time::timeout(within, self.0.tracker.wait()).await {
            Ok(()) => BTreeMap::new(),
            Err(_) => self.alive(),
        };
        Drained { left }
    }
}
