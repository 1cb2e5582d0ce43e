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
use anyfn_core::ports::{
    Bind, Capabilities, Isolation, Network, Sandbox, SandboxSpec, Template, TemplateSpec,
};
use anyfn_types::InstanceId;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    Options,
    client::{Client, Name},
    error::Error,
    proto::{Create, Request},
    running::{Lease, Running},
    stock::Stock,
    template::Held,
};

/// Bound of `Options::stock_max`.
const STOCK_MAX: usize = 256;
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
    stock: Arc<Stock>,
    capabilities: Capabilities,
}

impl State {
    async fn start(base: &Base, options: &Options, dropped: &watch::Sender<bool>) -> Result<Self, Error> {
        let (client, parts) = Client::start(base, options, ending(base, dropped)).await?;
        let stock = Stock::start(base, &client, options.stock_max, ending(base, dropped));
        Ok(Self { client, stock, capabilities: Capabilities { parts } })
    }
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
        if options.stock_max > STOCK_MAX {
            return Err(Error::Refused(format!("at most {STOCK_MAX} sandboxes ahead")).into());
        }
        let state = Arc::new(Mutex::new(State::start(&base, &options, &dropped).await?));
        let shared = Arc::new(Shared { base, options, state, dropped, next_template: AtomicU64::new(1) });
        let watchman = watch_over(&shared);
        shared.base.tasks.spawn(TaskKind::Service, "sandbox helper watch", watchman);
        Ok(Self(shared))
    }

    /// Sandboxes that stand ready for the next start, for meters.
    pub fn ready(&self) -> usize {
        self.now().1.ready()
    }

    fn now(&self) -> (Arc<Client>, Arc<Stock>) {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.client.clone(), state.stock.clone())
    }

    fn served(&self, spec: &SandboxSpec) -> Result<(), Error> {
        if spec.network == Network::Internet && self.0.options.on_tun.is_none() {
            return Err(Error::Refused("nobody serves the network (`Options::on_tun`)".into()));
        }
        Ok(())
    }

    async fn start_one(&self, spec: SandboxSpec) -> Result<Running, Error> {
        self.served(&spec)?;
        let (client, stock) = self.now();
        let name = Name::reserve(&client, spec.id)?;
        let frame = frame(spec)?;
        while let Some(mut running) = stock.take(&frame) {
            match running.show(frame.binds.clone(), frame.limits()).await {
                Ok(()) => {
                    running.hand_out(name, self.0.options.on_tun.as_ref())?;
                    return Ok(running);
                }
                Err(Error::HelperGone) => return Err(Error::HelperGone),
                // It has just ended: there may be another one.
                Err(Error::Gone) => {}
                // What is wrong with it is best said by a whole set-up.
                Err(_) => break,
            }
        }
        self.build(name, frame, (&client, &stock)).await
    }

    async fn start_blank(&self, spec: SandboxSpec) -> Result<Running, Error> {
        self.served(&spec)?;
        let (client, stock) = self.now();
        if !client.can_furnish() {
            return Err(Error::Unsupported("this host cannot furnish a sandbox that stands".into()));
        }
        if !spec.binds.is_empty() {
            return Err(Error::Refused("a blank sandbox has no binds".into()));
        }
        let name = Name::reserve(&client, spec.id)?;
        let frame = Create { blank: true, ..frame(spec)? };
        while let Some(mut running) = stock.take(&frame) {
            match running.limit(frame.limits()).await {
                Ok(()) => {
                    running.hand_out(name, self.0.options.on_tun.as_ref())?;
                    return Ok(running);
                }
                Err(Error::Gone) => {}
                Err(e) => return Err(e),
            }
        }
        self.build(name, frame, (&client, &stock)).await
    }

    /// From nothing.
    async fn build(
        &self,
        name: Name,
        frame: Create,
        (client, stock): (&Arc<Client>, &Stock),
    ) -> Result<Running, Error> {
        let _waiting = stock.wait();
        let lease = Lease::new(client.clone(), frame.id)?;
        let request = Request::Create(Box::new(frame));
        let mut running = Running::start(&self.0.base, lease, request).await?;
        running.hand_out(name, self.0.options.on_tun.as_ref())?;
        Ok(running)
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
            match State::start(&base, &options, &dropped).await {
                Ok(new) => *state.lock().unwrap_or_else(PoisonError::into_inner) = new,
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
        Ok(Box::new(Box::pin(self.start_one(spec)).await?))
    }

    async fn blank(&self, spec: SandboxSpec) -> Result<Box<dyn Sandbox>, anyfn_types::Error> {
        Ok(Box::new(Box::pin(self.start_blank(spec)).await?))
    }

    async fn template(&self, spec: TemplateSpec) -> Result<Arc<dyn Template>, anyfn_types::Error> {
        let id = self.0.next_template.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Held::start(self.now().0, id, spec).await?))
    }

    fn capabilities(&self) -> Capabilities {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).capabilities.clone()
    }
}

pub(crate) fn binds(binds: Vec<Bind>) -> Result<Vec<(String, String)>, Error> {
    let one = |bind: Bind| {
        let source = bind.source.into_os_string().into_string();
        source.map(|source| (source, bind.target)).map_err(|_| Error::Refused("a path is not UTF-8".into()))
    };
    binds.into_iter().map(one).collect()
}

fn frame(spec: SandboxSpec) -> Result<Create, Error> {
    let id: InstanceId = spec.id;
    Ok(Create {
        id,
        hostname: spec.hostname,
        binds: binds(spec.binds)?,
        memory_bytes: spec.memory_bytes,
        cpu_millis: spec.cpu_millis,
        pids: spec.pids,
        open_files: spec.open_files,
        tmp_bytes: spec.tmp_bytes,
        tmp_inodes: spec.tmp_inodes,
        internet: spec.network == Network::Internet,
        listen: spec.listen,
        blank: false,
    })
}
