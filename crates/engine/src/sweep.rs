//! Sweep: pause what idles, retire what idles long or belongs to a version that is gone, keep provisioned instances up, give
//! memory back under pressure. Nothing here looks at all pools: a pool is looked at when its time has come, a function when
//! the registry says that it changed.

use std::{sync::Arc, time::Duration};

use anyfn_base::{Instant, TaskKind};
use anyfn_core::{Changed, Changes, Resolved};
use anyfn_types::{Error, Function, FunctionName, Kind, Namespace, Version};

use crate::{
    Engine,
    place::{evict, leave, spawn_start},
    pool::{Back, Instance, Pool},
    pressure::to_free,
};

/// When a look at the registry that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two readings of the host's memory, while instances idle.
const GAUGE_EVERY: Duration = Duration::from_secs(1);

/// What the loop waits for besides the rounds.
struct Keeper {
    engine: Engine,
    changes: Changes,
    /// Everything is looked at again then: changes were missed, or the registry could not be read.
    anew: Option<Instant>,
    /// The next reading of the host's memory.
    gauge_at: Instant,
    /// The next looks at pools, at the earliest: those due shortly after one another are taken together.
    looks_at: Instant,
}

enum Woken {
    Stopped,
    Changed(Option<Changed>),
    Planned,
    Time,
}

/// Runs until shutdown begins.
pub(crate) async fn run(engine: Engine, changes: Changes) {
    let now = engine.0.base.clock.now();
    let mut keeper = Keeper { engine, changes, anew: Some(now), gauge_at: now, looks_at: now };
    loop {
        match keeper.woken().await {
            Woken::Stopped => return,
            Woken::Changed(Some(changed)) => keeper.changed(&changed).await,
            Woken::Changed(None) => keeper.anew = Some(keeper.now()),
            Woken::Planned => {}
            Woken::Time => keeper.rounds().await,
        }
    }
}

impl Keeper {
    fn now(&self) -> Instant {
        self.engine.0.base.clock.now()
    }

