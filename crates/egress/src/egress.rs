//! The front of the room: one `Egress` per server, one `Attached` per instance.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use anyfn_base::{Base, TaskKind};
use anyfn_types::InstanceId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    AttachError, Fence, Options, OwnAddresses, Refusal, Usage,
    bucket::Bucket,
    meter::{Counts, Meter},
    own, reader,
    table::Table,
    tun::Tun,
};

/// The way out for all guests of this server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Egress(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) base: Base,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    fence: Fence,
    host_flows: Arc<Semaphore>,
    world: RwLock<World>,
    /// Ends the task that refreshes `world`.
    ended: CancellationToken,
}

/// What the host looks like now.
#[derive(Clone, Debug, Default)]
struct World {
    own: Arc<OwnAddresses>,
    resolvers: Vec<SocketAddr>,
}

impl Egress {
    /// Reads the host's addresses and resolvers and keeps them fresh. Must be called on the runtime.
    pub fn new(base: Base, options: Options) -> Self {
        let shared = Arc::new(Shared {
            counts: Counts::new(&base.metrics),
            fence: Fence::new(options.allow.clone(), options.denied_ports.clone()),
            host_flows: Arc::new(Semaphore::new(options.limits.flows_on_host.min(Semaphore::MAX_PERMITS))),
            world: RwLock::default(),
            ended: CancellationToken::new(),
            base,
            options,
        });
        shared.refresh();
        let refresher = refresh_forever(Arc::downgrade(&shared), shared.base.clone(), shared.ended.clone());
        shared.base.tasks.spawn(TaskKind::Background, "egress-refresh", refresher);
        Self(shared)
    }

    /// Serves the guest behind `tun`, the TUN device in its network namespace: IPv4, `IFF_TUN | IFF_NO_PI`, no offloads,
    /// addresses and MTU as in `Options`. Must be called on the runtime. Ends when the returned value is dropped, when
    /// the device goes away with its namespace, or when the server stops.
    pub fn attach(&self, instance: InstanceId, tun: OwnedFd) -> Result<Attached, AttachError> {
        let guest = self.guest(instance, tun)?;
        guest.spawn("egress-reader", reader::run(guest.clone()));
        Ok(Attached(guest))
    }

    pub(crate) fn guest(&self, instance: InstanceId, tun: OwnedFd) -> Result<Arc<Guest>, AttachError> {
        let shared = &self.0;
        if shared.base.tasks.is_stopping() {
            return Err(AttachError::Stopping);
        }
        let limits = &shared.options.limits;
        let now = shared.base.clock.now();
        Ok(Arc::new(Guest {
            id: instance,
            tun: Tun::new(tun)?,
            table: Table::new(limits.flows, shared.host_flows.clone(), shared.counts.open.clone()),
            meter: Meter::default(),
            ended: CancellationToken::new(),
            questions: Arc::new(Semaphore::new(limits.dns_at_once)),
            question_rate: Mutex::new(Bucket::new(limits.dns_per_s, limits.dns_per_s.saturating_mul(2), now)),
            shared: shared.clone(),
        }))
    }
}

/// One instance's way out. Dropping it ends all flows of the instance and closes the device.
#[derive(Debug)]
pub struct Attached(Arc<Guest>);

impl Attached {
    /// What the instance did so far.
    pub fn usage(&self) -> Usage {
        self.0.meter.usage(self.0.table.len())
    }

    /// False once the device is gone or the server stops.
    pub fn is_open(&self) -> bool {
        !self.0.ended.is_cancelled()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.ended.cancel();
    }
}

/// What the tasks of one instance share.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) id: InstanceId,
    pub(crate) tun: Tun,
    pub(crate) table: Table,
    pub(crate) meter: Meter,
    pub(crate) ended: CancellationToken,
    /// DNS questions that may wait at once.
    pub(crate) questions: Arc<Semaphore>,
    question_rate: Mutex<Bucket>,
    pub(crate) shared: Arc<Shared>,
}

impl Guest {
    /// Every task of an instance is spawned here, so none outlives `ended`.
    pub(crate) fn spawn<F>(self: &Arc<Self>, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ended = self.ended.clone();
        self.shared.base.tasks.spawn(TaskKind::Background, name, async move {
            let _ = ended.run_until_cancelled_owned(work).await;
        });
    }

    pub(crate) fn send(&self, packet: &[u8]) {
        if !self.tun.send(packet) {
            self.shared.counts.lost.add(1);
        }
    }

    /// One more DNS question within the rate.
    pub(crate) fn may_ask(&self) -> bool {
        let now = self.shared.base.clock.now();
        self.question_rate.lock().unwrap_or_else(PoisonError::into_inner).take(now).is_ok()
    }
}

impl Shared {
    fn world(&self) -> World {
        self.world.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn resolvers(&self) -> Vec<SocketAddr> {
        self.world().resolvers
    }

    /// The fence, and then the kernel's own word on whether the address is this host.
    pub(crate) fn check(&self, to: SocketAddr) -> Result<(), Refusal> {
        let own = self.world().own;
        self.fence.check(to.ip(), to.port(), &own)?;
        if !self.fence.allows(to.ip(), to.port()) && own::routes_to_self(to) {
            return Err(Refusal::OwnAddress);
        }
        Ok(())
    }

    /// Reads files of `/proc` and `/etc/resolv.conf`: small, and never on a disk that waits.
    fn refresh(&self) {
        let fresh = OwnAddresses::read(&self.options.own_addresses);
        let resolvers = self.options.resolvers.clone().or_else(own::read_resolvers);
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = fresh {
            world.own = Arc::new(own);
        } else {
            tracing::warn!("the host's addresses cannot be read; the last known ones stay refused");
        }
        if let Some(resolvers) = resolvers {
            world.resolvers = resolvers;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

async fn refresh_forever(shared: Weak<Shared>, base: Base, ended: CancellationToken) {
    loop {
        let Some(wait) = shared.upgrade().map(|s| s.options.timeouts.refresh) else { return };
        if ended.run_until_cancelled(base.clock.sleep(wait)).await.is_none() {
            return;
        }
        if let Some(shared) = shared.upgrade() {
            shared.refresh();
        }
    }
}
