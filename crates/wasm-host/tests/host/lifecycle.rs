//! Host processes and handles come and go.

use std::{os::unix::fs::MetadataExt as _, time::Duration};

use anyfn_core::ports::{GuestEvent, InvokeError};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, Spec, Up, get, guest};

#[tokio::test(flavor = "multi_thread")]
async fn state_never_survives_a_call() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    for _ in 0..20 {
        assert_eq!(up.get("/count").await.text(), "1");
    }
}

/// Host processes of the bench with this many calls, oldest first, with the users that they have outside.
pub(crate) fn hosts(calls: u32) -> Vec<(i32, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.starts_with(b"/proc/self/fd/3") && line.ends_with(format!("\0{calls}\0").as_bytes()) {
            found.push((pid, entry.metadata().unwrap().uid()));
        }
    }
    found.sort_unstable();
    found
}

async fn lives(up: &mut Up) {
    assert_eq!(up.get("/hello").await.text(), "Hello, world!\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn i_two_tenants_never_share_a_process_and_a_killed_one_fails_only_its_own_calls() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::with(|options| options.calls = 777).await;
    let mut mine = bench.start(Spec::new(bytes.clone())).await;
    let mut second = bench.start(Spec::new(bytes.clone())).await;
    assert_eq!(hosts(777).len(), 1, "two functions of one tenant share their process");
    let mut other = Spec::new(bytes);
    other.namespace = "999999999999.eu-west-1";
    let mut theirs = bench.start(other).await;
    let both = hosts(777);
    assert_eq!(both.len(), 2);
    assert_ne!(both[0].1, both[1].1, "two tenants' processes have the same user");
    for up in [&mut mine, &mut second, &mut theirs] {
        lives(up).await;
    }
    let call = mine.invocation(Some(get("/sleep?20000")), b"");
    let kill = async {
        bench.base.clock.sleep(Duration::from_millis(50)).await;
        lives(&mut theirs).await;
        kill_process(Pid::from_raw(both[0].0).unwrap(), Signal::KILL).unwrap();
    };
    let (ended, ()) = tokio::join!(mine.guest.invoke(&call, None), kill);
    let Err(InvokeError::Died(died)) = ended else { panic!("{ended:?}") };
    assert_eq!(died.failure.error_type, "Sandbox.Failure");
    assert!(String::from_utf8_lossy(&died.failure.payload).contains("ended by signal 9"), "{died:?}");
    assert!(matches!(second.guest.idle().await, GuestEvent::Gone));
    lives(&mut theirs).await;
    mine.guest = bench.up(mine.with.clone()).await.unwrap();
    lives(&mut mine).await;
    assert_eq!(hosts(777).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_goes_with_its_last_handle() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::with(|options| options.calls = 778).await;
    let first = bench.start(Spec::new(bytes.clone())).await;
    let second = bench.start(Spec::new(bytes)).await;
    first.guest.retire("test").await;
    assert_eq!(hosts(778).len(), 1);
    second.guest.retire("test").await;
    for _ in 0..500 {
        if hosts(778).is_empty() {
            return;
        }
        bench.base.clock.sleep(Duration::from_millis(10)).await;
    }
    panic!("the host process is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_on_one_host_each_get_their_own_answer() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let (with, lines) = bench.deploy(Spec::new(bytes));
    let mut ups = Vec::new();
    for _ in 0..64 {
        let guest = bench.up(with.clone()).await.unwrap();
        ups.push(Up { base: bench.base.clone(), guest, lines: lines.clone(), with: with.clone() });
    }
    let calls = ups.iter_mut().enumerate().map(|(at, up)| async move {
        for round in 0..10 {
            let body = format!("{at}-{round}");
            let mut head = get("/echo");
            head.method = "POST".to_owned();
            let call = up.invocation(Some(head), body.as_bytes());
            let got = up.call(&call, Duration::from_secs(20)).await.unwrap();
            assert_eq!(got.text(), body);
        }
    });
    futures_util::future::join_all(calls).await;
}
