//! To zero and back, and who makes room.

use std::sync::atomic::Ordering::SeqCst;

use anyfn_core::ports::Invoke as _;
use anyfn_types::Mode;
use futures_util::future::join_all;

use super::fakes::{World, answer, settings};

#[tokio::test(start_paused = true)]
async fn idle_instances_are_paused_then_retired() {
    let mut settings = settings();
    settings.limits.pause_after_ms = 1_000;
    settings.limits.retire_after_ms = 10_000;
    let world = World::new(settings).await;
    world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    world.until(|s| s.pauses.load(SeqCst) == 1).await;
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 2".into()));
    assert_eq!(world.script.resumes.load(SeqCst), 1);
    world.until(|s| s.live.load(SeqCst) == 0).await;
    while world.engine.instances() != 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.script.starts.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_version_is_retired_and_the_new_one_serves() {
    let world = World::new(settings()).await;
    world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    let id = world.base.random.version_id();
    world.change("f", |f| f.latest.id = id).await;
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 1".into()), "a new instance of the new version");
    world.until(|s| s.live.load(SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn provisioned_instances_are_kept_up() {
    let mut settings = settings();
    settings.limits.retire_after_ms = 1_000;
    let world = World::new(settings).await;
    world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    let name = anyfn_types::FunctionName::new("f").unwrap();
    world.registry.publish(&super::fakes::namespace(), &name, Default::default()).await.unwrap();
    world.registry.mark_provisioned(&super::fakes::namespace(), &name).await.unwrap();
    world.change("f", |f| assert!(f.provisioned.insert("1".into(), 3).is_none())).await;
    let call = || {
        let mut call = world.call("f", "{}", Mode::Wait);
        call.qualifier = Some(anyfn_types::Qualifier::Version(1));
        call
    };
    world.engine.invoke(call()).await.unwrap();
    world.until(|s| s.live.load(SeqCst) == 3).await;
    world.base.clock.sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(world.script.live.load(SeqCst), 3, "three stay, the unprovisioned one is gone");
}

#[tokio::test(start_paused = true)]
async fn d12_at_the_cap_the_longest_idle_makes_room() {
    let mut settings = settings();
    settings.limits.instances_max = 4;
    let world = World::new(settings).await;
    for n in 0..12 {
        world.create(&format!("g{n}")).await;
        world.engine.invoke(world.call(&format!("g{n}"), "{}", Mode::Wait)).await.unwrap();
        world.base.clock.sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(world.script.most.load(SeqCst) <= 5, "{} lived at once", world.script.most.load(SeqCst));
    let outcome = world.engine.invoke(world.call("g11", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 2".into()), "the newest is still warm");
}

#[tokio::test(start_paused = true)]
async fn h10_shutdown_refuses_new_calls_lets_running_ones_end_and_leaves_no_instance() {
    let world = World::new(settings()).await;
    let held = world.engine.invoke(world.call("f", "gate", Mode::Wait));
    let ending = async {
        world.until(|s| s.ran.load(SeqCst) == 1).await;
        world.base.tasks.stop();
        let error = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap_err();
        assert_eq!(error.code, "draining");
        world.script.gate.add_permits(1);
    };
    let (outcome, ()) = tokio::join!(held, ending);
    assert_eq!(answer(outcome.unwrap()), Ok("through".into()));
    let drained = world.base.tasks.drain(std::time::Duration::from_secs(5)).await;
    assert!(drained.left.is_empty(), "{drained:?}");
    world.engine.shutdown(std::time::Duration::from_secs(5)).await;
    assert_eq!(world.script.live.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn many_functions_many_calls_end_where_they_began() {
    let world = World::new(settings()).await;
    for n in 0..20 {
        world.create(&format!("g{n}")).await;
    }
    let calls = (0..400).map(|n| world.engine.invoke(world.call(&format!("g{}", n % 20), "{}", Mode::Wait)));
    let outcomes = join_all(calls).await;
    assert_eq!(outcomes.into_iter().filter(|o| o.is_ok()).count(), 400);
    assert_eq!(world.script.ran.load(SeqCst), 400);
    world.engine.flush_records().await;
    let query = crate::RecordQuery { namespace: super::fakes::namespace(), function: None, limit: 1000 };
    assert_eq!(world.engine.records(query).await.unwrap().len(), 400);
}

#[tokio::test(start_paused = true)]
async fn provisioned_instances_come_before_any_call_and_after_a_restart() {
    let world = World::new(settings()).await;
    let name = anyfn_types::FunctionName::new("f").unwrap();
    world.registry.publish(&super::fakes::namespace(), &name, Default::default()).await.unwrap();
    world.registry.mark_provisioned(&super::fakes::namespace(), &name).await.unwrap();
    world.change("f", |f| assert!(f.provisioned.insert("1".into(), 2).is_none())).await;
    world.until(|s| s.live.load(SeqCst) == 2).await;
    let world = world.reopen(settings()).await;
    world.until(|s| s.starts.load(SeqCst) == 4).await;
    world.until(|s| s.live.load(SeqCst) == 2).await;
}
