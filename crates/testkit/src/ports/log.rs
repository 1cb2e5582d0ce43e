//! Cases for `Log`.

use anyfn_base::TaskKind;
use anyfn_core::ports::Durability::{Soon, Synced};
use anyfn_types::Kind;
use bytes::Bytes;

use super::Ports;

fn entries(range: std::ops::Range<u64>) -> Vec<Bytes> {
    range.map(|n| n.to_string().into()).collect()
}

async fn read(ports: &Ports, log: &str, from: u64, max: usize, max_bytes: usize) -> Vec<u64> {
    let read = ports.log.read(log, from, max, max_bytes).await.unwrap();
    assert!(read.iter().all(|entry| log != "l" || entry.bytes == entry.seq.to_string()));
    read.into_iter().map(|entry| entry.seq).collect()
}

pub async fn sequences_are_dense(ports: Ports) {
    assert_eq!(ports.log.bounds("l").await.unwrap(), (0, 0));
    assert_eq!(ports.log.append("l", entries(0..3), Synced).await.unwrap(), 0);
    assert_eq!(ports.log.append("l", entries(3..4), Soon).await.unwrap(), 3);
    assert_eq!(ports.log.append("l", vec![], Synced).await.unwrap(), 4);
    assert_eq!(ports.log.append("l", entries(4..6), Synced).await.unwrap(), 4);
    assert_eq!(ports.log.bounds("l").await.unwrap(), (0, 6));
    assert_eq!(read(&ports, "l", 0, 100, 1000).await, [0, 1, 2, 3, 4, 5]);
}

pub async fn reads_are_bounded(ports: Ports) {
    let big = (0..5).map(|_| Bytes::from(vec![1; 1000])).collect();
    ports.log.append("big", big, Synced).await.unwrap();
    assert_eq!(read(&ports, "big", 1, 2, 100_000).await, [1, 2]);
    assert_eq!(read(&ports, "big", 0, 100, 2500).await.len(), 3, "the one that passes the bound is the last");
    assert_eq!(read(&ports, "big", 0, 100, 0).await, [0], "one at least, or a reader stands still");
    assert_eq!(read(&ports, "big", 5, 100, 1000).await, [0_u64; 0]);
    assert_eq!(read(&ports, "none", 0, 100, 1000).await, [0_u64; 0]);
}

pub async fn trim_forgets_the_front(ports: Ports) {
    ports.log.append("l", entries(0..10), Synced).await.unwrap();
    ports.log.trim("l", 4).await.unwrap();
    ports.log.trim("l", 2).await.unwrap();
    assert_eq!(ports.log.bounds("l").await.unwrap(), (4, 10));
    assert_eq!(read(&ports, "l", 0, 2, 1000).await, [4, 5]);
    assert_eq!(ports.log.trim("l", 11).await.unwrap_err().kind, Kind::Invalid);
    ports.log.trim("l", 10).await.unwrap();
    assert_eq!(ports.log.bounds("l").await.unwrap(), (10, 10));
    assert_eq!(ports.log.append("l", entries(10..11), Synced).await.unwrap(), 10);
    assert_eq!(ports.log.logs("").await.unwrap(), ["l"]);
}

pub async fn remove_starts_over(ports: Ports) {
    ports.log.append("l", entries(0..10), Synced).await.unwrap();
    ports.log.remove("l").await.unwrap();
    ports.log.remove("l").await.unwrap();
    assert_eq!(ports.log.bounds("l").await.unwrap(), (0, 0));
    assert_eq!(ports.log.logs("").await.unwrap(), [""; 0]);
    assert_eq!(ports.log.append("l", entries(0..2), Synced).await.unwrap(), 0);
    assert_eq!(read(&ports, "l", 0, 10, 1000).await, [0, 1]);
}

pub async fn reached_wakes(ports: Ports) {
    let log = ports.log.clone();
    let waiter =
        ports.base.tasks.spawn(TaskKind::Request, "waiter", async move { log.reached("l", 3).await });
    ports.log.append("l", entries(0..3), Synced).await.unwrap();
    ports.base.clock.sleep(std::time::Duration::from_secs(100)).await;
    assert!(!waiter.is_finished());
    ports.log.append("l", entries(3..4), Soon).await.unwrap();
    waiter.await.unwrap();
    ports.log.reached("l", 0).await;
}

/// Eight writers with blocks of three: no block is torn, none is lost.
pub async fn appends_at_once_interleave_whole(ports: Ports) {
    let mut writers = Vec::new();
    for writer in 0..8_u8 {
        let log = ports.log.clone();
        writers.push(ports.base.tasks.spawn(TaskKind::Request, "writer", async move {
            for block in 0..10_u8 {
                let entries = (0..3).map(|i| Bytes::from(vec![writer, block, i])).collect();
                log.append("blocks", entries, if block % 2 == 0 { Synced } else { Soon }).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = ports.log.read("blocks", 0, 1000, 1 << 20).await.unwrap();
    assert_eq!(all.len(), 240);
    let mut next = [0; 8];
    for block in all.chunks(3) {
        let writer = usize::from(block[0].bytes[0]);
        for (i, entry) in (0..).zip(block) {
            assert_eq!(&entry.bytes[..], [block[0].bytes[0], next[writer], i]);
        }
        next[writer] += 1;
    }
    assert_eq!(next, [10; 8]);
}

pub async fn logs_are_apart_and_named(ports: Ports) {
    for name in ["x/2", "x/1", "y"] {
        ports.log.append(name, entries(0..1), Synced).await.unwrap();
    }
    ports.log.append("x/1", entries(1..2), Synced).await.unwrap();
    assert_eq!(ports.log.logs("x/").await.unwrap(), ["x/1", "x/2"]);
    assert_eq!(ports.log.bounds("x/2").await.unwrap(), (0, 1));
    assert_eq!(ports.log.bounds("").await.unwrap_err().kind, Kind::Invalid);
}
