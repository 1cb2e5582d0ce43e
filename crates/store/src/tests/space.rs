//! Space is given back, and nothing alive goes with it.

use anyfn_core::ports::{Change, Durability, Expect, Lease};
use bytes::Bytes;

use super::{message, open};
use crate::disk::faulty::FaultyDisk;

/// Bytes in segment files, once the writer has nothing left to do.
async fn log_bytes(store: &crate::Store, disk: &FaultyDisk) -> usize {
    store.close().await;
    let segments = disk.files().into_iter().filter(|(path, _)| path.starts_with("/data/log"));
    segments.map(|(_, len)| len).sum()
}

#[tokio::test]
async fn overwritten_records_give_their_space_back_and_cold_ones_stay() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let records = store.records();
    let cold = records.put("cold", Bytes::from(vec![3; 500]), Expect::Any).await.unwrap();
    records.put("gone", Bytes::from(vec![3; 500]), Expect::Any).await.unwrap();
    records.delete("gone", Expect::Any).await.unwrap();
    for i in 0..400_u32 {
        records.put("hot", Bytes::from(vec![i.to_le_bytes()[0]; 500]), Expect::Any).await.unwrap();
    }
    let used = log_bytes(&store, &disk).await;
    assert!(used < 10 * 4096, "{used} bytes for three records");
    let store = open(&disk.after_kill()).await.unwrap();
    let found = store.records().scan("", None, 10).await.unwrap();
    assert_eq!(found.iter().map(|r| r.key.as_str()).collect::<Vec<_>>(), ["cold", "hot"]);
    assert_eq!((found[0].revision, &found[0].value[..]), (cold, &[3; 500][..]));
    assert_eq!(&found[1].value[..], &[143; 500][..]);
    let next = store.records().put("x", Bytes::new(), Expect::Any).await.unwrap();
    assert!(next > found[1].revision, "revisions must ascend across restarts");
}

#[tokio::test]
async fn acked_messages_and_trimmed_logs_give_their_space_back() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let (queue, log) = (store.queue(), store.log());
    queue.append("q", vec![message(u128::MAX, "poison")]).await.unwrap();
    let first = queue.lease("q", 1, Lease(60_000)).await.unwrap();
    queue.bury("q", first[0].id, first[0].token, "why").await.unwrap();
    queue.append("other", vec![message(7, "waits")]).await.unwrap();
    let waits = queue.lease("other", 1, Lease(60_000)).await.unwrap();
    queue.release("other", waits[0].id, waits[0].token, 2_000_000).await.unwrap();
    log.append("quiet", vec![Bytes::from_static(b"a"); 3], Durability::Synced).await.unwrap();
    log.trim("quiet", 3).await.unwrap();
    for i in 0..300_u32 {
        queue.append("q", vec![message(u128::from(i), &"x".repeat(400))]).await.unwrap();
        let leased = queue.lease("q", 1, Lease(60_000)).await.unwrap();
        queue.ack("q", leased[0].id, leased[0].token).await.unwrap();
        log.append("l", vec![Bytes::from(vec![1; 400])], Durability::Soon).await.unwrap();
        log.trim("l", u64::from(i)).await.unwrap();
    }
    let used = log_bytes(&store, &disk).await;
    assert!(used < 10 * 4096, "{used} bytes for three messages and an entry");
    let store = open(&disk.after_kill()).await.unwrap();
    assert_eq!(store.log().bounds("quiet").await.unwrap(), (3, 3), "bounds outlive their segment");
    assert_eq!(store.log().bounds("l").await.unwrap(), (299, 300));
    assert_eq!(store.queue().depth("q").await.unwrap().dead, 1);
    assert_eq!(store.queue().depth("other").await.unwrap().delayed, 1, "the due time outlives its segment");
    assert_eq!(store.queue().redrive("q").await.unwrap(), 1);
    let again = store.queue().lease("q", 9, Lease(1000)).await.unwrap();
    assert_eq!((again.len(), &again[0].body[..], again[0].attempt), (1, &b"poison"[..], 1));
}

#[tokio::test]
async fn h17_a_watcher_behind_what_is_kept_lists_again_and_misses_no_delete() {
    let store = open(&FaultyDisk::default()).await.unwrap();
    let records = store.records();
    records.put("w/gone", Bytes::new(), Expect::Any).await.unwrap();
    let from = records.put("w/stays", Bytes::new(), Expect::Any).await.unwrap();
    let mut slow = records.watch("w/", from).await.unwrap();
    records.delete("w/gone", Expect::Any).await.unwrap();
    // More than the history keeps (4 MiB), so the delete falls off its end.
    for i in 0..60_u8 {
        records.put(&format!("other/{i}"), Bytes::from(vec![i; 100_000]), Expect::Any).await.unwrap();
    }
    let mut late = records.watch("w/", from).await.unwrap();
    let Some(Change::Relist { revision }) = late.recv().await else { panic!("no relist") };
    let keys: Vec<String> = records.scan("w/", None, 10).await.unwrap().into_iter().map(|r| r.key).collect();
    assert_eq!(keys, ["w/stays"]);
    let last = records.delete("w/stays", Expect::Any).await.unwrap();
    assert!(last > revision);
    assert_eq!(late.recv().await, Some(Change::Deleted { key: "w/stays".into(), revision: last }));
    // The one that was there in time was told, or told to list again.
    match slow.recv().await.unwrap() {
        Change::Deleted { key, .. } => assert_eq!(key, "w/gone"),
        other => assert!(matches!(other, Change::Relist { .. }), "{other:?}"),
    }
}

#[tokio::test]
async fn h17_after_a_restart_a_watcher_lists_again() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let from = store.records().put("k", Bytes::new(), Expect::Any).await.unwrap();
    store.records().delete("k", Expect::Any).await.unwrap();
    store.close().await;
    let store = open(&disk).await.unwrap();
    let mut watch = store.records().watch("", from).await.unwrap();
    assert!(matches!(watch.recv().await, Some(Change::Relist { revision }) if revision > from));
}
