//! Place: an instance for a call, warm if there is one, else started for it.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use anyfn_base::TaskKind;
use anyfn_core::{
    Resolved,
    ports::{BringUp, GuestEvent, Root, StartError},
};
use anyfn_types::{Error, Kind, Version};
use futures_util::FutureExt as _;

use crate::{
    Engine, Shared,
    pool::{Asked, Back, Instance, Pool, Refusal},
    sweep::wanted,
};

impl Shared {
    /// The pool of a version, made when first needed.
    pub(crate) fn pool(&self, resolved: &Resolved) -> Arc<Pool> {
        let id = resolved.version.id;
        if let Some(pool) = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return pool.clone();
        }
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Pool::new(resolved.function.clone(), resolved.version.clone()));
        pools.entry(id).or_insert_with(fresh).clone()
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

/// A live instance for the call.
pub(crate) async fn place(engine: &Engine, pool: &Arc<Pool>) -> Result<Instance, Refusal> {
    loop {
        let asked = pool.ask(engine.0.base.clock.now(), &engine.0.settings.limits);
        let mut instance = match asked {
            Asked::Warm(instance) => instance,
            Asked::Refused(refusal) => return Err(refusal),
            Asked::Wait { grant, start } => {
                if start {
                    spawn_start(engine, pool);
                }
                grant.await.unwrap_or_else(|_| Err(draining()))?
            }
        };
        if usable(&mut instance).await {
            return Ok(instance);
        }
        engine.discard(pool, instance);
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
        if pool.lost(false) {
            spawn_start(self, pool);
        }
        retire(self, instance, "failure");
    }
}

/// Ends an instance behind the callers' backs.
pub(crate) fn retire(engine: &Engine, instance: Instance, reason: &'static str) {
    let shared = engine.0.clone();
    engine.0.base.tasks.spawn(TaskKind::Request, "retire", async move {
        tracing::debug!(instance = %instance.id, calls = instance.calls, reason, "retire");
        instance.guest.retire(reason).await;
        shared.alive.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Begins a start that the pool has counted already.
pub(crate) fn spawn_start(engine: &Engine, pool: &Arc<Pool>) {
    let (engine, pool) = (engine.clone(), pool.clone());
    let tasks = engine.0.base.tasks.clone();
    tasks.spawn(TaskKind::Request, "start", async move {
        loop {
            let again = match start(&engine, &pool).await {
                Ok(instance) => {
                    let back = pool.started(instance, engine.0.base.clock.now());
                    if let Back::Retire(instance) = back {
                        pool.lost(false);
                        retire(&engine, instance, "spindown");
                    }
                    false
                }
                Err(refusal) => pool.start_failed(refusal, engine.0.base.clock.now()),
            };
            if !again {
                return;
            }
        }
    });
}

async fn start(engine: &Engine, pool: &Arc<Pool>) -> Result<Instance, Refusal> {
    let platform = |e: Error| Refusal::Platform(Arc::new(e));
    let shared = &engine.0;
    let _permit = shared.starts.acquire().await.map_err(|_| draining())?;
    if shared.base.tasks.is_stopping() {
        return Err(draining());
    }
    let (code, layers) = shared.roots(&pool.version).await.map_err(platform)?;
    let contract = engine.contract(&pool.version).map_err(platform)?;
    make_room(engine);
    let begun = shared.base.clock.now();
    let id = shared.base.random.instance_id();
    let provisioned = wanted(engine, pool).await.is_some_and(|count| count > 0);
    let with = bring_up(engine, pool, id, (code, layers), provisioned);
    shared.alive.fetch_add(1, Ordering::Relaxed);
    match contract.bring_up(with).await {
        Ok(guest) => {
            let now = shared.base.clock.now();
            let init_us = u64::try_from((now - begun).as_micros()).unwrap_or(u64::MAX);
            Ok(Instance { id, guest, idle_since: now, paused: false, calls: 0, init_us: Some(init_us) })
        }
        Err(e) => {
            shared.alive.fetch_sub(1, Ordering::Relaxed);
            Err(match e {
                StartError::Function { failure, log_tail } => Refusal::Function(failure, log_tail),
                StartError::Platform(error) => platform(error),
            })
        }
    }
}

fn bring_up(
    engine: &Engine,
    pool: &Arc<Pool>,
    instance: anyfn_types::InstanceId,
    (code, layers): (Root, Option<Root>),
    provisioned: bool,
) -> BringUp {
    let shared = &engine.0;
    BringUp {
        instance,
        function: pool.function.clone(),
        version: pool.version.clone(),
        code,
        layers,
        isolation: shared.ports.isolation.clone(),
        logs: shared.ports.logs.clone(),
        network: shared.settings.network,
        initialization: if provisioned { "provisioned-concurrency" } else { "on-demand" },
        init_timeout: Duration::from_millis(shared.settings.limits.init_ms),
        platform_env: shared.settings.platform_env.clone(),
        limits: Arc::new(shared.settings.limits.clone()),
    }
}

/// At the cap of instances, the one that is idle longest goes.
fn make_room(engine: &Engine) {
    if engine.instances() < engine.0.settings.instances_max {
        return;
    }
    let pools: Vec<_> = {
        let pools = engine.0.pools.read().unwrap_or_else(PoisonError::into_inner);
        pools.values().filter_map(|pool| Some((pool.oldest_idle()?, pool.clone()))).collect()
    };
    let Some((since, pool)) = pools.into_iter().min_by_key(|(since, _)| *since) else { return };
    let mut one = true;
    for instance in pool.take_idle(|i| i.idle_since == since && std::mem::take(&mut one)) {
        if pool.lost(false) {
            spawn_start(engine, &pool);
        }
        retire(engine, instance, "spindown");
    }
}
