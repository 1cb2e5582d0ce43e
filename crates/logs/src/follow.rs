//! Live tail: what is written from now on, to readers that may be slow.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyfn_types::{Namespace, Result};
use tokio::sync::mpsc;

use crate::{
    entry::{Event, Head},
    error::Fault,
    group::Batch,
    logs::Logs,
    pattern::Pattern,
    position::Position,
    search::Streams,
};

/// What to follow.
#[derive(Clone, Debug)]
pub struct FollowRequest {
    pub namespace: Namespace,
    /// Groups by name, at least one. They need not exist yet.
    pub groups: Vec<String>,
    pub streams: Streams,
    pub pattern: Pattern,
}

/// What was written at once to one group.
#[derive(Clone, Debug)]
pub struct Followed {
    pub group: Arc<str>,
    pub events: Vec<Event>,
    /// Events that this reader missed before these, because it was slow.
    pub missed: u64,
}

/// An open live tail; it ends when it is dropped.
#[derive(Debug)]
pub struct Follow {
    receiver: mpsc::Receiver<(Arc<str>, Vec<Event>)>,
    missed: Arc<AtomicU64>,
}

impl Follow {
    /// The next events, in the order they were written. None when the platform shuts down.
    pub async fn next(&mut self) -> Option<Followed> {
        let (group, events) = self.receiver.recv().await?;
        Some(Followed { group, events, missed: self.missed.swap(0, Ordering::Relaxed) })
    }

    /// The next events if there are some already.
    pub fn try_next(&mut self) -> Option<Followed> {
        let (group, events) = self.receiver.try_recv().ok()?;
        Some(Followed { group, events, missed: self.missed.swap(0, Ordering::Relaxed) })
    }
}

struct Follower {
    request: FollowRequest,
    sender: mpsc::Sender<(Arc<str>, Vec<Event>)>,
    missed: Arc<AtomicU64>,
}

pub(crate) struct Followers {
    open: Mutex<Vec<Arc<Follower>>>,
    most: usize,
    queue: usize,
}

impl Followers {
    pub(crate) fn new(most: usize, queue: usize) -> Self {
        Self { open: Mutex::default(), most, queue: queue.max(1) }
    }

    fn add(&self, request: FollowRequest) -> Result<Follow, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|follower| !follower.sender.is_closed());
        if open.len() >= self.most {
            return Err(Fault::Followers);
        }
        let (sender, receiver) = mpsc::channel(self.queue);
        let missed = Arc::new(AtomicU64::new(0));
        open.push(Arc::new(Follower { request, sender, missed: missed.clone() }));
        Ok(Follow { receiver, missed })
    }

    /// Gives what was just written to those who follow it; never waits for them.
    pub(crate) fn publish(
        &self,
        namespace: &Namespace,
        group: &str,
        batches: &[&Batch],
        heads: &[(u64, Head)],
    ) {
        let wanted: Vec<Arc<Follower>> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|follower| !follower.sender.is_closed());
            let of_group = |follower: &&Arc<Follower>| {
                follower.request.namespace == *namespace && follower.request.groups.iter().any(|g| g == group)
            };
            open.iter().filter(of_group).cloned().collect()
        };
        if wanted.is_empty() {
            return;
        }
        let events = events_of(batches, heads);
        let group: Arc<str> = group.into();
        for follower in wanted {
            let request = &follower.request;
            let matching = |event: &&Event| {
                request.streams.matches(&event.stream) && request.pattern.matches(&event.text)
            };
            let mine: Vec<Event> = events.iter().filter(matching).cloned().collect();
            let count = mine.len() as u64;
            if count > 0 && follower.sender.try_send((group.clone(), mine)).is_err() {
                follower.missed.fetch_add(count, Ordering::Relaxed);
            }
        }
    }
}

/// The written events again, with their places.
fn events_of(batches: &[&Batch], heads: &[(u64, Head)]) -> Vec<Event> {
    let mut texts = batches.iter().flat_map(|batch| batch.events.iter());
    let mut events = Vec::new();
    for (seq, head) in heads {
        for (index, (at, text)) in (0..head.count).zip(texts.by_ref()) {
            events.push(Event {
                stream: head.stream.clone(),
                position: Position { seq: *seq, index },
                at: *at,
                ingested: head.ingested,
                text: text.clone(),
            });
        }
    }
    events
}

impl Logs {
    /// Opens a live tail. `log_followers_too_many` when all are taken.
    pub fn follow(&self, request: FollowRequest) -> Result<Follow> {
        for group in &request.groups {
            crate::names::check_group(group)?;
        }
        Ok(self.0.followers.add(request)?)
    }
}
