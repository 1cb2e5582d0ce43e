//! Sweep: pause what idles, retire what idles long or belongs to a version that is gone, keep provisioned instances up.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use anyfn_base::{Instant, TaskKind};
use anyfn_core::Resolved;
use anyfn_types::{Error, Kind};

use crate::{
    Engine,
    place::{retire, spawn_start},
    pool::{Back, Instance, Pool},
};

/// Runs until shutdown begins.
pub(crate) async fn run(engine: Engine) {
    let stopping = engine.0.base.tasks.stopping();
    loop {
        let pause = engine.0.base.clock.sleep(Duration::from_millis(engine.0.settings.sweep_ms));
        if stopping.run_until_cancelled(pause).await.is_none() {
            return;
        }
        pass(&engine).await;
    }
}

fn pools(engine: &Engine) -> Vec<Arc<Pool>> {
    engine.0.pools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
}

/// One look at every pool.
pub(crate) async fn pass(engine: &Engine) {
    let now = engine.0.base.clock.now();
    if let Err(error) = open_provisioned(engine).await {
        tracing::warn!(?error, "provisioned instances not looked after");
    }
    for pool in pools(engine) {
        let wanted = wanted(engine, &pool).await;
        match wanted {
            None => pool.close(),
            Some(count) => {
                while pool.start_for_provisioned(count, now) {
                    spawn_start(engine, &pool);
                }
            }
        }
        cool(engine, &pool, wanted, now);
    }
    let mut pools = engine.0.pools.write().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, pool| !pool.is_empty());
}

/// A version that keeps instances has a pool before its first call, and after a restart.
async fn open_provisioned(engine: &Engine) -> Result<(), Error> {
    let registry = &engine.0.ports.registry;
    for function in registry.provisioned().await? {
        for qualifier in function.provisioned.keys() {
            let alias = function.aliases.get(qualifier).map(|alias| alias.version);
            let Some(number) = alias.or_else(|| qualifier.parse().ok()) else { continue };
            let version = registry.version(&function, number).await?;
            engine.0.pool(&Resolved { function: function.clone(), version });
        }
    }
    Ok(())
}

/// How many instances the pool's version is to keep; None when the version is no longer the function's.
pub(crate) async fn wanted(engine: &Engine, pool: &Pool) -> Option<usize> {
    let registry = &engine.0.ports.registry;
    let function = match registry.get(&pool.function.namespace, &pool.function.name).await {
        Ok(function) => function,
        Err(e) if e.kind == Kind::NotFound => return None,
        Err(_) => return Some(0),
    };
    let number = pool.version.number;
    let current = if number == 0 { Some(&function.latest.id) } else { function.versions.get(&number) };
    if current != Some(&pool.version.id) {
        return None;
    }
    let points = |qualifier: &str| match function.aliases.get(qualifier) {
        Some(alias) => alias.version == number,
        None => qualifier.parse::<u64>().is_ok_and(|n| n == number),
    };
    Some(function.provisioned.iter().filter(|(q, _)| points(q)).map(|(_, count)| *count as usize).sum())
}

fn cool(engine: &Engine, pool: &Arc<Pool>, wanted: Option<usize>, now: Instant) {
    let limits = &engine.0.settings.limits;
    let (pause_after, retire_after) =
        (Duration::from_millis(limits.pause_after_ms), Duration::from_millis(limits.retire_after_ms));
    let (idle, busy, starting) = pool.counts();
    let mut spare = (idle + busy + starting).saturating_sub(wanted.unwrap_or(0));
    let closed = wanted.is_none();
    let old = pool.take_idle(|instance| {
        let go = spare > 0 && (closed || now - instance.idle_since >= retire_after);
        spare -= usize::from(go);
        go
    });
    for instance in old {
        if pool.lost(false) {
            spawn_start(engine, pool);
        }
        retire(engine, instance, "spindown");
    }
    for instance in pool.take_idle(|i| !i.paused && now - i.idle_since >= pause_after) {
        pause(engine, pool, instance);
    }
}

fn pause(engine: &Engine, pool: &Arc<Pool>, mut instance: Instance) {
    let (engine, pool) = (engine.clone(), pool.clone());
    let tasks = engine.0.base.tasks.clone();
    tasks.spawn(TaskKind::Request, "pause", async move {
        instance.paused = instance.guest.pause().await.is_ok();
        let back = pool.put(instance);
        if let Back::Retire(instance) = back {
            if pool.lost(false) {
                spawn_start(&engine, &pool);
            }
            retire(&engine, instance, "spindown");
        }
    });
}

/// Retires every idle instance and waits until none lives, at most `within`.
pub(crate) async fn retire_all(engine: &Engine, within: Duration) {
    let deadline = engine.0.base.clock.now() + within;
    let mut ending = Vec::new();
    for pool in pools(engine) {
        pool.close();
        for instance in pool.take_idle(|_| true) {
            pool.lost(false);
            ending.push(instance);
        }
    }
    let count = ending.len();
    let all = futures_util::future::join_all(ending.into_iter().map(|i| i.guest.retire("spindown")));
    let _ = tokio::time::timeout_at(deadline, all).await;
    engine.0.alive.fetch_sub(count, Ordering::Relaxed);
}
