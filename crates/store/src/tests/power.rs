//! The power goes at a random operation of the disk, again and again; whatever was acknowledged must be there.
//! The seed is in the message of each assertion.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use anyfn_base::{Random, TaskKind};
use anyfn_core::ports::{Durability, Expect, Lease};
use bytes::Bytes;

use super::{base, message, open};
use crate::{Store, disk::faulty::FaultyDisk};

#[derive(Debug, Default)]
struct Known {
    /// Key to the last acknowledged and the last attempted value; a value divisible by 5 means deleted.
    records: BTreeMap<String, (u64, u64)>,
    /// Acknowledged appends that nobody tried to ack.
    waiting: BTreeSet<u128>,
    done: BTreeSet<u128>,
    /// Acknowledged and attempted length of the log; acknowledged and attempted trim.
    log: (u64, u64),
    trim: (u64, u64),
    next_id: u128,
}

type Shared = Arc<Mutex<Known>>;

fn padded(n: u64, random: &Random) -> Bytes {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + usize::try_from(random.u64() % 900).unwrap(), 1);
    bytes.into()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// Each writer owns its key and stops at the first refusal, for then the power is off.
async fn write_records(store: Store, known: Shared, random: Random, key: String) {
    loop {
        let n = {
            let mut known = known.lock().unwrap();
            let entry = known.records.entry(key.clone()).or_default();
            entry.1 += 1;
            entry.1
        };
        let done = if n.is_multiple_of(5) {
            store.records().delete(&key, Expect::Any).await
        } else {
            store.records().put(&key, padded(n, &random), Expect::Any).await
        };
        if done.is_err() {
            return;
        }
        known.lock().unwrap().records.get_mut(&key).unwrap().0 = n;
    }
}

async fn write_queue(store: Store, known: Shared, random: Random) {
    loop {
        let id = {
            let mut known = known.lock().unwrap();
            known.next_id += 1;
            known.next_id
        };
        if store.queue().append("q", vec![message(id, &"x".repeat(300))]).await.is_err() {
            return;
        }
        known.lock().unwrap().waiting.insert(id);
        if random.u64().is_multiple_of(3) {
            continue;
        }
        let Ok(leased) = store.queue().lease("q", 1, Lease(60_000)).await else { return };
        for leased in leased {
            known.lock().unwrap().waiting.remove(&leased.id.0);
            if store.queue().ack("q", leased.id, leased.token).await.is_err() {
                return;
            }
            known.lock().unwrap().done.insert(leased.id.0);
        }
    }
}

async fn write_log(store: Store, known: Shared, random: Random) {
    loop {
        let from = known.lock().unwrap().log.0;
        let count = random.u64() % 3 + 1;
        known.lock().unwrap().log.1 = from + count;
        let entries = (from..from + count).map(|n| padded(n, &random)).collect();
        match store.log().append("l", entries, Durability::Synced).await {
            Ok(first) => assert_eq!(first, from),
            Err(_) => return,
        }
        known.lock().unwrap().log.0 = from + count;
        if random.u64().is_multiple_of(4) {
            let before = (from + count).saturating_sub(3);
            known.lock().unwrap().trim.1 = before;
            if store.log().trim("l", before).await.is_err() {
                return;
            }
            known.lock().unwrap().trim.0 = before;
        }
    }
}

/// What is found must be what was acknowledged, or a later attempt; it becomes what is known.
async fn compare(store: &Store, mut known: Known, after: &Shared, seed: u64) {
    for (key, (acked, tried)) in &mut known.records {
        let found = store.records().get(key).await.unwrap().map(|record| number(&record.value));
        let fits = |n: u64| found == (!n.is_multiple_of(5) && n > 0).then_some(n);
        let n = (*acked..=*tried).rev().find(|n| fits(*n));
        assert!(n.is_some(), "seed {seed}: {key} is {found:?}, not {acked}..={tried}");
        (*acked, *tried) = (n.unwrap(), n.unwrap());
    }
    let mut found = BTreeSet::new();
    for leased in store.queue().lease("q", 1000, Lease(1)).await.unwrap() {
        assert_eq!(leased.body.len(), 300);
        assert!(found.insert(leased.id.0), "seed {seed}: twice");
    }
    assert!(known.waiting.is_subset(&found), "seed {seed}: {:?} are lost", &known.waiting - &found);
    assert!(known.done.is_disjoint(&found), "seed {seed}: acked and back");
    known.waiting = found;
    let (first, next) = store.log().bounds("l").await.unwrap();
    let whole = next == known.log.0 || next == known.log.1;
    assert!(whole, "seed {seed}: the log ends at {next}, not at one of {:?}", known.log);
    assert!((known.trim.0..=known.trim.1).contains(&first), "seed {seed}: the log begins at {first}");
    let entries = store.log().read("l", first, 1000, 1 << 20).await.unwrap();
    let seqs: Vec<u64> = entries.iter().map(|entry| number(&entry.bytes)).collect();
    assert_eq!(seqs, (first..next).collect::<Vec<_>>(), "seed {seed}");
    (known.log, known.trim) = ((next, next), (first, first));
    *after.lock().unwrap() = known;
}

async fn run(seed: u64) {
    let random = Random::seeded(seed);
    let known = Shared::default();
    let mut disk = FaultyDisk::default();
    for life in 0..4 {
        let Ok(store) = open(&disk).await else { panic!("seed {seed}: life {life} does not start") };
        let before = std::mem::take(&mut *known.lock().unwrap());
        compare(&store, before, &known, seed).await;
        disk.power_off_after(random.u64() % 160 + 3);
        let tasks = base().tasks;
        let mut running = Vec::new();
        for i in 0..4 {
            let work = write_records(store.clone(), known.clone(), random.clone(), format!("k{i}"));
            running.push(tasks.spawn(TaskKind::Request, "records", work));
        }
        running.push(tasks.spawn(
            TaskKind::Request,
            "queue",
            write_queue(store.clone(), known.clone(), random.clone()),
        ));
        running.push(tasks.spawn(
            TaskKind::Request,
            "log",
            write_log(store.clone(), known.clone(), random.clone()),
        ));
        for task in running {
            task.await.unwrap();
        }
        disk = if random.u64().is_multiple_of(4) { disk.after_kill() } else { disk.after_power_cut(&random) };
    }
    let store = open(&disk).await.unwrap();
    let before = std::mem::take(&mut *known.lock().unwrap());
    compare(&store, before, &known, seed).await;
}

#[tokio::test(start_paused = true)]
async fn h1_nothing_acknowledged_is_lost_whenever_the_power_goes() {
    for seed in 0..60 {
        run(seed).await;
    }
}
