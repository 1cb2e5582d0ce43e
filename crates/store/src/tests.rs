//! The room as its callers see it.

mod damage;
mod folder;
mod full;
mod kill;
mod laws;
mod power;
mod space;

use std::{path::PathBuf, sync::Arc};

use anyfn_base::Base;
use anyfn_core::ports::{Append, Durability, Expect, Lease};
use anyfn_types::Error;
use bytes::Bytes;

use crate::{Options, Store, disk::faulty::FaultyDisk};

const SMALL: Options = Options { segment_bytes: 4096 };

fn base() -> Base {
    Base::simulated(1_000_000, 7)
}

async fn open(disk: &FaultyDisk) -> Result<Store, Error> {
    Store::open_on(base(), Arc::new(disk.clone()), PathBuf::from("/data"), SMALL).await
}

fn message(id: u128, body: &str) -> Append {
    Append { id: anyfn_types::MessageId(id), body: Bytes::copy_from_slice(body.as_bytes()), due: 0 }
}

async fn suite() -> anyfn_testkit::ports::Ports {
    let base = base();
    let disk = FaultyDisk::default();
    let store = Store::open_on(base.clone(), Arc::new(disk), "/data".into(), SMALL).await.unwrap();
    let (records, queue, log, blobs) = (store.records(), store.queue(), store.log(), store.blobs());
    anyfn_testkit::ports::Ports { base, records, queue, log, blobs, guard: Box::new(store) }
}

anyfn_testkit::port_tests!(crate::tests::suite);

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
    let entries = vec![Bytes::from_static(b"x"), Bytes::from_static(b"y")];
    store.log().append("l", entries.clone(), Durability::Soon).await.unwrap();
    let digest = store.blobs().put(Bytes::from_static(b"blob")).await.unwrap();
    store.close().await;

    let store = Store::open(base, dir.path().into(), Options::default()).await.unwrap();
    let record = store.records().get("a/1").await.unwrap().unwrap();
    assert_eq!((record.revision, &record.value[..]), (revision, &b"one"[..]));
    let leased = store.queue().lease("q", 10, Lease(60_000)).await.unwrap();
    assert_eq!((leased.len(), leased[0].attempt, &leased[0].body[..]), (1, 2, &b"m"[..]));
    store.queue().ack("q", id, leased[0].token).await.unwrap();
    let read = store.log().read("l", 0, 10, 1000).await.unwrap();
    assert_eq!(read.into_iter().map(|e| e.bytes).collect::<Vec<_>>(), entries);
    assert_eq!(store.blobs().get(digest).await.unwrap().unwrap(), Bytes::from_static(b"blob"));
    store.close().await;
}
