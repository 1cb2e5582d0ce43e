use super::*;
use crate::{Options, Store};

async fn open(dir: &Path) -> (Store, Sealed) {
    let base = Base::system();
    let store = Store::open(base.clone(), dir.join("store"), Options::default()).await.unwrap();
    let sealed = Sealed::open(base, store.records(), &dir.join("seal.key")).unwrap();
    (store, sealed)
}

#[tokio::test]
async fn f6_a_value_comes_back_and_its_bytes_are_nowhere_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, sealed) = open(dir.path()).await;
    let revision = sealed.put("fn/a", Bytes::from_static(b"canary-7f3a"), Expect::Absent).await.unwrap();
    sealed.put("fn/a", Bytes::from_static(b"canary-again"), Expect::Revision(revision)).await.unwrap();
    assert_eq!(sealed.get("fn/a").await.unwrap().unwrap().value, "canary-again");
    assert_eq!(sealed.scan("fn/", None, 10).await.unwrap().len(), 1);
    store.close().await;
    drop((store, sealed));
    let mut looked_at = 0;
    for entry in fs::read_dir(dir.path().join("store/log")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        looked_at += bytes.len();
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    assert!(looked_at > 0);
    let mode = fs::metadata(dir.path().join("seal.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (_store, sealed) = open(dir.path()).await;
    assert_eq!(sealed.get("fn/a").await.unwrap().unwrap().value, "canary-again");
}

#[tokio::test]
async fn another_key_or_another_records_value_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, sealed) = open(dir.path()).await;
    sealed.put("fn/a", Bytes::from_static(b"secret"), Expect::Any).await.unwrap();
    let moved = store.records().get("fn/a").await.unwrap().unwrap().value;
    store.records().put("fn/b", moved, Expect::Any).await.unwrap();
    assert_eq!(sealed.get("fn/b").await.unwrap_err().code, "record_unseal");
    store.records().put("fn/c", Bytes::from_static(b"short"), Expect::Any).await.unwrap();
    assert_eq!(sealed.get("fn/c").await.unwrap_err().code, "record_unseal");
    fs::write(dir.path().join("seal.key"), [9; KEY_BYTES]).unwrap();
    let other = Sealed::open(Base::system(), store.records(), &dir.path().join("seal.key")).unwrap();
    assert_eq!(other.get("fn/a").await.unwrap_err().code, "record_unseal");
    fs::write(dir.path().join("seal.key"), b"half").unwrap();
    let half = Sealed::open(Base::system(), store.records(), &dir.path().join("seal.key"));
    assert_eq!(half.unwrap_err().code, "seal_key_failed");
}

#[tokio::test]
async fn a_watcher_sees_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let (_store, sealed) = open(dir.path()).await;
    let mut changes = sealed.watch("fn/", 0).await.unwrap();
    sealed.put("fn/a", Bytes::from_static(b"one"), Expect::Any).await.unwrap();
    sealed.delete("fn/a", Expect::Any).await.unwrap();
    assert!(matches!(changes.recv().await, Some(Change::Put(record)) if record.value == "one"));
    assert!(matches!(changes.recv().await, Some(Change::Deleted { key, .. }) if key == "fn/a"));
}
