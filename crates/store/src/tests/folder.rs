//! Whose folder it is.

use anyfn_base::Base;
use anyfn_types::Kind;

use super::{base, open};
use crate::{Options, Store, disk::faulty::FaultyDisk};

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let first = Store::open(Base::system(), path.clone(), Options::default()).await.unwrap();
    let error = Store::open(Base::system(), path.clone(), Options::default()).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Conflict, "storage_locked"));
    assert!(error.public.contains("--data"), "{error}");
    first.close().await;
    Store::open(Base::system(), path, Options::default()).await.unwrap().close().await;
}

#[tokio::test]
async fn h18_a_later_format_is_refused_in_words() {
    let disk = FaultyDisk::default();
    open(&disk).await.unwrap().close().await;
    let later = "anyfn data folder\nformat 9\nstore 0000000000000001\n";
    let text = format!("{later}check {:08x}\n", crc32c::crc32c(later.as_bytes()));
    disk.edit("/data/VERSION".as_ref(), |bytes| *bytes = text.into_bytes());
    let error = open(&disk).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Unsupported, "storage_too_new"));
    assert!(error.public.contains("format 9") && error.public.contains("up to format 1"), "{error}");
}

#[tokio::test]
async fn somebody_elses_folder_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "x").unwrap();
    let error = Store::open(base(), dir.path().into(), Options::default()).await.unwrap_err();
    assert_eq!(error.code, "storage_foreign");
}

#[tokio::test]
async fn f14_a_segment_of_another_store_is_refused() {
    let (a, b) = (FaultyDisk::default(), FaultyDisk::default());
    open(&a).await.unwrap().close().await;
    let other = Base::simulated(0, 99);
    let options = Options::default();
    Store::open_on(other, std::sync::Arc::new(b.clone()), "/data".into(), options)
        .await
        .unwrap()
        .close()
        .await;
    let mut theirs = Vec::new();
    b.edit("/data/log/0000000001.seg".as_ref(), |bytes| theirs = bytes.clone());
    a.edit("/data/log/0000000001.seg".as_ref(), |bytes| *bytes = theirs);
    assert!(open(&a).await.unwrap_err().public.contains("another store"));
}

#[tokio::test]
async fn writes_after_close_are_refused_and_reads_go_on() {
    let store = open(&FaultyDisk::default()).await.unwrap();
    let records = store.records();
    records.put("k", "v".into(), anyfn_core::ports::Expect::Any).await.unwrap();
    store.close().await;
    store.close().await;
    let error = records.put("k", "w".into(), anyfn_core::ports::Expect::Any).await.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Unavailable, "storage_closed"));
    assert_eq!(&records.get("k").await.unwrap().unwrap().value[..], b"v");
}
