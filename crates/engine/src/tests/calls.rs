//! One call's way, and how many instances calls make.

use std::sync::atomic::Ordering::SeqCst;

use anyfn_core::ports::Invoke as _;
use anyfn_types::{Kind, Mode, VersionState};
use futures_util::future::join_all;

use super::fakes::{World, answer, failure, settings};

#[tokio::test(start_paused = true)]
async fn a_warm_instance_serves_call_after_call() {
    let world = World::new(settings()).await;
    for n in 1..=5 {
        let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
        assert_eq!(answer(outcome), Ok(format!("call {n}")));
    }
    assert_eq!(world.script.starts.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_get_an_instance_each_and_no_more() {
    let world = World::new(settings()).await;
    let calls = (0..8).map(|_| world.engine.invoke(world.call("f", "gate", Mode::Wait)));
    let all = join_all(calls);
    let opener = async {
        world.until(|s| s.ran.load(SeqCst) == 8).await;
        world.script.gate.add_permits(8);
    };
    let (outcomes, ()) = tokio::join!(all, opener);
    assert!(outcomes.into_iter().all(|o| answer(o.unwrap()) == Ok("through".into())));
    assert_eq!(world.script.starts.load(SeqCst), 8);
    join_all((0..8).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait)))).await;
    assert_eq!(world.script.starts.load(SeqCst), 8, "warm instances were there");
}

#[tokio::test(start_paused = true)]
async fn a_freed_instance_serves_the_call_that_waits_for_a_start() {
    let world = World::new(settings()).await;
    let first = world.engine.invoke(world.call("f", "gate", Mode::Wait));
    let rest = async {
        world.until(|s| s.ran.load(SeqCst) == 1).await;
        // No start comes through any more.
        world.script.start_gate.forget_permits(usize::MAX);
        let second = world.engine.invoke(world.call("f", "{}", Mode::Wait));
        let open = async {
            world.until(|s| s.starts.load(SeqCst) == 2).await;
            world.script.gate.add_permits(1);
        };
        let (second, ()) = tokio::join!(second, open);
        answer(second.unwrap())
    };
    let (_, second) = tokio::join!(first, rest);
    assert_eq!(second, Ok("call 2".into()), "the first instance answered the second call");
}

#[tokio::test(start_paused = true)]
async fn failing_starts_do_not_crowd_and_every_caller_is_told() {
    let world = World::new(settings()).await;
    *world.script.init_error.lock().unwrap() = Some(failure("Runtime.ImportModuleError"));
    let outcomes = join_all((0..60).map(|_| world.engine.invoke(world.call("f", "{}", Mode::Wait)))).await;
    assert!(outcomes.into_iter().all(|o| answer(o.unwrap()) == Err("Runtime.ImportModuleError".into())));
    assert!(world.script.starts.load(SeqCst) <= 64, "{} starts", world.script.starts.load(SeqCst));
    let before = world.script.starts.load(SeqCst);
    for _ in 0..100 {
        let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
        assert_eq!(answer(outcome), Err("Runtime.ImportModuleError".into()));
    }
    assert!(
        world.script.starts.load(SeqCst) - before < 50,
        "callers are told the last error without a start each"
    );
    *world.script.init_error.lock().unwrap() = None;
    world.base.clock.sleep(std::time::Duration::from_secs(10)).await;
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 1".into()), "it heals");
}

