//! Bytes that are not what was written.

use anyfn_core::ports::{Durability, Expect, Lease};
use anyfn_types::Kind;
use bytes::Bytes;

use super::{message, open};
use crate::{Store, disk::faulty::FaultyDisk};

/// Something of everything, over more than one segment.
async fn fill(store: &Store) {
    for i in 0..6 {
        let value = Bytes::from(vec![i; 300]);
        store.records().put(&format!("k/{i}"), value, Expect::Any).await.unwrap();
    }
    store.records().delete("k/0", Expect::Any).await.unwrap();
    store.queue().append("q", (0..4).map(|i| message(i, "body")).collect()).await.unwrap();
    let leased = store.queue().lease("q", 1, Lease(60_000)).await.unwrap();
    store.queue().ack("q", leased[0].id, leased[0].token).await.unwrap();
    for i in 0..5_u8 {
        store.log().append("l", vec![Bytes::from(vec![i; 500])], Durability::Synced).await.unwrap();
    }
    store.log().trim("l", 2).await.unwrap();
}

/// Every answer is either right or an error; gives how many were errors.
async fn check(store: &Store) -> usize {
    let mut errors = 0;
    for i in 0..6_u8 {
        match store.records().get(&format!("k/{i}")).await {
            Ok(None) => assert_eq!(i, 0, "a record is gone"),
            Ok(Some(record)) => assert_eq!((i > 0, &record.value[..]), (true, &[i; 300][..])),
            Err(_) => errors += 1,
        }
    }
    assert_eq!(store.queue().depth("q").await.unwrap().ready, 3);
    assert_eq!(store.log().bounds("l").await.unwrap(), (2, 5));
    for seq in 2..5_u8 {
        match store.log().read("l", u64::from(seq), 1, 1).await {
            Ok(entries) => assert_eq!(&entries[0].bytes[..], &[seq; 500][..]),
            Err(_) => errors += 1,
        }
    }
    errors
}

async fn filled(clean: bool) -> FaultyDisk {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    fill(&store).await;
    assert_eq!(check(&store).await, 0);
    if clean {
        store.close().await;
    }
    disk.after_kill()
}

/// Flips one bit of every byte of every file; the store must refuse, or serve only what is right.
async fn flip_all(disk: &FaultyDisk) -> (usize, usize) {
    let (mut refused, mut served) = (0, 0);
    for (path, len) in disk.files() {
        for at in 0..len {
            let flipped = disk.after_kill();
            flipped.edit(&path, |bytes| bytes[at] ^= 1 << (at % 8));
            match open(&flipped).await {
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.code, "storage_damaged", "{path:?} at {at}: {error:?}");
                    assert!(error.public.contains("restore"), "{error:?}");
                }
                Ok(store) => {
                    served += 1;
                    assert_eq!(check(&store).await, 0, "{path:?} at {at}");
                }
            }
        }
    }
    (refused, served)
}

#[tokio::test]
async fn h4_a_bit_flip_anywhere_is_refused_or_harmless_after_a_clean_end() {
    let (refused, served) = flip_all(&filled(true).await).await;
    assert!(refused > 5000, "{refused} refused, {served} served");
}

#[tokio::test]
async fn h4_a_bit_flip_anywhere_is_refused_or_harmless_after_a_kill() {
    let (refused, served) = flip_all(&filled(false).await).await;
    assert!(refused > 5000 && served > 500, "{refused} refused, {served} served");
}

#[tokio::test]
async fn h4_a_bit_flip_under_a_running_store_is_never_served() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    fill(&store).await;
    let (path, _) = disk.files().into_iter().find(|(path, _)| path.ends_with("0000000001.seg")).unwrap();
    disk.edit(&path, |bytes| bytes.iter_mut().skip(48).for_each(|byte| *byte ^= 1));
    assert!(check(&store).await > 0);
    let error = store.records().get("k/1").await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Internal, "storage_damaged"));
    assert!(error.public.contains("log/0000000001.seg") && error.public.contains("at byte"), "{error}");
}

