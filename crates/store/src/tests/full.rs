//! A disk that is full, and one whose syncs fail.

use anyfn_core::ports::{Durability, Expect, Lease};
use anyfn_types::Kind;
use bytes::Bytes;
use rustix::io::Errno;

use super::{message, open};
use crate::disk::faulty::FaultyDisk;

#[tokio::test]
async fn h3_a_full_disk_refuses_writes_serves_reads_and_heals() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let (records, queue) = (store.records(), store.queue());
    queue.append("q", vec![message(1, "m")]).await.unwrap();
    disk.set_room(Some(disk.used()));
    let mut stored = 0;
    let refused = loop {
        match records.put(&format!("k/{stored:03}"), Bytes::from(vec![1; 400]), Expect::Any).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused.kind, refused.code), (Kind::Unavailable, "storage_full"));
    assert!(stored >= 5, "{stored}");
    assert_eq!(store.blobs().put(Bytes::from(vec![1; 9000])).await.unwrap_err().code, "storage_full");
    assert_eq!(records.scan("k/", None, 1000).await.unwrap().len(), stored);
    assert_eq!(records.get(&format!("k/{stored:03}")).await.unwrap(), None);
    disk.set_room(None);
    records.put(&format!("k/{stored:03}"), Bytes::from(vec![1; 400]), Expect::Absent).await.unwrap();
    let leased = queue.lease("q", 1, Lease(1000)).await.unwrap();
    queue.ack("q", leased[0].id, leased[0].token).await.unwrap();
    let again = open(&disk.after_kill()).await.unwrap();
    assert_eq!(again.records().scan("k/", None, 1000).await.unwrap().len(), stored + 1);
}

#[tokio::test]
async fn h3_the_store_opens_and_reads_on_a_full_disk() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    store.records().put("k", Bytes::from_static(b"v"), Expect::Any).await.unwrap();
    store.close().await;
    let full = disk.after_kill();
    full.set_room(Some(full.used()));
    let store = open(&full).await.unwrap();
    assert!(store.records().get("k").await.unwrap().is_some());
    assert_eq!(store.records().put("k", Bytes::new(), Expect::Any).await.unwrap_err().code, "storage_full");
    full.set_room(None);
    store.records().put("k", Bytes::new(), Expect::Any).await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_takes_back_what_it_refused_and_keeps_what_it_promised() {
    for bad in 1..4 {
        let disk = FaultyDisk::default();
        let store = open(&disk).await.unwrap();
        let old = store.records().put("k", Bytes::from_static(b"old"), Expect::Any).await.unwrap();
        store.log().append("l", vec![Bytes::from_static(b"soon")], Durability::Soon).await.unwrap();
        disk.fail_syncs(bad, Errno::IO);
        let error = store.records().put("k", Bytes::from_static(b"lost"), Expect::Any).await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Unavailable, "storage_failed"));
        assert_eq!(store.log().append("m", vec![], Durability::Soon).await.is_ok(), bad < 3);
        assert_eq!(&store.records().get("k").await.unwrap().unwrap().value[..], b"old");
        assert_eq!(store.log().bounds("l").await.unwrap(), (0, 1));
        store.records().put("other", Bytes::from_static(b"new"), Expect::Absent).await.unwrap();
        store.records().put("k", Bytes::from_static(b"next"), Expect::Revision(old)).await.unwrap();
        let again = open(&disk.after_power_cut(&anyfn_base::Random::seeded(1))).await.unwrap();
        assert_eq!(&again.records().get("k").await.unwrap().unwrap().value[..], b"next");
        assert_eq!(&again.log().read("l", 0, 1, 1).await.unwrap()[0].bytes[..], b"soon");
        assert!(again.records().get("other").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn h3_on_a_full_disk_deletes_and_acks_go_through_and_make_room() {
    free_itself(|stored| (stored - 10, stored - 30)).await;
}

#[tokio::test]
async fn h3_on_a_full_disk_garbage_is_not_let_lie() {
    free_itself(|stored| (stored / 3, 12)).await;
}

/// `plan` says of how many records are stored how many are deleted, and how many must then fit again.
async fn free_itself(plan: fn(usize) -> (usize, usize)) {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let (records, queue, log) = (store.records(), store.queue(), store.log());
    queue.append("q", (0..20).map(|i| message(i, "m")).collect()).await.unwrap();
    let leased = queue.lease("q", 20, Lease(60_000)).await.unwrap();
    log.append("l", vec![Bytes::from(vec![1; 200]); 5], Durability::Synced).await.unwrap();
    disk.set_room(Some(disk.used() + 40_000));
    let value = || Bytes::from(vec![1; 400]);
    let mut stored = 0;
    while records.put(&format!("k/{stored:03}"), value(), Expect::Any).await.is_ok() {
        stored += 1;
    }
    assert!(stored > 60, "{stored}");
    for leased in leased {
        queue.ack("q", leased.id, leased.token).await.unwrap();
    }
    log.trim("l", 5).await.unwrap();
    let (deleted, fit) = plan(stored);
    for i in 0..deleted {
        records.delete(&format!("k/{:03}", i * (stored / deleted)), Expect::Any).await.unwrap();
    }
    for i in 0..fit {
        let mut tries = 0;
        while let Err(error) = records.put(&format!("new/{i:03}"), value(), Expect::Any).await {
            assert_eq!(error.code, "storage_full");
            tries += 1;
            assert!(tries < 100, "the store does not heal at {i} of {stored}");
            records.delete("nothing", Expect::Any).await.unwrap();
        }
    }
    let again = open(&disk.after_kill()).await.unwrap();
    assert_eq!(again.records().scan("k/", None, 1000).await.unwrap().len(), stored - deleted);
    assert_eq!(again.records().scan("new/", None, 1000).await.unwrap().len(), fit);
    assert_eq!(again.queue().depth("q").await.unwrap(), anyfn_core::ports::Depth::default());
}
