//! Events that clients put, checked as CloudWatch Logs documents it for `PutLogEvents`.

use anyfn_core::ports::Durability;
use anyfn_types::{Millis, Namespace, Result};
use bytes::Bytes;

use crate::{
    entry::OVERHEAD,
    error::Fault,
    group::{AHEAD_MS, Batch},
    logs::Logs,
};

const DAY_MS: Millis = 86_400_000;
/// Events of one put.
const EVENTS: usize = 10_000;
/// Texts of one put, each with 26 bytes of overhead.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutEvent {
    pub at: Millis,
    /// UTF-8, not empty.
    pub text: Bytes,
}

/// What became of a put. Indices count from 0; events outside of them are on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutResult {
    /// Events before this index are older than 14 days.
    pub too_old_end: Option<usize>,
    /// Events before this index are older than the group keeps them.
    pub expired_end: Option<usize>,
    /// Events from this index on lie more than two hours ahead.
    pub too_new_start: Option<usize>,
    /// For the next put; nothing depends on it.
    pub next_token: String,
}

impl Logs {
    /// The stream must exist. When it returns, what was taken is on disk. `log_events_invalid` and
    /// `log_events_too_large` refuse the whole batch.
    pub async fn put_events(
        &self,
        namespace: &Namespace,
        group: &str,
        stream: &str,
        events: Vec<PutEvent>,
    ) -> Result<PutResult> {
        check_batch(&events, self.0.options.event_bytes)?;
        let now = self.0.base.clock.wall();
        let mut held = self.group(namespace, group, None).await?;
        if held.stream(&self.0, stream).await?.is_none() {
            return Err(Fault::NoStream.into());
        }
        let (taken, mut result) = split(&events, now, held.record.horizon(now));
        let kept = events[taken].iter().map(|event| (event.at, event.text.clone())).collect();
        let batch = Batch { stream: stream.to_owned(), events: kept };
        let heads = held.append(&self.0, &[&batch], Durability::Synced).await?;
        result.next_token = format!("{:056}", held.next);
        drop(held);
        self.0.followers.publish(namespace, group, &[&batch], &heads);
        Ok(result)
    }
}

fn check_batch(events: &[PutEvent], event_bytes: usize) -> Result<(), Fault> {
    if events.is_empty() || events.len() > EVENTS {
        return Err(Fault::Events("a batch has 1 to 10,000 events"));
    }
    let empty_or_binary =
        |event: &PutEvent| event.text.is_empty() || std::str::from_utf8(&event.text).is_err();
    if events.iter().any(empty_or_binary) {
        return Err(Fault::Events("an event's text is empty or is no UTF-8"));
    }
    if !events.is_sorted_by_key(|event| event.at) {
        return Err(Fault::Events("the events of a batch must ascend with time"));
    }
    if events[events.len() - 1].at - events[0].at > DAY_MS {
        return Err(Fault::Events("the events of a batch must lie within 24 hours"));
    }
    if events.iter().any(|event| event.text.len() + OVERHEAD > event_bytes) {
        return Err(Fault::EventsTooLarge("an event is over the limit of one event"));
    }
    if events.iter().map(|event| event.text.len() + OVERHEAD).sum::<usize>() > BATCH_BYTES {
        return Err(Fault::EventsTooLarge("over 1,048,576 bytes with 26 for each event"));
    }
    Ok(())
}

/// Which events are taken, and what to say about the others. The events ascend with time.
fn split(events: &[PutEvent], now: Millis, horizon: Millis) -> (std::ops::Range<usize>, PutResult) {
    let before = |limit: Millis| events.partition_point(|event| event.at < limit);
    let (old, expired) = (before(now.saturating_sub(14 * DAY_MS)), before(horizon));
    let new = before(now + AHEAD_MS + 1);
    let start = old.max(expired);
    let result = PutResult {
        too_old_end: (old > 0).then_some(old),
        expired_end: (expired > 0).then_some(expired),
        too_new_start: (new < events.len()).then_some(new),
        next_token: String::new(),
    };
    (start..new.max(start), result)
}
