//! Laws: records against a model, and readers of bytes against any bytes.

use std::collections::BTreeMap;

use anyfn_core::ports::Expect;
use bytes::Bytes;
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::open;
use crate::{
    disk::{Disk as _, faulty::FaultyDisk},
    frame::{Place, SegmentHead},
    op,
    scan::Scanner,
};

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8, Wanted),
    Delete(u8, Wanted),
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Any,
    Absent,
    Current,
    Stale,
}

fn step() -> impl Strategy<Value = Step> {
    let wanted = || {
        prop_oneof![
            proptest::prelude::Just(Wanted::Any),
            proptest::prelude::Just(Wanted::Absent),
            proptest::prelude::Just(Wanted::Current),
            proptest::prelude::Just(Wanted::Stale)
        ]
    };
    prop_oneof![
        8 => (0..5_u8, any::<u8>(), wanted()).prop_map(|(k, v, w)| Step::Put(k, v, w)),
        4 => (0..5_u8, wanted()).prop_map(|(k, w)| Step::Delete(k, w)),
        1 => proptest::prelude::Just(Step::Restart),
    ]
}

type Model = BTreeMap<String, (u64, u8)>;

/// Runs the steps against the store and a map; says where they first differ.
async fn follow(steps: Vec<Step>) -> Result<(), String> {
    let disk = FaultyDisk::default();
    let mut store = open(&disk).await.map_err(|e| e.to_string())?;
    let (mut model, mut last) = (Model::new(), 0);
    for step in steps {
        let (key, value, wanted) = match step {
            Step::Restart => {
                store.close().await;
                store = open(&disk).await.map_err(|e| e.to_string())?;
                continue;
            }
            Step::Put(k, v, wanted) => (format!("k{k}"), Some(v), wanted),
            Step::Delete(k, wanted) => (format!("k{k}"), None, wanted),
        };
        let current = model.get(&key).map(|(revision, _)| *revision);
        let (expect, holds) = match wanted {
            Wanted::Any => (Expect::Any, true),
            Wanted::Absent => (Expect::Absent, current.is_none()),
            Wanted::Current => (Expect::Revision(current.unwrap_or(u64::MAX)), current.is_some()),
            Wanted::Stale => (Expect::Revision(current.unwrap_or(9) - 1), false),
        };
        let done = match value {
            Some(v) => store.records().put(&key, Bytes::from(vec![v; 100]), expect).await,
            None => store.records().delete(&key, expect).await,
        };
        match done {
            Ok(revision) => {
                let changes = value.is_some() || current.is_some();
                if !holds || (changes && revision <= last) {
                    return Err(format!("{key}: {revision} after {last}, expected to hold: {holds}"));
                }
                last = last.max(revision);
                match value {
                    Some(v) => drop(model.insert(key, (revision, v))),
                    None => drop(model.remove(&key)),
                }
            }
            Err(error) if holds || error.code != "record_changed" => return Err(error.to_string()),
            Err(_) => {}
        }
        let found = store.records().scan("", None, 100).await.map_err(|e| e.to_string())?;
        let found: Model = found.into_iter().map(|r| (r.key, (r.revision, r.value[0]))).collect();
        if found != model {
            return Err(format!("{found:?} is not {model:?}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn h16_records_follow_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        prop_assert_eq!(runtime.block_on(follow(steps)), Ok(()));
    }

    #[test]
    fn the_scanner_stays_calm_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let disk = FaultyDisk::default();
        let file = disk.create("/x".as_ref()).unwrap();
        file.write_at(&bytes, 0).unwrap();
        let mut scanner = Scanner::new(&*file, Place { store: 1, segment: 1 }, 0);
        prop_assert_eq!(scanner.next().unwrap(), None);
        prop_assert_eq!(scanner.proves_loss(0).unwrap(), false);
        prop_assert_eq!(SegmentHead::decode(&bytes), None);
    }

    #[test]
    fn what_a_payload_is_read_as_writes_the_same_payload(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1..15_u8) {
        let mut payload = vec![kind];
        payload.extend(bytes);
        if let Some(op) = op::decode(&payload) {
            let mut again = Vec::new();
            op.encode(&mut again);
            prop_assert_eq!(again, payload);
        }
    }
}
