//! Cases for `Records`.

use anyfn_base::TaskKind;
use anyfn_core::ports::{Change, Expect, Record};
use anyfn_types::Kind;
use bytes::Bytes;

use super::Ports;

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub async fn compare_and_set(ports: Ports) {
    let records = &ports.records;
    assert_eq!(records.get("k").await.unwrap(), None);
    let first = records.put("k", text("1"), Expect::Absent).await.unwrap();
    let refused = records.put("k", text("2"), Expect::Absent).await.unwrap_err();
    assert_eq!((refused.kind, refused.code), (Kind::Precondition, "record_changed"));
    let second = records.put("k", text("2"), Expect::Revision(first)).await.unwrap();
    assert!(second > first);
    assert_eq!(
        records.put("k", text("3"), Expect::Revision(first)).await.unwrap_err().code,
        "record_changed"
    );
    let third = records.put("other", text("x"), Expect::Any).await.unwrap();
    assert!(third > second, "revisions are the store's, not the key's");
    let held = Record { key: "k".into(), value: text("2"), revision: second };
    assert_eq!(records.get("k").await.unwrap(), Some(held));
}

pub async fn refuses_what_is_no_key(ports: Ports) {
    for key in ["", "a\0b", &"x".repeat(1025)] {
        assert_eq!(ports.records.put(key, text("v"), Expect::Any).await.unwrap_err().kind, Kind::Invalid);
    }
    ports.records.put(&"x".repeat(1024), text("v"), Expect::Any).await.unwrap();
    let most = Bytes::from(vec![0; 8 << 20]);
    ports.records.put("most", most.clone(), Expect::Any).await.unwrap();
    assert_eq!(ports.records.get("most").await.unwrap().unwrap().value, most);
    let more = Bytes::from(vec![0; (8 << 20) + 1]);
    assert_eq!(ports.records.put("more", more, Expect::Any).await.unwrap_err().kind, Kind::TooLarge);
    for limit in [0, 10_001] {
        assert_eq!(ports.records.scan("", None, limit).await.unwrap_err().kind, Kind::Invalid);
    }
}

pub async fn scan_goes_in_key_order(ports: Ports) {
    for key in ["b/2", "a/9", "b/1", "b/10", "b", "c", "b/ü"] {
        ports.records.put(key, text(key), Expect::Any).await.unwrap();
    }
    let scan = async |prefix: &str, after: Option<&str>, limit: usize| {
        let found = ports.records.scan(prefix, after, limit).await.unwrap();
        assert!(found.iter().all(|record| record.value == record.key));
        found.into_iter().map(|record| record.key).collect::<Vec<_>>()
    };
    assert_eq!(scan("b/", None, 100).await, ["b/1", "b/10", "b/2", "b/ü"]);
    assert_eq!(scan("b/", None, 2).await, ["b/1", "b/10"]);
    assert_eq!(scan("b/", Some("b/10"), 100).await, ["b/2", "b/ü"]);
    assert_eq!(scan("b/", Some("a"), 1).await, ["b/1"], "`after` may lie before the prefix");
    assert_eq!(scan("", None, 100).await.len(), 7);
    assert_eq!(scan("nothing", None, 100).await, [""; 0]);
}

pub async fn deletes_are_changes(ports: Ports) {
    let records = &ports.records;
    records.delete("k", Expect::Any).await.unwrap();
    let put = records.put("k", text("1"), Expect::Any).await.unwrap();
    assert_eq!(records.delete("k", Expect::Absent).await.unwrap_err().code, "record_changed");
    assert_eq!(records.delete("k", Expect::Revision(put + 1)).await.unwrap_err().code, "record_changed");
    let deleted = records.delete("k", Expect::Revision(put)).await.unwrap();
    assert!(deleted > put);
    assert_eq!(records.get("k").await.unwrap(), None);
    assert_eq!(records.put("k", text("2"), Expect::Revision(put)).await.unwrap_err().code, "record_changed");
    assert!(records.put("k", text("2"), Expect::Absent).await.unwrap() > deleted);
}

/// Sixteen callers add one to the same counter until each did so ten times.
pub async fn h16_counters_lose_no_increment(ports: Ports) {
    let mut callers = Vec::new();
    for _ in 0..16 {
        let records = ports.records.clone();
        callers.push(ports.base.tasks.spawn(TaskKind::Request, "caller", async move {
            let mut done = 0;
            while done < 10 {
                let held = records.get("n").await.unwrap();
                let number: u64 =
                    held.as_ref().map_or(0, |r| std::str::from_utf8(&r.value).unwrap().parse().unwrap());
                let expect = held.map_or(Expect::Absent, |record| Expect::Revision(record.revision));
                match records.put("n", (number + 1).to_string().into(), expect).await {
                    Ok(_) => done += 1,
                    Err(error) => assert_eq!(error.code, "record_changed"),
                }
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(ports.records.get("n").await.unwrap().unwrap().value, "160");
}

pub async fn watch_tells_every_change_in_order(ports: Ports) {
    let records = &ports.records;
    let from = records.put("start", text(""), Expect::Any).await.unwrap();
    let mut watch = records.watch("w/", from).await.unwrap();
    let mut expected = Vec::new();
    for i in 0..50 {
        records.put("other", text("x"), Expect::Any).await.unwrap();
        let key = format!("w/{}", i % 3);
        let change = if i % 7 == 6 {
            let revision = records.delete(&key, Expect::Any).await.unwrap();
            Change::Deleted { key, revision }
        } else {
            let value = text(&i.to_string());
            let revision = records.put(&key, value.clone(), Expect::Any).await.unwrap();
            Change::Put(Record { key, value, revision })
        };
        expected.push(change);
    }
    for change in expected {
        assert_eq!(watch.recv().await, Some(change));
    }
}

pub async fn watch_starts_after_its_revision(ports: Ports) {
    let records = &ports.records;
    let mut revisions = Vec::new();
    for i in 0..5 {
        revisions.push(records.put("k", text(&i.to_string()), Expect::Any).await.unwrap());
    }
    let mut watch = records.watch("", revisions[2]).await.unwrap();
    for (i, revision) in revisions.into_iter().enumerate().skip(3) {
        let record = Record { key: "k".into(), value: text(&i.to_string()), revision };
        assert_eq!(watch.recv().await, Some(Change::Put(record)));
    }
    assert!(watch.try_recv().is_err());
}

/// As after a restore from a backup.
pub async fn a_watcher_from_the_future_lists_again(ports: Ports) {
    let now = ports.records.put("k", text("v"), Expect::Any).await.unwrap();
    let mut watch = ports.records.watch("", now + 1000).await.unwrap();
    assert_eq!(watch.recv().await, Some(Change::Relist { revision: now }));
    let next = ports.records.delete("k", Expect::Any).await.unwrap();
    assert_eq!(watch.recv().await, Some(Change::Deleted { key: "k".into(), revision: next }));
}
