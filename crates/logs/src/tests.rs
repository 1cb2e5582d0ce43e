//! The room over ports in memory, with time standing still.

mod fakes;
mod following;
mod keeping;
mod listing;
mod reading;
mod sinking;

use std::sync::Arc;

use anyfn_base::Base;
use anyfn_core::ports::{LogLine, LogSink as _, LogTarget};
use anyfn_types::{Millis, Namespace};

use crate::{Event, FilterEvents, GetEvents, Logs, Options, PutEvent};
use fakes::{MemLog, MemRecords};

/// 2026-11-21T00:00:00Z
const START: Millis = 1_795_219_200_000;
const DAY: Millis = 86_400_000;
const GROUP: &str = "/aws/lambda/hello";

struct House {
    base: Base,
    records: Arc<MemRecords>,
    log: Arc<MemLog>,
    logs: Logs,
    ns: Namespace,
}

impl House {
    fn new(options: Options) -> Self {
        let base = Base::simulated(START, 7);
        let (records, log) = (Arc::new(MemRecords::default()), Arc::new(MemLog::default()));
        let logs = Logs::open(base.clone(), records.clone(), log.clone(), options);
        Self { base, records, log, logs, ns: Namespace::new("000000000000.us-east-1").unwrap() }
    }

    fn plain() -> Self {
        Self::new(Options::default())
    }

    /// The same disk under a new process: what was only in memory is gone.
    fn crash(self, options: Options) -> Self {
        self.base.tasks.stop();
        let mut base = Base::simulated(self.base.clock.wall(), 8);
        base.clock = self.base.clock.clone();
        let logs = Logs::open(base.clone(), self.records.clone(), self.log.clone(), options);
        Self { base, logs, ..self }
    }

    fn print(&self, stream: &str, texts: &[&str]) {
        self.print_in(GROUP, stream, texts);
    }

    fn print_in(&self, group: &str, stream: &str, texts: &[&str]) {
        let target = LogTarget { namespace: self.ns.clone(), group: group.into(), stream: stream.into() };
        let at = self.base.clock.wall();
        let line = |text: &&str| LogLine { at, text: text.as_bytes().to_vec().into() };
        self.logs.write(&target, texts.iter().map(line).collect());
    }

    async fn wait(&self, ms: Millis) {
        tokio::time::advance(std::time::Duration::from_millis(ms)).await;
    }

    async fn all(&self, stream: &str) -> Vec<String> {
        let request = GetEvents { from_head: true, limit: 10_000, ..GetEvents::default() };
        texts(&self.logs.get_events(&self.ns, GROUP, stream, &request).await.unwrap().events)
    }

    async fn find(&self, request: FilterEvents) -> Vec<String> {
        let request = FilterEvents { limit: 10_000, ..request };
        texts(&self.logs.filter_events(&self.ns, GROUP, &request).await.unwrap().events)
    }

    async fn made(&self, streams: &[&str]) {
        self.logs.create_group(&self.ns, GROUP, Default::default()).await.unwrap();
        for stream in streams {
            self.logs.create_stream(&self.ns, GROUP, stream).await.unwrap();
        }
    }

    async fn put(&self, stream: &str, events: &[(Millis, &str)]) -> crate::PutResult {
        let event = |(at, text): &(Millis, &str)| PutEvent { at: *at, text: text.as_bytes().to_vec().into() };
        let events = events.iter().map(event).collect();
        self.logs.put_events(&self.ns, GROUP, stream, events).await.unwrap()
    }
}

fn texts(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| String::from_utf8(event.text.to_vec()).unwrap()).collect()
}
