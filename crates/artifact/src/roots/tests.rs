use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyfn_base::Base;
use anyfn_core::ports::Artifacts as _;
use anyfn_types::{Blame, Digest, Kind, Limits};
use bytes::Bytes;

use crate::{
    Roots,
    fixtures::{CLEAN, House, MemoryBlobs, Raw, deflated_zeros, link, paths, stored, zip},
};

fn package(content: &[u8]) -> Bytes {
    zip(&[stored("app.py", content)]).into()
}

#[tokio::test]
async fn a_package_is_kept_and_its_root_is_ready() {
    let house = House::new();
    let zip = package(b"x = 1\n");
    let package = house.roots.ingest(zip.clone()).await.unwrap();
    assert_eq!((package.code.size, package.code.unpacked), (zip.len() as u64, 6));
    let root = house.roots.root(package.code.digest).await.unwrap();
    assert_eq!(fs::read(root.path.join("app.py")).unwrap(), b"x = 1\n");
    assert_eq!(fs::metadata(&root.path).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(house.blobs.gets.load(Ordering::SeqCst), 0, "it was unpacked when it came");
    assert_eq!(house.roots.package(package.code.digest).await.unwrap(), Some(zip));
    assert_eq!(house.outside_of_roots(), CLEAN);
}

#[tokio::test]
async fn a1_a_refused_package_leaves_nothing() {
    let house = House::new();
    for bad in [
        zip(&[stored("good", b"1"), stored("../../../../x", b"2")]),
        zip(&[stored("good", b"1"), Raw { crc: 1, ..stored("late", b"2") }]),
        zip(&[stored("good", b"1"), link("l", "../../x")]),
        b"no zip".to_vec(),
        Vec::new(),
    ] {
        let error = house.roots.ingest(bad.into()).await.unwrap_err();
        assert_eq!((error.kind, error.blame, error.code), (Kind::Invalid, Blame::Caller, "package_invalid"));
        let words = "Could not unzip uploaded file. Please check your file, then try to upload again.";
        assert!(error.public.starts_with(words), "{}", error.public);
        house.assert_clean();
    }
}

/// Peak resident memory of this process, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a3_zip_bomb_gives_the_disk_back_and_costs_little_memory() {
    let house = House::new();
    // Within the claimed limit, but its checksum is wrong: all of it is unpacked before it is refused.
    let deep = zip(&[Raw { crc: 7, ..deflated_zeros("x", 42 << 20) }]);
    assert!(deep.len() < 45_000);
    let before = peak();
    let error = house.roots.ingest(deep.into()).await.unwrap_err();
    assert_eq!(error.code, "package_invalid");
    assert!(peak() - before < 64 * 1024, "{} KiB more", peak() - before);
    house.assert_clean();
    let wide = (0..7).map(|i| deflated_zeros(&i.to_string(), 40 << 20)).collect::<Vec<_>>();
    let error = house.roots.ingest(zip(&wide).into()).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::TooLarge, "package_too_large"));
    assert_eq!(error.public, "Unzipped size must be smaller than 262144000 bytes");
    house.assert_clean();
}

#[tokio::test]
async fn a3_what_is_too_large_as_sent_is_not_looked_at() {
    let house = House::with(Limits { package_bytes: 100, ..Limits::default() }, 0);
    let error = house.roots.ingest(vec![0; 101].into()).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::TooLarge, "package_too_large"));
    house.assert_clean();
}

#[tokio::test]
async fn a7_a_truncated_package_makes_nothing_and_a_retry_succeeds() {
    let house = House::new();
    let whole = package(b"hello");
    house.roots.ingest(whole.slice(..whole.len() - 1)).await.unwrap_err();
    house.assert_clean();
    house.roots.ingest(whole.clone()).await.unwrap();
    house.roots.ingest(whole).await.unwrap();
    assert_eq!(house.roots.unpacked(), (1, 5));
}

#[tokio::test]
async fn a7_bytes_that_do_not_match_their_digest_are_never_unpacked() {
    let house = House::new();
    let digest = Digest([9; 32]);
    house.blobs.kept.lock().unwrap().insert(digest, package(b"other"));
    let error = house.roots.root(digest).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Internal, "package_corrupt"));
    assert_eq!(paths(house.outside.path()), CLEAN);
    let error = house.roots.root(Digest([8; 32])).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::NotFound, "package_not_found"));
}

