//! `Isolation` by processes.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Capabilities, Isolation, Network, Sandbox, SandboxSpec, Template, TemplateSpec};
use anyfn_types::InstanceId;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    Options,
    client::Client,
    error::Error,
    proto::{Create, Request},
    running::{Lease, Running},
    template::Held,
};

/// Between two tries to start a helper.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// Starts sandboxes through a helper, and a new helper if the old one died. Cheap to clone; when the last clone is dropped
/// the helper ends as soon as no sandbox is left.
#[derive(Clone)]
pub struct Processes(Arc<Shared>);

struct Shared {
    base: Base,
    options: Options,
    state: Arc<Mutex<State>>,
    /// True when nobody wants a helper any more.
    dropped: watch::Sender<bool>,
    next_template: AtomicU64,
}

struct State {
    client: Arc<Client>,
    capabilities: Capabilities,
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.dropped.send_replace(true);
    }
}

impl Processes {
    /// Starts the helper and cleans up after an earlier one of the same name.
    ///
    /// # Errors
    /// `sandbox_unavailable` if there is no helper, `sandbox_refused` if it cannot do what the options ask for.
    pub async fn start(base: Base, options: Options) -> Result<Self, anyfn_types::Error> {
        let dropped = watch::channel(false).0;
        let (client, parts) = Client::start(&base, &options, ending(&base, &dropped)).await?;
        let state = Arc::new(Mutex::new(State { client, capabilities: Capabilities { parts } }));
        let shared = Arc::new(Shared { base, options, state, dropped, next_template: AtomicU64::new(1) });
        let watchman = watch_over(&shared);
        shared.base.tasks.spawn(TaskKind::Service, "sandbox helper watch", watchman);
        Ok(Self(shared))
    }

    fn client(&self) -> Arc<Client> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).client.clone()
    }
}

/// Ends when no helper is wanted any more: at shutdown, or when the last user is gone.
fn ending(base: &Base, dropped: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let (stopping, mut dropped) = (base.tasks.stopping(), dropped.subscribe());
    async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            _ = dropped.wait_for(|dropped| *dropped) => {}
        }
    }
}

/// Starts a new helper when the old one died. That also removes the cgroups that it left.
fn watch_over(shared: &Shared) -> impl Future<Output = ()> + Send + 'static {
    let (base, options) = (shared.base.clone(), shared.options.clone());
    let (state, dropped) = (shared.state.clone(), shared.dropped.clone());
    async move {
        let mut end = std::pin::pin!(ending(&base, &dropped));
        loop {
            let client = state.lock().unwrap_or_else(PoisonError::into_inner).client.clone();
            tokio::select! {
                () = &mut end => return,
                () = client.gone() => {}
            }
            tracing::error!("the sandbox helper ended; starting another one");
            match Client::start(&base, &options, ending(&base, &dropped)).await {
                Ok((client, parts)) => {
                    let capabilities = Capabilities { parts };
                    *state.lock().unwrap_or_else(PoisonError::into_inner) = State { client, capabilities };
                }
                Err(error) => {
                    tracing::error!(%error, "the sandbox helper did not start");
                    tokio::select! {
                        () = &mut end => return,
                        () = base.clock.sleep(RESTART_PAUSE) => {}
                    }
                }
            }
        }
    }
}

#[async_trait]
impl Isolation for Processes {
    async fn create(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, anyfn_types::Error> {
        if spec.network == Network::Internet && self.0.options.on_tun.is_none() {
            return Err(Error::Refused("nobody serves the network (`Options::on_tun`)".into()).into());
        }
        let client = self.client();
        let id = spec.id;
        let request = Request::Create(Box::new(frame(spec)?));
        let running = Running::start(&self.0.base, Lease::new(client, id)?, request, &self.0.options).await?;
        Ok(Box::new(running))
    }

    async fn template(&self, spec: TemplateSpec) -> Result<Arc<dyn Template>, anyfn_types::Error> {
        let id = self.0.next_template.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Held::start(self.client(), id, spec).await?))
    }

    fn capabilities(&self) -> Capabilities {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).capabilities.clone()
    }
}

fn frame(spec: SandboxSpec) -> Result<Create, Error> {
    let bind = |bind: anyfn_core::ports::Bind| {
        let source = bind.source.into_os_string().into_string();
        source.map(|source| (source, bind.target)).map_err(|_| Error::Refused("a path is not UTF-8".into()))
    };
    let id: InstanceId = spec.id;
    Ok(Create {
        id,
        hostname: spec.hostname,
        binds: spec.binds.into_iter().map(bind).collect::<Result<_, _>>()?,
        memory_bytes: spec.memory_bytes,
        cpu_millis: spec.cpu_millis,
        pids: spec.pids,
        open_files: spec.open_files,
        tmp_bytes: spec.tmp_bytes,
        tmp_inodes: spec.tmp_inodes,
        internet: spec.network == Network::Internet,
        listen: spec.listen,
    })
}