#[tokio::test]
async fn a_torn_last_write_is_cut_off_wherever_it_tears() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    store.records().put("k", Bytes::from_static(b"kept"), Expect::Any).await.unwrap();
    let before = disk.after_kill();
    store.records().put("k", Bytes::from(vec![9; 700]), Expect::Any).await.unwrap();
    let after = disk.after_kill();
    let (segment, _) = after.files().into_iter().find(|(path, _)| path.ends_with("0000000001.seg")).unwrap();
    let (mut whole, mut old) = (Vec::new(), Vec::new());
    after.edit(&segment, |bytes| whole = bytes.clone());
    before.edit(&segment, |bytes| old = bytes.clone());
    let changed: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != old[*at]).collect();
    assert!(changed.len() > 700);
    for cut in changed[0]..*changed.last().unwrap() {
        let torn = before.after_kill();
        torn.edit(&segment, |bytes| bytes[..cut].copy_from_slice(&whole[..cut]));
        let store = open(&torn).await.unwrap();
        let record = store.records().get("k").await.unwrap().unwrap();
        assert_eq!(&record.value[..], b"kept", "cut at {cut}");
        store
            .records()
            .put("k", Bytes::from_static(b"new"), Expect::Revision(record.revision))
            .await
            .unwrap();
        let store = open(&torn.after_kill()).await.unwrap();
        assert_eq!(&store.records().get("k").await.unwrap().unwrap().value[..], b"new", "cut at {cut}");
    }
}

#[tokio::test]
async fn entries_appended_together_are_kept_together_or_not_at_all() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let before = disk.after_kill();
    let entries = vec![Bytes::from(vec![8; 60]); 3];
    store.log().append("l", entries, Durability::Synced).await.unwrap();
    let after = disk.after_kill();
    let (segment, _) = after.files().into_iter().find(|(path, _)| path.ends_with("0000000001.seg")).unwrap();
    let mut whole = Vec::new();
    after.edit(&segment, |bytes| whole = bytes.clone());
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in 48..=last {
        let torn = before.after_kill();
        torn.edit(&segment, |bytes| bytes[..cut].copy_from_slice(&whole[..cut]));
        let store = open(&torn).await.unwrap();
        let kept = if cut == last { 3 } else { 0 };
        assert_eq!(store.log().bounds("l").await.unwrap(), (0, kept), "cut at {cut}");
    }
}

#[tokio::test]
async fn h4_a_missing_or_swapped_segment_is_named() {
    let disk = filled(true).await;
    let segments: Vec<_> = disk.files().into_iter().filter(|(path, _)| path.extension().is_some()).collect();
    assert!(segments.len() > 1, "{segments:?}");
    for (path, _) in &segments {
        let gone = disk.after_kill();
        crate::disk::Disk::remove(&gone, path).unwrap();
        let error = open(&gone).await.unwrap_err();
        assert_eq!(error.code, "storage_damaged", "{path:?}");
    }
    let swapped = disk.after_kill();
    let mut other = Vec::new();
    swapped.edit(&segments[0].0, |bytes| other = bytes.clone());
    swapped.edit(&segments[1].0, |bytes| *bytes = other);
    assert!(open(&swapped).await.unwrap_err().public.contains("another segment"));
}

#[tokio::test]
async fn h4_a_damaged_blob_is_refused_and_heals_when_it_is_put_again() {
    let disk = FaultyDisk::default();
    let store = open(&disk).await.unwrap();
    let bytes = Bytes::from(vec![5; 2000]);
    let digest = store.blobs().put(bytes.clone()).await.unwrap();
    let (path, _) = disk.files().into_iter().find(|(path, _)| path.starts_with("/data/blobs")).unwrap();
    disk.edit(&path, |bytes| bytes[1000] ^= 4);
    assert_eq!(store.blobs().get(digest).await.unwrap_err().code, "blob_damaged");
    assert_eq!(store.blobs().put(bytes.clone()).await.unwrap(), digest);
    assert_eq!(store.blobs().get(digest).await.unwrap(), Some(bytes));
}
