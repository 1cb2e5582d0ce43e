//! Place: an instance for a call, warm if there is one, else started for it.

use std::{sync::Arc, time::Duration};

use anyfn_base::{Instant, TaskKind};
use anyfn_core::{
    Resolved,
    ports::{BringUp, Contract, GuestEvent, Root, StartError},
};
use anyfn_types::{Error, Kind, Version};
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use crate::{
    Engine, Shared,
    pool::{Asked, Back, Grant, Hurry, Instance, Pool, Refusal},
    rounds::Living,
    starts::{self, Place},
};

impl Shared {
    /// The pool of a version, made when first needed.
    pub(crate) fn pool(&self, resolved: &Resolved) -> Arc<Pool> {
        let (pool, fresh) = self.pools.get_or_make(resolved, &self.rounds, &self.settings.limits);
        if fresh {
            // Its version may have been replaced since it was resolved: the rounds look that up.
            pool.begin_rounds(self.base.clock.now());
        }
        pool
    }

    /// The version's code and its merged layers, unpacked.
    pub(crate) async fn roots(&self, version: &Version) -> Result<(Root, Option<Root>), Error> {
        let code = self.ports.artifacts.root(version.code.digest).await?;
        if version.config.layers.is_empty() {
            return Ok((code, None));
        }
        let digests: Vec<_> = version.config.layers.iter().map(|layer| layer.code.digest).collect();
        Ok((code, Some(self.ports.artifacts.merged(&digests).await?)))
    }
}

/// A live instance for the call. Must not be dropped before it ends: an instance may be on its way to it.
pub(crate) async fn place(engine: &Engine, pool: &Arc<Pool>) -> Result<Instance, Refusal> {
    loop {
        let asked = pool.ask(engine.0.base.clock.now(), &engine.0.settings.limits);
        let mut instance = match asked {
            Asked::Warm(instance) => instance,
            Asked::Refused(refusal) => return Err(refusal),
            Asked::Gone => {
                engine.0.pools.put_back(pool, engine.0.base.clock.now());
                continue;
            }
            Asked::Wait { grant, start, patience } => {
                if start {
                    spawn_start(engine, pool);
                }
                wait(engine, pool, grant, patience).await?
            }
        };
        if usable(&mut instance).await {
            return Ok(instance);
        }
        engine.discard(pool, instance);
    }
}

/// Waits for an instance; asks for a start when it takes longer than the pool guessed.
async fn wait(
    engine: &Engine,
    pool: &Arc<Pool>,
    mut grant: oneshot::Receiver<Grant>,
    mut patience: Duration,
) -> Grant {
    let clock = &engine.0.base.clock;
    let (began, mut seen) = (clock.now(), pool.handed());
    loop {
        tokio::select! {
            biased;
            granted = &mut grant => return granted.unwrap_or_else(|_| Err(draining())),
            () = clock.sleep(patience) => {}
        }
        patience = match pool.hurry(clock.now() - began, &mut seen) {
            Hurry::Wait(patience) => patience,
            Hurry::Start => {
                spawn_start(engine, pool);
                patience * 2
            }
        };
    }
}

/// Still there, and thawed.
async fn usable(instance: &mut Instance) -> bool {
    if let Some(GuestEvent::Gone) = instance.guest.idle().now_or_never() {
        return false;
    }
    if instance.paused {
        instance.paused = false;
        return instance.guest.resume().await.is_ok();
    }
    true
}

fn draining() -> Refusal {
    Refusal::Platform(Arc::new(Error::new(
        Kind::Unavailable,
        "draining",
        "the server is shutting down; try again",
    )))
}

impl Engine {
    /// A busy instance that turned out dead: forget and retire it.
    fn discard(&self, pool: &Arc<Pool>, instance: Instance) {
        leave(self, pool, instance, "failure");
    }
}

/// An instance that counts as busy goes for good.
pub(crate) fn leave(engine: &Engine, pool: &Arc<Pool>, instance: Instance, reason: &'static str) {
    if instance.calls == 0 && pool.kept() == 0 {
        engine.0.starts.wasted.add(1);
    }
    if pool.lost(false, engine.0.base.clock.now()) {
        spawn_start(engine, pool);
    }
    retire(engine, instance, reason);
}

/// Ends an instance behind the callers' backs.
pub(crate) fn retire(engine: &Engine, instance: Instance, reason: &'static str) {
    engine.0.base.tasks.spawn(TaskKind::Request, "retire", async move {
        tracing::debug!(instance = %instance.id, calls = instance.calls, reason, "retire");
        let Instance { guest, living, .. } = instance;
        guest.retire(reason).await;
        drop(living);
    });
}

/// Sees to it that a start that a pool wants is begun when its turn comes.
pub(crate) fn spawn_start(engine: &Engine, pool: &Arc<Pool>) {
    starts::want(engine, pool);
}

