//! Over a log in memory; the store's own suite covers the port.

use std::sync::Mutex as StdMutex;

use super::*;
use async_trait::async_trait;

#[derive(Default)]
struct Memory(StdMutex<HashMap<String, (u64, Vec<Bytes>)>>);

#[async_trait]
impl Log for Memory {
    async fn append(&self, log: &str, entries: Vec<Bytes>, _: Durability) -> Result<u64, Error> {
        let mut all = self.0.lock().unwrap();
        let (first, kept) = all.entry(log.to_owned()).or_default();
        let seq = *first + kept.len() as u64;
        kept.extend(entries);
        Ok(seq)
    }
    async fn read(&self, log: &str, from: u64, max: usize, _: usize) -> Result<Vec<LogEntry>, Error> {
        let all = self.0.lock().unwrap();
        let Some((first, kept)) = all.get(log) else { return Ok(vec![]) };
        let entries = kept.iter().zip(*first..).filter(|(_, seq)| *seq >= from).take(max);
        Ok(entries.map(|(bytes, seq)| LogEntry { seq, bytes: bytes.clone() }).collect())
    }
    async fn bounds(&self, log: &str) -> Result<(u64, u64), Error> {
        let all = self.0.lock().unwrap();
        Ok(all.get(log).map_or((0, 0), |(first, kept)| (*first, *first + kept.len() as u64)))
    }
    async fn trim(&self, log: &str, before: u64) -> Result<(), Error> {
        let mut all = self.0.lock().unwrap();
        let (first, kept) = all.entry(log.to_owned()).or_default();
        kept.drain(..usize::try_from(before.saturating_sub(*first)).unwrap());
        *first = before.max(*first);
        Ok(())
    }
    async fn remove(&self, log: &str) -> Result<(), Error> {
        self.0.lock().unwrap().remove(log);
        Ok(())
    }
    async fn reached(&self, _: &str, _: u64) {}
    async fn logs(&self, _: &str) -> Result<Vec<String>, Error> {
        Ok(vec![])
    }
}

fn open(log: &Arc<Memory>, keep: u64) -> (Base, Journal) {
    let base = Base::simulated(0, 1);
    let journal = Journal::start(&base, log.clone(), "j", keep);
    (base, journal)
}

fn body(n: u128) -> Bytes {
    n.to_string().into()
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_read_from_the_moment_it_was_handed_over() {
    let log = Arc::new(Memory::default());
    let namespace = Namespace::new("n").unwrap();
    let (_base, journal) = open(&log, 1000);
    journal.write(&namespace, 1, body(1));
    assert_eq!(journal.recent(&namespace, 1), Some(body(1)));
    assert_eq!(journal.get(&namespace, 1).await.unwrap(), Some(body(1)));
    journal.flush().await;
    assert_eq!(journal.recent(&namespace, 1), None, "nothing stays in memory");
    assert_eq!(journal.get(&namespace, 1).await.unwrap(), Some(body(1)));
    journal.write_durably(&namespace, 2, body(2)).await;
    assert_eq!(log.bounds("j/n").await.unwrap(), (0, 2));
    assert_eq!(journal.get(&namespace, 2).await.unwrap(), Some(body(2)));
    assert_eq!(journal.get(&namespace, 3).await.unwrap(), None);
    assert_eq!(journal.get(&Namespace::new("other").unwrap(), 1).await.unwrap(), None);
    // Another server finds what this one wrote.
    let (_base, again) = open(&log, 1000);
    assert_eq!(again.get(&namespace, 1).await.unwrap(), Some(body(1)));
}

#[tokio::test(start_paused = true)]
async fn the_newest_come_first_and_the_oldest_go() {
    let log = Arc::new(Memory::default());
    let namespace = Namespace::new("n").unwrap();
    let (_base, journal) = open(&log, 500);
    assert_eq!(journal.get(&namespace, 0).await.unwrap(), None);
    for id in 0..1200 {
        journal.write(&namespace, id, body(id));
        if id % 50 == 0 {
            journal.flush().await;
        }
    }
    let first = journal.before(&namespace, None).await.unwrap();
    assert_eq!((first.len(), first[0].id, first[199].id), (200, 1199, 1000));
    let second = journal.before(&namespace, Some(first[199].seq)).await.unwrap();
    assert_eq!((second[0].id, &second[0].body), (999, &body(999)));
    assert_eq!(journal.get(&namespace, 0).await.unwrap(), None, "trimmed");
    assert_eq!(journal.get(&namespace, 1199).await.unwrap(), Some(body(1199)));
    let kept = log.bounds("j/n").await.unwrap();
    assert!((500..600).contains(&(kept.1 - kept.0)), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_dropped_and_nobody_waits_for_it() {
    let log = Arc::new(Memory::default());
    let namespace = Namespace::new("n").unwrap();
    let (base, journal) = open(&log, 500);
    journal.write_durably(&namespace, 1, vec![0; ENTRY_BYTES + 1].into()).await;
    assert_eq!(journal.get(&namespace, 1).await.unwrap(), None);
    assert!(base.metrics.text().contains("anyfn_journal_entries_dropped_total{journal=\"j\"} 1"));
}
