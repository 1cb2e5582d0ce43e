//! Letter I of the attacks, and what else a guest may try.

use std::{sync::Arc, time::Duration};

use anyfn_core::ports::StartError;

use crate::bench::{Bench, Got, Spec, Up, get, guest};

async fn http() -> Option<(Bench, Up)> {
    let bytes = guest("http.wasm")?;
    let bench = Bench::new().await;
    let up = bench.start(Spec::new(bytes)).await;
    Some((bench, up))
}

/// The host lives on: the next call is answered.
async fn lives(up: &mut Up) {
    assert_eq!(up.get("/hello").await.text(), "Hello, world!\n");
}

async fn within(up: &mut Up, target: &str, ms: u64) -> Got {
    let call = up.invocation(Some(get(target)), b"");
    up.call(&call, Duration::from_millis(ms)).await.unwrap()
}

/// Why a function does not come up.
async fn refused(spec: Spec) -> (String, String) {
    let bench = Bench::with(|options| options.compile_ms = 20_000).await;
    let (with, _) = bench.deploy(spec);
    match bench.up(with).await {
        Err(StartError::Platform(error)) => (error.code.to_owned(), error.public),
        Err(StartError::Function { failure, .. }) => panic!("{failure:?}"),
        Ok(_) => panic!("it came up"),
    }
}