/// One start, which its pool has counted.
pub(crate) async fn start(place: Place, pool: Arc<Pool>) {
    let engine = place.engine.clone();
    let clock = &engine.0.base.clock;
    engine.0.starts.begun.add(1);
    match try_start(&place, &pool).await {
        Ok(Some((instance, took))) => {
            if let Back::Retire(instance) = pool.started(instance, took, clock.now()) {
                leave(&engine, &pool, instance, "spindown");
            }
            drop(place);
            if let Some(pause) = pool.undecided() {
                clock.sleep(pause).await;
                if pool.wants_start(clock.now()) {
                    spawn_start(&engine, &pool);
                }
            }
        }
        Ok(None) => engine.0.starts.spared.add(1),
        Err(refusal) => {
            engine.0.starts.failed.add(1);
            if pool.start_failed(&refusal, clock.now()) {
                spawn_start(&engine, &pool);
            }
        }
    }
}

/// None if nobody waits for it any more.
async fn try_start(place: &Place, pool: &Arc<Pool>) -> Result<Option<(Instance, Duration)>, Refusal> {
    let platform = |e: Error| Refusal::Platform(Arc::new(e));
    let engine = &place.engine;
    let shared = &engine.0;
    if shared.base.tasks.is_stopping() {
        return Err(draining());
    }
    let roots = shared.roots(&pool.version).await.map_err(platform)?;
    let contract = engine.contract(&pool.version).map_err(platform)?;
    let begun = shared.base.clock.now();
    if !pool.still_wanted(begun) {
        return Ok(None);
    }
    let guess = pool.memory_guess();
    make_room(engine, guess)?;
    let living = Living::new(shared.rounds.clone(), guess);
    let instance = place.run(bring_up(engine, pool, &*contract, roots, (begun, living))).await?;
    Ok(Some((instance, shared.base.clock.now() - begun)))
}

async fn bring_up(
    engine: &Engine,
    pool: &Arc<Pool>,
    contract: &dyn Contract,
    (code, layers): (Root, Option<Root>),
    (begun, living): (Instant, Living),
) -> Result<Instance, Refusal> {
    let shared = &engine.0;
    let id = shared.base.random.instance_id();
    let with = BringUp {
        instance: id,
        function: pool.function.clone(),
        version: pool.version.clone(),
        code,
        layers,
        isolation: shared.ports.isolation.clone(),
        logs: shared.ports.logs.clone(),
        network: shared.settings.network,
        initialization: if pool.kept() > 0 { "provisioned-concurrency" } else { "on-demand" },
        init_timeout: Duration::from_millis(shared.settings.limits.init_ms),
        platform_env: shared.settings.platform_env.clone(),
        limits: shared.limits.clone(),
    };
    let guest = contract.bring_up(with).await.map_err(|e| match e {
        StartError::Function { failure, log_tail } => Refusal::Function(failure, log_tail),
        StartError::Platform(error) => Refusal::Platform(Arc::new(error)),
    })?;
    let now = shared.base.clock.now();
    let init_us = u64::try_from((now - begun).as_micros()).unwrap_or(u64::MAX);
    Ok(Instance {
        id,
        guest,
        idle_since: now,
        taken: now,
        paused: false,
        cooled: false,
        calls: 0,
        init_us: Some(init_us),
        living,
    })
}

/// Past the caps, the idle instances that are missed least go until `mib` more fit.
///
/// # Errors
/// `no_room` (Throttled): the memory of all instances is used up and none idles. The number of instances alone refuses
/// nobody, for what they may use is bounded by namespace.
fn make_room(engine: &Engine, mib: u32) -> Result<(), Refusal> {
    let (limits, rounds) = (&engine.0.limits, &engine.0.rounds);
    let most_mib = limits.instances_memory_mib;
    let (mut living, mut used) = (rounds.living() + 1, rounds.memory_mib() + u64::from(mib));
    let past = |used: u64| most_mib > 0 && used > most_mib;
    while living > limits.instances_max || past(used) {
        let Some(freed) = evict(engine, "room") else { break };
        (living, used) = (living - 1, used.saturating_sub(u64::from(freed)));
    }
    // A single instance that is larger than all may be is let through: its own limit holds it.
    if past(used) && living > 1 {
        let text = "The instances of this server use all the memory that they may have; try again later.";
        return Err(Refusal::Platform(Arc::new(Error::new(Kind::Throttled, "no_room", text))));
    }
    Ok(())
}

/// Retires the idle instance that is missed least; gives its MiB, or None if nothing idles.
pub(crate) fn evict(engine: &Engine, reason: &'static str) -> Option<u32> {
    let (pool, instance) = engine.0.rounds.evict()?;
    let mib = instance.living.mib();
    tracing::debug!(instance = %instance.id, mib, reason, "evict");
    leave(engine, &pool, instance, "spindown");
    Some(mib)
}