#[tokio::test(start_paused = true)]
async fn a_dead_guest_is_the_calls_failure_and_the_next_call_gets_another() {
    let world = World::new(settings()).await;
    let outcome = world.engine.invoke(world.call("f", "die", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Err("Runtime.ExitError".into()));
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 1".into()));
    assert_eq!(world.script.starts.load(SeqCst), 2);
    world.until(|s| s.live.load(SeqCst) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_neither_stops_the_function_nor_loses_the_instance() {
    let world = World::new(settings()).await;
    {
        let call = world.engine.invoke(world.call("f", "gate", Mode::Wait));
        tokio::pin!(call);
        tokio::select! { _ = &mut call => panic!("it waits at the gate"), () = world.until(|s| s.ran.load(SeqCst) == 1) => {} }
    }
    world.script.gate.add_permits(1);
    let id = world
        .registry
        .get(&super::fakes::namespace(), &anyfn_types::FunctionName::new("f").unwrap())
        .await
        .unwrap()
        .latest
        .id;
    world.until(|_| world.engine.instances_of(id).0 == 1).await;
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap();
    assert_eq!(answer(outcome), Ok("call 2".into()));
}

#[tokio::test(start_paused = true)]
async fn reserved_concurrency_bounds_and_zero_turns_off() {
    let world = World::new(settings()).await;
    world.change("f", |f| f.reserved = Some(2)).await;
    let held = join_all((0..2).map(|_| world.engine.invoke(world.call("f", "gate", Mode::Wait))));
    let third = async {
        world.until(|s| s.ran.load(SeqCst) == 2).await;
        let error = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap_err();
        world.script.gate.add_permits(2);
        error
    };
    let (_, error) = tokio::join!(held, third);
    assert_eq!((error.kind, error.code), (Kind::Throttled, "reserved_concurrency_exceeded"));
    world.change("f", |f| f.reserved = Some(0)).await;
    let error = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Throttled);
}

#[tokio::test(start_paused = true)]
async fn d11_a_namespace_at_its_limit_is_told_so() {
    let mut settings = settings();
    settings.limits.account_concurrency = 3;
    let world = World::new(settings).await;
    let held = join_all((0..3).map(|_| world.engine.invoke(world.call("f", "gate", Mode::Wait))));
    let fourth = async {
        world.until(|s| s.ran.load(SeqCst) == 3).await;
        let error = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap_err();
        world.script.gate.add_permits(3);
        error
    };
    let (_, error) = tokio::join!(held, fourth);
    assert_eq!((error.kind, error.code), (Kind::Throttled, "account_concurrency_exceeded"));
}

#[tokio::test(start_paused = true)]
async fn bodies_over_the_limit_are_refused_by_mode() {
    let world = World::new(settings()).await;
    let limits = anyfn_types::Limits::default();
    let body = "x".repeat(usize::try_from(limits.event_payload_bytes).unwrap() + 1);
    let error = world.engine.invoke(world.call("f", &body, Mode::Queue)).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::TooLarge, "payload_too_large"));
    assert!(world.engine.invoke(world.call("f", &body, Mode::Wait)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn activation_ends_active_or_failed_with_the_reason() {
    let world = World::new(settings()).await;
    let function = world.create("g").await;
    let function = world.engine.activate_now(&function).await.unwrap();
    assert_eq!(function.latest.state, VersionState::Active);
    assert_eq!(function.latest.notice.as_deref(), Some("served by a fake"));
    world.change("f", |f| f.latest.config.runtime = "cobol".into()).await;
    let f = world
        .registry
        .get(&super::fakes::namespace(), &anyfn_types::FunctionName::new("f").unwrap())
        .await
        .unwrap();
    let f = world.engine.activate_now(&f).await.unwrap();
    assert!(matches!(&f.latest.state, VersionState::Failed { code, .. } if code == "runtime_missing"));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_runs_nothing() {
    let world = World::new(settings()).await;
    let outcome = world.engine.invoke(world.call("f", "{}", Mode::DryRun)).await.unwrap();
    assert!(matches!(outcome, anyfn_core::Outcome::WouldRun));
    let error = world.engine.invoke(world.call("nobody", "{}", Mode::DryRun)).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(world.script.starts.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_burst_past_the_rate_is_told_so_and_may_come_again_later() {
    let mut settings = settings();
    settings.limits.scale_up_per_10s = 3;
    let world = World::new(settings).await;
    let held = join_all((0..3).map(|_| world.engine.invoke(world.call("f", "gate", Mode::Wait))));
    let fourth = async {
        world.until(|s| s.ran.load(SeqCst) == 3).await;
        let error = world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Throttled, "scale_up_exceeded"));
        world.base.clock.sleep(std::time::Duration::from_secs(10)).await;
        assert!(world.engine.invoke(world.call("f", "{}", Mode::Wait)).await.is_ok());
        world.script.gate.add_permits(3);
    };
    tokio::join!(held, fourth);
    assert_eq!(world.script.starts.load(SeqCst), 4);
}