fn command(body: &str) -> Spec {
    Spec::text(&format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_loop_without_host_calls_stops_at_the_deadline() {
    let Some((_bench, mut up)) = http().await else { return };
    let (kind, text) = within(&mut up, "/loop", 150).await.failure();
    assert_eq!(kind, "Sandbox.Timedout");
    assert!(text.contains("Task timed out after 20.00 seconds"), "{text}");
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_loop_does_not_keep_others_from_their_turn() {
    let Some(bytes) = guest("http.wasm") else { return };
    // One thread for all.
    let bench = Bench::with(|options| options.workers = 1).await;
    let (with, _) = bench.deploy(Spec::new(bytes));
    let mut busy = bench.up(with.clone()).await.unwrap();
    let mut up = Up {
        base: bench.base.clone(),
        guest: bench.up(with.clone()).await.unwrap(),
        lines: Arc::default(),
        with,
    };
    let call = up.invocation(Some(get("/loop")), b"");
    let deadline = bench.base.clock.now() + Duration::from_secs(3);
    let mut looping = Box::pin(busy.invoke(&call, Some(deadline)));
    let mut answered = 0;
    tokio::select! {
        _ended = &mut looping => {}
        () = async { for _ in 0..20 { lives(&mut up).await; answered += 1; } } => {}
    }
    assert_eq!(answered, 20, "the loop ended before the others were answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_start_function_that_loops_stops_at_the_deadline() {
    let bench = Bench::new().await;
    let spec = Spec::text(
        r#"(module (memory (export "memory") 1) (func $s (loop (br 0))) (start $s) (func (export "_start")))"#,
    );
    let mut up = bench.start(spec).await;
    let call = up.invocation(None, b"{}");
    let got = up.call(&call, Duration::from_millis(150)).await.unwrap();
    assert_eq!(got.failure().0, "Sandbox.Timedout");
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_caller_who_goes_away_ends_the_call() {
    let Some((_bench, mut up)) = http().await else { return };
    let call = up.invocation(Some(get("/sleep?60000")), b"");
    for _ in 0..50 {
        tokio::select! {
            biased;
            _reply = up.guest.invoke(&call, None) => panic!("it cannot have slept"),
            () = up.base.clock.sleep(Duration::from_millis(1)) => {}
        }
    }
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_a_memory_bomb_ends_only_its_own_call() {
    let Some((_bench, mut up)) = http().await else { return };
    let got = up.get("/memory").await;
    let (kind, text) = got.failure();
    assert_eq!(kind, "Runtime.OutOfMemory", "{text}");
    assert!(text.contains("the memory limit of 128 MB was reached"), "{text}");
    assert!(got.tail.unwrap().contains("Max Memory Used: 128 MB"));
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_table_grows_no_further_than_allowed() {
    let bench = Bench::new().await;
    let spec = Spec::text(
        r#"(module (memory (export "memory") 1) (table $t 1 funcref)
             (func (export "_start")
               (if (i32.ne (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)) (then unreachable))))"#,
    );
    let mut up = bench.start(spec).await;
    assert_eq!(up.event(b"{}").await.text(), "");
    let (code, text) = refused(Spec::text(
        r#"(module (memory (export "memory") 1) (table 2000000 funcref) (func (export "_start")))"#,
    ))
    .await;
    assert_eq!(code, "wasm_link_failed", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_memory_larger_than_the_limit_is_a_failure_of_the_call() {
    let bench = Bench::new().await;
    let spec = Spec::text(r#"(module (memory (export "memory") 4096) (func (export "_start")))"#);
    let mut up = bench.start(spec).await;
    assert_eq!(up.event(b"{}").await.failure().0, "Runtime.OutOfMemory");
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_memory64_is_refused() {
    let (code, text) =
        refused(Spec::text(r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#)).await;
    assert_eq!(code, "wasm_compile_failed", "{text}");
    assert!(text.contains("memory64"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_deep_recursion_is_a_trap() {
    let Some((_bench, mut up)) = http().await else { return };
    let (kind, text) = up.get("/deep").await.failure();
    assert_eq!(kind, "Wasm.Trap", "{text}");
    lives(&mut up).await;
    let bench = Bench::new().await;
    let spec = Spec::text(
        r#"(module (memory (export "memory") 1) (func $f (call $f) (call $f)) (func (export "_start") (call $f)))"#,
    );
    let (kind, text) = bench.start(spec).await.event(b"{}").await.failure();
    assert_eq!(kind, "Wasm.Trap");
    assert!(text.contains("call stack exhausted"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_compile_bombs_are_refused_or_compiled_within_the_limits() {
    // More locals than a function may have.
    let locals = format!("(local {})", "i64 ".repeat(60_000));
    let (code, text) = refused(command(&locals)).await;
    assert_eq!(code, "wasm_compile_failed");
    assert!(text.contains("locals"), "{text}");
    // A function longer than functions may be.
    let (code, text) = refused(command(&"(drop (i32.const 1))".repeat(4_000_000))).await;
    assert_eq!(code, "wasm_compile_failed", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_compilation_that_takes_too_long_is_ended() {
    let bench = Bench::with(|options| options.compile_ms = 300).await;
    let body: String = (0..200)
        .map(|at| {
            let work =
                format!("(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const {at})) (local.get 1)))");
            format!("(func (param i64 i64) (result i64) {} (local.get 0))", work.repeat(2000))
        })
        .collect();
    let spec =
        Spec::text(&format!(r#"(module (memory (export "memory") 1) {body} (func (export "_start")))"#));
    let (with, _) = bench.deploy(spec);
    let error = bench.prepare(&with).await.unwrap_err();
    assert_eq!(error.code, "wasm_compile_failed");
    assert!(error.public.contains("it took more than 0 s"), "{}", error.public);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_compiler_that_runs_out_of_memory_is_a_clear_refusal() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::with(|options| options.compiler_memory_bytes = 8 << 20).await;
    let (with, _) = bench.deploy(Spec::new(bytes));
    let error = bench.prepare(&with).await.unwrap_err();
    assert_eq!(error.code, "wasm_compile_failed");
    assert!(error.public.contains("ended without an answer"), "{}", error.public);
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_large_data_segment_is_copied_only_when_touched() {
    let bench = Bench::new().await;
    let data = "x".repeat(32 << 20);
    let spec = Spec::text(&format!(
        r#"(module (memory (export "memory") 1024) (data (i32.const 0) "{data}") (func (export "_start")))"#
    ));
    let mut up = bench.start(spec).await;
    assert_eq!(up.event(b"{}").await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_precompiled_artefacts_are_never_loaded() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let (with, _) = bench.deploy(Spec::new(bytes));
    bench.prepare(&with).await.unwrap();
    let made = walk(&bench.dir.path().join("wasm"));
    assert_eq!(made.len(), 1);
    // What our own compiler made, from a stranger's hand.
    let (code, _) = refused(Spec::new(std::fs::read(&made[0]).unwrap())).await;
    assert_eq!(code, "wasm_precompiled");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&made[0]).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o444);
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_an_artefact_of_another_engine_is_compiled_again() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let (with, lines) = bench.deploy(Spec::new(bytes));
    bench.prepare(&with).await.unwrap();
    let made = walk(&bench.dir.path().join("wasm"));
    std::fs::remove_file(&made[0]).unwrap();
    std::fs::write(&made[0], b"\x7fELF of another time").unwrap();
    let guest = bench.up(with.clone()).await.unwrap();
    let mut up = Up { base: bench.base.clone(), guest, lines, with };
    lives(&mut up).await;
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn i_invalid_bytes_are_refused_in_words() {
    let (code, _) = refused(Spec::new(b"#!/bin/sh\n".to_vec())).await;
    assert_eq!(code, "wasm_invalid");
    let (code, _) = refused(Spec::new(b"\0asm\x01\0\0\0garbage".to_vec())).await;
    assert_eq!(code, "wasm_compile_failed");
    let (code, _) = refused(Spec::new(Vec::new())).await;
    assert_eq!(code, "wasm_invalid");
    let mut spec = command("");
    spec.handler = "../app.wasm";
    let (code, _) = refused(Spec { file: "other", ..spec }).await;
    assert_eq!(code, "wasm_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn i_an_import_that_is_not_there_is_named() {
    let (code, text) = refused(Spec::text(
        r#"(module (import "host" "launch" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    ))
    .await;
    assert_eq!(code, "wasm_link_failed");
    assert!(text.contains("`host::launch`"), "{text}");
    let (code, text) = refused(Spec::text(r#"(module (memory (export "memory") 1))"#)).await;
    assert_eq!((code.as_str(), text.contains("_start")), ("wasm_link_failed", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn i_traps_and_missing_answers_end_one_call() {
    let Some((_bench, mut up)) = http().await else { return };
    assert_eq!(up.get("/panic").await.failure().0, "Wasm.Trap");
    let (kind, text) = up.get("/silent").await.failure();
    assert_eq!((kind.as_str(), text.contains("without an answer")), ("Wasm.NoAnswer", true));
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_handles_run_out_in_the_guest() {
    let Some((_bench, mut up)) = http().await else { return };
    assert_eq!(up.get("/handles?1000").await.text(), "1000");
    assert_eq!(up.get("/handles?1000000").await.failure().0, "Wasm.Trap");
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_forty_thousand_fields_are_refused_to_the_guest() {
    let Some((_bench, mut up)) = http().await else { return };
    let got = up.get("/fields?40000").await;
    match &got.result {
        Ok(text) => assert!(text.starts_with(b"refused after"), "{got:?}"),
        Err(failure) => assert_eq!(failure.error_type, "Wasm.Trap"),
    }
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_flood_of_log_is_cut_with_a_marker() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut spec = Spec::new(bytes);
    spec.limits.log_bytes_per_s = 100 << 10;
    let mut up = bench.start(spec).await;
    assert_eq!(up.get("/flood?5000").await.text(), "flooded");
    let lines = up.log();
    let kept = lines.iter().filter(|line| line.starts_with("xxx")).count();
    assert_eq!(kept, 100);
    assert_eq!(lines.iter().filter(|line| line.contains("log was dropped")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_an_answer_that_is_too_large_is_cut_off() {
    let Some((_bench, mut up)) = http().await else { return };
    assert_eq!(up.get("/big?6000000").await.text().len(), 6_000_000);
    let (kind, _) = up.get("/big?7000000").await.failure();
    assert_eq!(kind, "Function.ResponseSizeTooLarge");
    lives(&mut up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_there_are_no_files_to_escape_from() {
    let Some((_bench, mut up)) = http().await else { return };
    assert_eq!(up.get("/files").await.text(), "[] false");
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_each_call_has_its_own_randomness() {
    let Some((_bench, mut up)) = http().await else { return };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        seen.insert(up.get("/random").await.text());
    }
    assert_eq!(seen.len(), 20);
}