    async fn woken(&mut self) -> Woken {
        let shared = self.engine.0.clone();
        let planned = shared.rounds.first_due().map(|at| at.max(self.looks_at));
        let gauge = (shared.settings.memory.is_some() && shared.rounds.has_idle()).then_some(self.gauge_at);
        let next = [planned, gauge, self.anew].into_iter().flatten().min();
        let time = async {
            match next {
                Some(at) => shared.base.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let stopping = shared.base.tasks.stopping();
        tokio::select! {
            () = stopping.cancelled() => Woken::Stopped,
            changed = self.changes.next() => Woken::Changed(changed),
            () = time => Woken::Time,
            () = shared.rounds.planned() => Woken::Planned,
        }
    }

    /// A function was changed or deleted.
    async fn changed(&mut self, changed: &Changed) {
        let pools = self.engine.0.pools.family(&changed.namespace, &changed.name);
        if pools.is_empty() && !changed.provisioned {
            return;
        }
        if let Err(error) = attend(&self.engine, &changed.namespace, &changed.name).await {
            self.later(&error);
        }
    }

    fn later(&mut self, error: &Error) {
        tracing::warn!(?error, "instances not looked after");
        self.anew = Some(self.now() + AGAIN);
    }

    async fn rounds(&mut self) {
        if self.anew.is_some_and(|at| at <= self.now()) {
            self.anew = None;
            if let Err(error) = attend_all(&self.engine).await {
                self.later(&error);
            }
        }
        if self.looks_at <= self.now() {
            self.looks().await;
        }
        if self.gauge_at <= self.now() {
            self.gauge_at = self.now() + GAUGE_EVERY;
            relieve(&self.engine);
        }
    }

    /// Looks at every pool whose time has come. What they plan for at once is for the next time.
    async fn looks(&mut self) {
        let now = self.now();
        self.looks_at = now + Duration::from_millis(self.engine.0.settings.sweep_ms.max(1));
        let due: Vec<_> = std::iter::from_fn(|| self.engine.0.rounds.next_due(now)).collect();
        for pool in due {
            if look(&self.engine, &pool) {
                let (namespace, name) = (&pool.function.namespace, &pool.function.name);
                if let Err(error) = attend(&self.engine, namespace, name).await {
                    self.later(&error);
                }
            }
        }
    }
}

/// A look at one pool whose time has come. True if its version must be looked up.
fn look(engine: &Engine, pool: &Arc<Pool>) -> bool {
    engine.0.looks.add(1);
    let look = pool.look(engine.0.base.clock.now());
    for instance in look.retire {
        leave(engine, pool, instance, "spindown");
    }
    for instance in look.pause {
        pause(engine, pool, instance);
    }
    if look.start {
        spawn_start(engine, pool);
    }
    if look.empty {
        engine.0.pools.remove_empty(pool);
    }
    look.unchecked && !look.empty
}

/// Tells the pools of a function what the registry says of their versions; a version that keeps instances gets a pool before
/// its first call.
async fn attend(engine: &Engine, namespace: &Namespace, name: &FunctionName) -> Result<(), Error> {
    let registry = &engine.0.ports.registry;
    let function = match registry.get(namespace, name).await {
        Ok(function) => Some(function),
        Err(e) if e.kind == Kind::NotFound => None,
        Err(e) => return Err(e),
    };
    if let Some(function) = &function {
        for qualifier in function.provisioned.keys() {
            let alias = function.aliases.get(qualifier).map(|alias| alias.version);
            let Some(number) = alias.or_else(|| qualifier.parse().ok()) else { continue };
            let version = match registry.version(function, number).await {
                Ok(version) => version,
                Err(e) if e.kind == Kind::NotFound => continue,
                Err(e) => return Err(e),
            };
            engine.0.pool(&Resolved { function: function.clone(), version });
        }
    }
    for pool in engine.0.pools.family(namespace, name) {
        let wanted = function.as_ref().and_then(|function| wanted(function, &pool.version));
        pool.keep(wanted, engine.0.base.clock.now());
    }
    Ok(())
}

/// After a start, and when changes were missed.
async fn attend_all(engine: &Engine) -> Result<(), Error> {
    for function in engine.0.ports.registry.provisioned().await? {
        attend(engine, &function.namespace, &function.name).await?;
    }
    for pool in engine.0.pools.all() {
        attend(engine, &pool.function.namespace, &pool.function.name).await?;
    }
    Ok(())
}

/// How many instances of a version to keep; None when the version is no longer the function's.
fn wanted(function: &Function, version: &Version) -> Option<usize> {
    let number = version.number;
    let current = if number == 0 { Some(&function.latest.id) } else { function.versions.get(&number) };
    if current != Some(&version.id) {
        return None;
    }
    let points = |qualifier: &str| match function.aliases.get(qualifier) {
        Some(alias) => alias.version == number,
        None => qualifier.parse::<u64>().is_ok_and(|n| n == number),
    };
    Some(function.provisioned.iter().filter(|(q, _)| points(q)).map(|(_, count)| *count as usize).sum())
}

/// Retires idle instances until the host has memory again, as far as they reach.
fn relieve(engine: &Engine) {
    let Some(reading) = engine.0.settings.memory.as_ref().and_then(|gauge| gauge.read()) else { return };
    let wanted = to_free(&engine.0.limits, reading, engine.0.rounds.memory_mib());
    let (mut freed, mut count) = (0, 0_u32);
    while freed < wanted
        && let Some(mib) = evict(engine, "pressure")
    {
        freed += u64::from(mib.max(1));
        count += 1;
    }
    if count > 0 {
        tracing::info!(count, freed_mib = freed, ?reading, "idle instances gave way to a shortage of memory");
    }
}

fn pause(engine: &Engine, pool: &Arc<Pool>, mut instance: Instance) {
    let (engine, pool) = (engine.clone(), pool.clone());
    let tasks = engine.0.base.tasks.clone();
    tasks.spawn(TaskKind::Request, "pause", async move {
        instance.paused = instance.guest.pause().await.is_ok();
        if let Back::Retire(instance) = pool.put(instance, engine.0.base.clock.now()) {
            leave(&engine, &pool, instance, "spindown");
        }
    });
}

/// Retires every idle instance and waits until none lives, at most `within`.
pub(crate) async fn retire_all(engine: &Engine, within: Duration) {
    let now = engine.0.base.clock.now();
    let mut ending = Vec::new();
    for pool in engine.0.pools.all() {
        for instance in pool.close() {
            pool.lost(false, now);
            ending.push(instance);
        }
    }
    let all = futures_util::future::join_all(ending.into_iter().map(|instance| async move {
        let Instance { guest, living, .. } = instance;
        guest.retire("spindown").await;
        drop(living);
    }));
    let _ = tokio::time::timeout_at(now + within, all).await;
}
