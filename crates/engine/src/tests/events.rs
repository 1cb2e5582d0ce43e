//! Asynchronous calls: kept, retried, set aside, taken up again.

use std::sync::atomic::Ordering::SeqCst;

use anyfn_core::{Outcome, ports::Invoke as _};
use anyfn_types::{AsyncConfig, FunctionName, Mode};

use super::fakes::{World, namespace, settings};

async fn depth(world: &World, name: &str) -> anyfn_core::ports::Depth {
    let function = world.registry.get(&namespace(), &FunctionName::new(name).unwrap()).await.unwrap();
    world.engine.event_depth(&function).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_accepted_call_runs_once_and_leaves_nothing() {
    let world = World::new(settings()).await;
    let outcome = world.engine.invoke(world.call("f", "hello", Mode::Queue)).await.unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)));
    world.until(|s| s.ran.load(SeqCst) == 1).await;
    while depth(&world, "f").await != Default::default() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.script.seen.lock().unwrap().as_slice(), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn h14_a_call_that_always_fails_is_tried_three_times_and_set_aside() {
    let world = World::new(settings()).await;
    world.engine.invoke(world.call("f", "fail", Mode::Queue)).await.unwrap();
    world.until(|s| s.ran.load(SeqCst) == 3).await;
    while depth(&world, "f").await.dead != 1 {
        tokio::task::yield_now().await;
    }
    let left = depth(&world, "f").await;
    assert_eq!((left.ready, left.delayed, left.leased), (0, 0, 0));
    assert_eq!(world.script.ran.load(SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn the_functions_own_retry_setting_counts() {
    let world = World::new(settings()).await;
    let config =
        AsyncConfig { retries: Some(0), max_age_s: None, destinations: serde_json::Value::Null, modified: 0 };
    world.change("f", |f| drop(f.async_configs.insert(String::new(), config.clone()))).await;
    world.engine.invoke(world.call("f", "fail", Mode::Queue)).await.unwrap();
    world.until(|s| s.ran.load(SeqCst) == 1).await;
    while depth(&world, "f").await.dead != 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.script.ran.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn d10_throttled_calls_wait_and_do_not_count_as_failures() {
    let world = World::new(settings()).await;
    world.change("f", |f| f.reserved = Some(0)).await;
    world.engine.invoke(world.call("f", "later", Mode::Queue)).await.unwrap();
    world.base.clock.sleep(std::time::Duration::from_secs(600)).await;
    assert_eq!(world.script.ran.load(SeqCst), 0);
    world.change("f", |f| f.reserved = None).await;
    world.until(|s| s.ran.load(SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn h1_what_was_accepted_before_the_end_runs_after_the_next_start() {
    let world = World::new(settings()).await;
    world.change("f", |f| f.reserved = Some(0)).await;
    for n in 0..20 {
        world.engine.invoke(world.call("f", &format!("event {n}"), Mode::Queue)).await.unwrap();
    }
    let world = world.reopen(settings()).await;
    world.change("f", |f| f.reserved = None).await;
    world.until(|s| s.ran.load(SeqCst) >= 20).await;
    let mut seen: Vec<_> =
        world.script.seen.lock().unwrap().iter().map(|b| String::from_utf8_lossy(b).into_owned()).collect();
    seen.sort();
    seen.dedup();
    let mut wanted: Vec<_> = (0..20).map(|n| format!("event {n}")).collect();
    wanted.sort();
    assert_eq!(seen, wanted);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_deleted_function_are_dropped() {
    let world = World::new(settings()).await;
    world.change("f", |f| f.reserved = Some(0)).await;
    let function = world.registry.get(&namespace(), &FunctionName::new("f").unwrap()).await.unwrap();
    world.engine.invoke(world.call("f", "orphan", Mode::Queue)).await.unwrap();
    world.registry.delete(&function.namespace, &function.name).await.unwrap();
    for _ in 0..200 {
        if world.engine.event_depth(&function).await.unwrap() == Default::default() {
            return;
        }
        world.base.clock.sleep(std::time::Duration::from_secs(5)).await;
    }
    panic!("the orphan is still there");
}
