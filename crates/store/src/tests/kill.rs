//! A real process on a real disk, killed again and again.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ports::{Expect, Lease};
use bytes::Bytes;

use super::message;
use crate::{Options, Store};

const DIR: &str = "ANYFN_STORE_KILL_DIR";
const OPTIONS: Options = Options { segment_bytes: 64 << 10 };
const ROUNDS: u64 = 30;

/// What the child does: appends with many in flight and says which were acknowledged.
#[tokio::test]
#[ignore = "started by the test below"]
async fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let base = Base::system();
    let store = Store::open(base.clone(), dir.into(), OPTIONS).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..16 {
        let (store, random) = (store.clone(), base.random.clone());
        writers.push(base.tasks.spawn(TaskKind::Request, "writer", async move {
            loop {
                let id = random.message_id().0;
                store.queue().append("q", vec![message(id, "m")]).await.unwrap();
                writeln!(std::io::stdout().lock(), "\nQ {id}").unwrap();
                store
                    .records()
                    .put(&format!("{id}"), Bytes::from(vec![1; 200]), Expect::Absent)
                    .await
                    .unwrap();
                writeln!(std::io::stdout().lock(), "\nR {id}").unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// One life of the child; gives what it said before it was killed.
fn live_and_die(dir: &std::path::Path, lines: u64) -> (BTreeSet<u128>, BTreeSet<u128>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::kill::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut queued, mut recorded, mut said) = (BTreeSet::new(), BTreeSet::new(), 0);
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        let Some((kind, id)) = line.split_once(' ').filter(|(kind, _)| ["Q", "R"].contains(kind)) else {
            continue;
        };
        // The last line may be cut short by the kill; a whole id has many digits, and a wrong one would not be found.
        let Ok(id) = id.parse() else { continue };
        if kind == "Q" {
            queued.insert(id)
        } else {
            recorded.insert(id)
        };
        said += 1;
        if said == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said >= lines, "the child ended by itself after {said} lines");
    (queued, recorded)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_thirty_kills_lose_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut queued, mut recorded) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        let path = dir.path().to_path_buf();
        let life = tokio::task::spawn_blocking(move || live_and_die(&path, 40 + round * 7 % 100));
        let (q, r) = life.await.unwrap();
        queued.extend(q);
        recorded.extend(r);
    }
    assert!(queued.len() > 600, "{}", queued.len());
    let store = Store::open(Base::system(), dir.path().into(), OPTIONS).await.unwrap();
    let mut held = BTreeSet::new();
    loop {
        let leased = store.queue().lease("q", 1000, Lease(600_000)).await.unwrap();
        if leased.is_empty() {
            break;
        }
        held.extend(leased.iter().map(|leased| leased.id.0));
    }
    let lost: Vec<_> = queued.difference(&held).collect();
    assert!(lost.is_empty(), "{} messages are lost", lost.len());
    for id in &recorded {
        assert!(store.records().get(&id.to_string()).await.unwrap().is_some(), "record {id} is lost");
    }
    store.close().await;
}
