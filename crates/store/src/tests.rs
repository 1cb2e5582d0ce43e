//! The room as its callers see it.

use anyfn_base::Base;
use anyfn_core::ports::{Append, Durability, Expect, Lease};
use bytes::Bytes;

use crate::{Options, Store};

#[tokio::test]
async fn all_four_ports_keep_what_they_took() {
    let dir = tempfile::tempdir().unwrap();
    let base = Base::system();
    let store = Store::open(base.clone(), dir.path().into(), Options::default()).await.unwrap();
    let revision = store.records().put("a/1", Bytes::from_static(b"one"), Expect::Absent).await.unwrap();
    let id = base.random.message_id();
    store.queue().append("q", vec![Append { id, body: Bytes::from_static(b"m"), due: 0 }]).await.unwrap();
    let leased = store.queue().lease("q", 10, Lease(60_000)).await.unwrap();
    assert_eq!(leased[0].attempt, 1);
    store
        .log()
        .append("l", vec![Bytes::from_static(b"x"), Bytes::from_static(b"y")], Durability::Soon)
        .await
        .unwrap();
    let digest = store.blobs().put(Bytes::from_static(b"blob")).await.unwrap();
    store.close().await;

    let store = Store::open(base, dir.path().into(), Options::default()).await.unwrap();
    let record = store.records().get("a/1").await.unwrap().unwrap();
    assert_eq!((record.revision, &record.value[..]), (revision, &b"one"[..]));
    let leased = store.queue().lease("q", 10, Lease(60_000)).await.unwrap();
    assert_eq!((leased.len(), leased[0].attempt, &leased[0].body[..]), (1, 2, &b"m"[..]));
    store.queue().ack("q", id, leased[0].token).await.unwrap();
    let entries = store.log().read("l", 0, 10, 1000).await.unwrap();
    assert_eq!(entries.iter().map(|e| e.bytes.to_vec()).collect::<Vec<_>>(), [b"x", b"y"]);
    assert_eq!(store.blobs().get(digest).await.unwrap().unwrap(), Bytes::from_static(b"blob"));
    store.close().await;
}
