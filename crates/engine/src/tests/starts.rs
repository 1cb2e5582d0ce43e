//! How many starts calls make, whose come first, and how long an instance serves.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use anyfn_core::ports::Invoke as _;
use anyfn_types::Mode;
use futures_util::future::join_all;

use super::fakes::{World, answer, settings};

async fn world(start_ms: usize, call_ms: usize, computing: usize) -> World {
    let mut settings = settings();
    settings.limits.starts_computing = computing;
    let world = World::new(settings).await;
    world.script.start_ms.store(start_ms, SeqCst);
    world.script.call_ms.store(call_ms, SeqCst);
    world
}

async fn burst(world: &World, calls: usize) {
    let calls = (0..calls).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait)));
    assert!(join_all(calls).await.into_iter().all(|outcome| answer(outcome.unwrap()).is_ok()));
    // Starts that are under way come up.
    world.base.clock.sleep(Duration::from_secs(5)).await;
}

/// Guests that came up, and of these the ones that never had a call.
fn wasted(world: &World) -> (usize, usize) {
    let up = world.script.up.load(SeqCst);
    (up, up - world.script.used.load(SeqCst))
}

#[tokio::test(start_paused = true)]
async fn d1_a_burst_of_short_calls_starts_few_and_wastes_none() {
    let world = world(100, 1, 4).await;
    burst(&world, 200).await;
    assert_eq!(wasted(&world), (4, 0), "the first four serve all the others before a fifth would be up");
    assert_eq!(world.script.ran.load(SeqCst), 200);
}

#[tokio::test(start_paused = true)]
async fn d1_a_burst_of_long_calls_starts_as_many_as_are_worth_it_and_wastes_at_most_a_tenth() {
    let world = world(100, 400, 4).await;
    burst(&world, 200).await;
    let (up, wasted) = wasted(&world);
    assert!(up > 20 && wasted * 10 <= up, "{up} came up, {wasted} for nothing");
    assert!(world.script.starting_most.load(SeqCst) <= 4);
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_end_get_an_instance_each_four_starts_at_a_time() {
    let world = world(100, 0, 4).await;
    let held = join_all((0..40).map(|_| world.engine.invoke(world.call("f", "gate", Mode::Wait))));
    let opener = async {
        world.until(|s| s.ran.load(SeqCst) == 40).await;
        world.script.gate.add_permits(40);
    };
    let (outcomes, ()) = tokio::join!(held, opener);
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!((wasted(&world), world.script.starting_most.load(SeqCst)), ((40, 0), 4));
}

#[tokio::test(start_paused = true)]
async fn starts_that_only_wait_do_not_hold_up_others() {
    let world = world(0, 0, 4).await;
    // Four starts that never come up by themselves, and then a fifth.
    world.script.start_gate.forget_permits(usize::MAX);
    let held = join_all((0..5).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait))));
    let opener = async {
        world.until(|s| s.starts.load(SeqCst) == 5).await;
        world.script.start_gate.add_permits(5);
    };
    let (outcomes, ()) = tokio::join!(held, opener);
    assert!(outcomes.into_iter().all(|outcome| outcome.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_moment_of_two_calls_does_not_start_a_second_instance() {
    let world = world(100, 1, 4).await;
    burst(&world, 1).await;
    for _ in 0..50 {
        let pair = (0..2).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait)));
        assert!(join_all(pair).await.into_iter().all(|outcome| outcome.is_ok()));
    }
    assert_eq!(world.script.starts.load(SeqCst), 1, "the busy one is free before a start would be up");
}

#[tokio::test(start_paused = true)]
async fn a_call_behind_one_that_hangs_gets_a_start_of_its_own() {
    let world = world(100, 1, 4).await;
    for _ in 0..20 {
        burst(&world, 1).await;
    }
    let held = world.engine.invoke(world.call("f", "gate", Mode::Wait));
    let second = async {
        world.until(|s| s.ran.load(SeqCst) == 21).await;
        let began = world.base.clock.now();
        assert!(world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.is_ok());
        let waited = world.base.clock.now() - began;
        world.script.gate.add_permits(1);
        waited
    };
    let (_, waited) = tokio::join!(held, second);
    assert_eq!(world.script.starts.load(SeqCst), 2);
    // In paused time: the guess, the start, the call.
    assert!(waited < Duration::from_millis(150), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn d1_a_burst_of_one_function_does_not_hold_up_anothers_start() {
    let world = world(100, 400, 2).await;
    world.create("g").await;
    let crowd = join_all((0..100).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait))));
    let one = async {
        world.until(|s| s.starts.load(SeqCst) >= 2).await;
        world.engine.invoke(world.call("g", "{}", Mode::Wait)).await
    };
    let (_, one) = tokio::join!(crowd, one);
    assert!(one.is_ok());
    let at = world.script.begun.lock().unwrap().iter().position(|name| name == "g").unwrap();
    assert!(at <= 4, "{at} starts came before it");
}

async fn bounded(calls_max: u32) -> World {
    let mut settings = settings();
    settings.limits.scale_up_per_10s = 3;
    let world = World::new(settings).await;
    world.change("f", |f| f.latest.config.placement.calls_max = calls_max).await;
    world
}

#[tokio::test(start_paused = true)]
async fn an_instance_with_one_call_each_is_fresh_for_every_call() {
    let world = bounded(1).await;
    for _ in 0..20 {
        let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
        assert_eq!(answer(outcome), Ok("call 1".into()));
    }
    world.until(|s| s.live.load(SeqCst) == 0).await;
    assert_eq!(world.script.starts.load(SeqCst), 20, "none is started that nobody waits for");
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_of_single_call_instances_never_share_one() {
    let world = bounded(1).await;
    world.script.start_ms.store(10, SeqCst);
    let calls = (0..3).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait)));
    for outcome in join_all(calls).await {
        assert_eq!(answer(outcome.unwrap()), Ok("call 1".into()));
    }
    world.until(|s| s.live.load(SeqCst) == 0).await;
    assert_eq!(wasted(&world), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_instance_ends_after_its_last_call() {
    let world = bounded(3).await;
    for n in 0..7 {
        let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
        assert_eq!(answer(outcome), Ok(format!("call {}", n % 3 + 1)));
    }
    assert_eq!(world.script.starts.load(SeqCst), 3);
}
