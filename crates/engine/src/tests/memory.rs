//! Who makes room when memory is short, and what rest costs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use anyfn_core::ports::Invoke as _;
use anyfn_types::{Kind, Mode};

use super::fakes::{World, answer, settings};
use crate::{MemoryGauge, MemoryReading, Settings};

/// A host of 1,000 MiB.
#[derive(Debug)]
struct Host {
    available_mib: AtomicU64,
    read: AtomicU64,
}

impl MemoryGauge for Host {
    fn read(&self) -> Option<MemoryReading> {
        self.read.fetch_add(1, SeqCst);
        let available_mib = self.available_mib.load(SeqCst);
        Some(MemoryReading { total_mib: 1000, available_mib, stalled_permille: 0 })
    }
}

async fn call(world: &World, name: &str) -> String {
    let outcome = world.engine.invoke(world.call(name, "{}", Mode::Wait)).await.unwrap();
    answer(outcome).unwrap()
}

/// Eight functions, called one second after another, each using 30 MiB.
async fn eight(settings: Settings) -> World {
    let world = World::new(settings).await;
    world.script.memory_mib.store(30, SeqCst);
    for n in 0..8 {
        world.create(&format!("g{n}")).await;
        call(&world, &format!("g{n}")).await;
        world.base.clock.sleep(Duration::from_secs(1)).await;
    }
    world
}

#[tokio::test(start_paused = true)]
async fn a_short_host_gets_back_what_idles_longest_and_no_more_than_it_needs() {
    let host = Arc::new(Host { available_mib: AtomicU64::new(500), read: AtomicU64::new(0) });
    let world = eight(Settings { memory: Some(host.clone()), ..settings() }).await;
    assert_eq!(world.script.live.load(SeqCst), 8);
    // 70 MiB short of the upper mark: three instances.
    host.available_mib.store(50, SeqCst);
    world.until(|s| s.live.load(SeqCst) < 8).await;
    host.available_mib.store(500, SeqCst);
    world.base.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(world.script.live.load(SeqCst), 5);
    for (n, said) in [(7, "call 2"), (3, "call 2"), (2, "call 1"), (0, "call 1")] {
        assert_eq!(call(&world, &format!("g{n}")).await, said, "g{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_nothing_idles() {
    let host = Arc::new(Host { available_mib: AtomicU64::new(500), read: AtomicU64::new(0) });
    let world = World::new(Settings { memory: Some(host.clone()), ..settings() }).await;
    world.base.clock.sleep(Duration::from_secs(3600)).await;
    let read = host.read.load(SeqCst);
    assert!(read <= 1, "{read} readings");
}

#[tokio::test(start_paused = true)]
async fn d12_past_the_memory_of_all_instances_idle_ones_make_room() {
    let mut settings = settings();
    settings.limits.instances_memory_mib = 100;
    let world = eight(settings).await;
    assert!(world.script.most.load(SeqCst) <= 4, "{} lived at once", world.script.most.load(SeqCst));
    assert_eq!(call(&world, "g7").await, "call 2", "the newest is still warm");
}

#[tokio::test(start_paused = true)]
async fn d12_with_all_memory_in_calls_a_start_is_refused_until_one_ends() {
    let mut settings = settings();
    settings.limits.instances_memory_mib = 100;
    let world = World::new(settings).await;
    world.script.memory_mib.store(90, SeqCst);
    call(&world, "f").await;
    world.create("g").await;
    let held = world.engine.invoke(world.call("f", "gate", Mode::Wait));
    let other = async {
        world.until(|s| s.ran.load(SeqCst) == 2).await;
        let error = world.engine.invoke(world.call("g", "{}", Mode::Wait)).await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Throttled, "no_room"));
        world.script.gate.add_permits(1);
    };
    let (held, ()) = tokio::join!(held, other);
    assert!(held.is_ok());
    assert_eq!(call(&world, "g").await, "call 1", "the idle one made room");
}

#[tokio::test(start_paused = true)]
async fn what_is_dear_to_start_stays_longer_than_what_is_cheap() {
    let mut settings = settings();
    settings.limits.instances_max = 2;
    let world = World::new(settings).await;
    for name in ["dear", "cheap", "third"] {
        world.create(name).await;
    }
    world.script.memory_mib.store(128, SeqCst);
    world.script.start_ms.store(60, SeqCst);
    call(&world, "dear").await;
    world.base.clock.sleep(Duration::from_secs(20)).await;
    world.script.start_ms.store(1, SeqCst);
    call(&world, "cheap").await;
    world.base.clock.sleep(Duration::from_secs(20)).await;
    call(&world, "third").await;
    world.until(|s| s.live.load(SeqCst) == 2).await;
    assert_eq!(call(&world, "dear").await, "call 2", "it idled longest, but costs 60 times as much to start");
}

#[tokio::test(start_paused = true)]
async fn rest_costs_a_look_when_something_is_due_and_none_otherwise() {
    let mut settings = settings();
    settings.limits.pause_after_ms = 1_000;
    settings.limits.retire_after_ms = 7_200_000;
    let world = World::new(settings).await;
    for n in 0..50 {
        world.create(&format!("g{n}")).await;
        call(&world, &format!("g{n}")).await;
    }
    world.until(|s| s.pauses.load(SeqCst) == 50).await;
    world.base.clock.sleep(Duration::from_secs(5)).await;
    let looks = || world.engine.0.looks.get();
    let before = looks();
    assert!(before <= 200, "{before} looks to bring 50 to rest");
    world.base.clock.sleep(Duration::from_secs(3600)).await;
    assert_eq!(looks(), before, "an hour of rest");
    world.base.clock.sleep(Duration::from_secs(3700)).await;
    assert_eq!(world.script.live.load(SeqCst), 0);
    assert!(looks() - before <= 150, "{} looks to retire 50", looks() - before);
    assert!(world.engine.0.pools.all().is_empty(), "nothing is left of them");
    assert!(world.engine.0.rounds.first_due().is_none());
}

#[tokio::test(start_paused = true)]
async fn changes_that_were_missed_are_made_good() {
    let world = World::new(settings()).await;
    call(&world, "f").await;
    world.create("g").await;
    call(&world, "g").await;
    // More at once than a listener may lag behind, with no turn for it in between.
    let id = world.base.random.version_id();
    world.change("f", |f| f.latest.id = id).await;
    for _ in 0..1100 {
        world.change("g", |f| f.reserved = Some(50)).await;
    }
    world.until(|s| s.live.load(SeqCst) == 1).await;
    assert_eq!(call(&world, "g").await, "call 2");
}