#[tokio::test]
async fn a_store_that_fails_makes_no_root() {
    let house = House::new();
    house.blobs.broken.store(true, Ordering::SeqCst);
    house.roots.ingest(package(b"x")).await.unwrap_err();
    house.assert_clean();
    assert_eq!(house.roots.unpacked(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callers_unpack_once() {
    let house = House::new();
    let zip = package(b"hello");
    let digest = anyfn_core::ports::Blobs::put(&*house.blobs, zip).await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let roots = house.roots.clone();
            house.base.tasks.spawn(anyfn_base::TaskKind::Request, "test", async move {
                roots.root(digest).await.unwrap().path
            })
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    for call in calls {
        seen.insert(call.await.unwrap().unwrap());
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(house.blobs.gets.load(Ordering::SeqCst), 1);
    assert_eq!(house.roots.unpacked(), (1, 5));
}

#[tokio::test]
async fn what_nobody_holds_goes_when_the_budget_is_reached_and_comes_back() {
    let house = House::with(Limits::default(), 10);
    let one = house.roots.ingest(package(b"111111")).await.unwrap().code.digest;
    let held = house.roots.root(one).await.unwrap();
    let two = house.roots.ingest(package(b"222222")).await.unwrap().code.digest;
    house.roots.ingest(package(b"333333")).await.unwrap();
    assert!(held.path.join("app.py").exists());
    assert_eq!(house.roots.unpacked(), (2, 12));
    let again = house.roots.root(two).await.unwrap();
    assert_eq!(fs::read(again.path.join("app.py")).unwrap(), b"222222");
    assert_eq!(house.blobs.gets.load(Ordering::SeqCst), 1);
    assert!(house.base.tasks.drain(Duration::from_secs(60)).await.left.is_empty());
    assert_eq!(house.outside_of_roots(), CLEAN, "evicted folders are removed");
}

#[tokio::test]
async fn a_start_removes_what_an_earlier_run_left() {
    let dir = tempfile::tempdir().unwrap();
    let code = dir.path().join("code");
    for stale in ["staging/dead/x", "roots/package-1/app.py", "stale-1/y"] {
        let path = code.join(stale);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "old").unwrap();
    }
    let base = Base::simulated(0, 1);
    let roots =
        Roots::new(base.clone(), code.clone(), Arc::new(MemoryBlobs::default()), Limits::default()).unwrap();
    assert!(base.tasks.drain(Duration::from_secs(60)).await.left.is_empty());
    assert_eq!(paths(&code), ["roots", "staging"]);
    assert_eq!(roots.unpacked(), (0, 0));
}

#[tokio::test]
async fn layers_are_merged_in_order_and_once() {
    let house = House::new();
    let one = zip(&[stored("python/a", b"1"), stored("python/b", b"1")]);
    let two = zip(&[stored("python/b", b"2")]);
    let one = house.roots.ingest(one.into()).await.unwrap().code.digest;
    let two = house.roots.ingest(two.into()).await.unwrap().code.digest;
    let merged = house.roots.merged(&[one, two]).await.unwrap();
    let again = house.roots.merged(&[one, two]).await.unwrap();
    let reversed = house.roots.merged(&[two, one]).await.unwrap();
    assert_eq!(merged.path, again.path);
    assert_eq!(fs::read(merged.path.join("python/a")).unwrap(), b"1");
    assert_eq!(fs::read(merged.path.join("python/b")).unwrap(), b"2");
    assert_eq!(fs::read(reversed.path.join("python/b")).unwrap(), b"1");
    assert_eq!(house.roots.merged(&[one]).await.unwrap().path, house.roots.root(one).await.unwrap().path);
    assert_eq!(paths(&house.roots.merged(&[]).await.unwrap().path).len(), 0);
}

#[tokio::test]
async fn a_dropped_call_leaves_no_staging() {
    let house = House::new();
    let big = zip(&[deflated_zeros("x", 20 << 20)]);
    {
        let call = house.roots.ingest(big.into());
        let mut call = std::pin::pin!(call);
        let pending = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::future::Future::poll(call.as_mut(), cx).is_pending())
        })
        .await;
        assert!(pending);
    }
    // All workers being free again means that the orphan has ended.
    let all = house.roots.0.workers.acquire_many(4).await.unwrap();
    drop(all);
    assert_eq!(house.roots.unpacked(), (0, 0));
    house.assert_clean();
}
