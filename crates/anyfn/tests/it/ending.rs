//! Ends that are asked for.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::{
    http,
    world::{Leftovers, Server, root, shared, until},
};

const SLOW: &str = "import time\ndef handler(event, context):\n  print('begun', flush=True)\n  time.sleep(event)\n  return 'done'\n";

fn busy(server: &Server, name: &str) {
    let target = format!("/_anyfn/v1/functions/{name}");
    until("the call runs", || (server.ask("GET", &target, b"").json()["busy"] == 1).then_some(()));
}

/// `/readyz` says no at once and while a running call is still let finish; then the server ends well.
#[test]
fn h10_a_signal_drains_and_ends_well() {
    let _machine = shared();
    if !root("h10_a_signal_drains_and_ends_well") {
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::fresh(&[]);
        server.deploy("slow", SLOW);
        let address = server.address;
        let (answer, refused) = std::thread::scope(|scope| {
            let call = scope.spawn(|| server.returned("slow", &json!(2)));
            busy(&server, "slow");
            assert_eq!(server.ask("GET", "/readyz", b"").status, 200);
            server.signal(signal);
            let ready = until("readyz says no", || {
                let answer = http::send(address, "GET", "/readyz", &[], b"").ok()?;
                (answer.status != 200).then_some(answer)
            });
            assert_eq!((ready.status, ready.text().as_str()), (503, "draining\n"));
            assert!(!call.is_finished(), "it said so while the call ran");
            let refused = server.invoke("slow", &json!(0));
            (call.join().unwrap(), refused)
        });
        assert_eq!(answer, "done");
        assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("draining")));
        assert_eq!(server.wait().code(), Some(0), "{}", server.said());
        assert!(http::connect(address).is_err(), "nobody listens any more");
        Leftovers::gone(&server.data, &Default::default());
    }
}

/// What was accepted for later is not lost by an end that was asked for.
#[test]
fn h10_events_that_wait_are_run_after_the_restart() {
    let _machine = shared();
    if !root("h10_events_that_wait_are_run_after_the_restart") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::on(folder.path(), &[]);
    server.deploy("later", "def handler(event, context):\n  print('ran', event['n'], flush=True)\n");
    for n in 0..40 {
        let accepted = server.ask(
            "POST",
            "/_anyfn/v1/functions/later/invoke?mode=queue",
            json!({ "n": n }).to_string().as_bytes(),
        );
        assert_eq!(accepted.status, 202);
    }
    let family = server.family();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{}", server.said());
    Leftovers::gone(&server.data, &family);
    let server = Server::on(folder.path(), &[]);
    until("every event has run", || {
        let lines = server.lines("later");
        (0..40).all(|n| lines.iter().any(|line| line.trim_end() == format!("ran {n}"))).then_some(())
    });
}

#[test]
fn h10_a_second_signal_ends_at_once() {
    let _machine = shared();
    if !root("h10_a_second_signal_ends_at_once") {
        return;
    }
    let mut server = Server::fresh(&[]);
    server.deploy_with("endless", SLOW, &json!({ "timeout_ms": 300_000 }));
    std::thread::scope(|scope| {
        // The server goes away under it.
        scope.spawn(|| server.send("POST", "/_anyfn/v1/functions/endless/invoke", b"250"));
        busy(&server, "endless");
        server.signal(Signal::INT);
        until("the drain is announced", || {
            fs::read_to_string(&server.log).unwrap().contains("draining").then_some(())
        });
        server.signal(Signal::INT);
        // Only this end closes the connection that the thread reads from.
    });
    let family = server.family();
    assert_eq!(server.wait().code(), Some(1), "{}", server.said());
    Leftovers::gone(&server.data, &family);
}
