//! `Queue`: an index in memory, every step of a message's life in the log. Leases are held by the monotonic clock and
//! end with the process; attempts, due times and reasons are durable.

mod index;
mod jobs;

use std::sync::Arc;

use anyfn_core::ports::{Append, Depth, Lease, Leased, Queue};
use anyfn_types::{Error, MessageId, Millis};
use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::{
    names,
    op::Op,
    shared::{Shared, gone, slice},
    writer::Writer,
};
pub(crate) use index::Queues;
use index::{Hold, Place};
use jobs::{AppendJob, LeaseJob, SettleJob, Sweep, SweepJob, Taken, Verdict, lease_lost};

/// Bytes of a reason that are kept.
const REASON_MAX: usize = 1024;
const LEASE_MAX: usize = 1000;

#[derive(Debug)]
pub(crate) struct StoreQueue {
    pub shared: Arc<Shared>,
    pub writer: Writer,
}

impl StoreQueue {
    async fn settle(&self, queue: &str, id: MessageId, token: u64, verdict: Verdict) -> Result<(), Error> {
        names::name(queue)?;
        let (answer, answered) = oneshot::channel();
        let job = SettleJob { queue: queue.to_owned(), id, token, verdict, staged: None, answer };
        self.writer.run(Box::new(job), answered).await
    }

    async fn sweep(&self, queue: &str, sweep: Sweep) -> Result<u64, Error> {
        names::name(queue)?;
        let (answer, answered) = oneshot::channel();
        let job = SweepJob { queue: queue.to_owned(), sweep, change: 0, answer };
        self.writer.run(Box::new(job), answered).await
    }

    /// `None` if the message was purged meanwhile.
    async fn body(&self, queue: &str, taken: Taken) -> Result<Option<Leased>, Error> {
        let mut loc = taken.loc;
        loop {
            if let Some(payload) = self.shared.read(loc).await? {
                let body =
                    slice(
                        &payload,
                        loc,
                        |op| if let Op::Message { body, .. } = op { Some(body) } else { None },
                    )?;
                let Taken { facts, token, .. } = taken;
                let (id, attempt, appended) = (facts.id, facts.attempts, facts.appended);
                return Ok(Some(Leased { id, body, attempt, appended, token }));
            }
            let found =
                self.shared.queues().get(queue).and_then(|state| state.find(taken.facts.id)).map(|h| h.loc);
            match found {
                Some(found) if found == loc => return Err(gone(loc)),
                Some(found) => loc = found,
                None => return Ok(None),
            }
        }
    }
}

#[async_trait]
impl Queue for StoreQueue {
    async fn append(&self, queue: &str, messages: Vec<Append>) -> Result<(), Error> {
        names::name(queue)?;
        names::together(messages.iter().map(|message| message.body.len()))?;
        if messages.is_empty() {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let job = AppendJob { queue: queue.to_owned(), messages, staged: Vec::new(), answer };
        self.writer.run(Box::new(job), answered).await
    }

    async fn lease(&self, queue: &str, max: usize, lease: Lease) -> Result<Vec<Leased>, Error> {
        names::name(queue)?;
        names::limit(max, LEASE_MAX)?;
        let waiting = self.shared.queues().get(queue).is_some_and(|state| {
            state.settle(&self.shared.base.clock);
            state.has_ready()
        });
        if !waiting {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let job = LeaseJob { queue: queue.to_owned(), max, lease, staged: Vec::new(), answer };
        let taken = self.writer.run(Box::new(job), answered).await?;
        let (mut out, mut failed) = (Vec::with_capacity(taken.len()), None);
        for one in taken {
            match self.body(queue, one).await {
                Ok(leased) => out.extend(leased),
                // A damaged message must not keep the others.
                Err(error) => {
                    tracing::error!(queue, id = %one.facts.id, error = ?error, "a message cannot be read");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if out.is_empty() => Err(error),
            _ => Ok(out),
        }
    }

    async fn extend(&self, queue: &str, id: MessageId, token: u64, lease: Lease) -> Result<(), Error> {
        names::name(queue)?;
        let clock = &self.shared.base.clock;
        let mut queues = self.shared.queues();
        let state = queues.get(queue).ok_or_else(lease_lost)?;
        state.settle(clock);
        let held = state.find(id).ok_or_else(lease_lost)?;
        if !matches!(held.place, Place::Leased(hold) if hold.token == token) {
            return Err(lease_lost());
        }
        let (order, until) = (held.facts.order, jobs::until(clock.now(), lease));
        state.change(order, |held| held.place = Place::Leased(Hold { token, until }));
        // It may now end sooner than a waiter thinks.
        state.changed.notify_waiters();
        Ok(())
    }

    async fn ack(&self, queue: &str, id: MessageId, token: u64) -> Result<(), Error> {
        self.settle(queue, id, token, Verdict::Ack).await
    }

    async fn release(&self, queue: &str, id: MessageId, token: u64, due: Millis) -> Result<(), Error> {
        self.settle(queue, id, token, Verdict::Release(due)).await
    }

    async fn bury(&self, queue: &str, id: MessageId, token: u64, reason: &str) -> Result<(), Error> {
        let kept = (0..=reason.len().min(REASON_MAX)).rev().find(|end| reason.is_char_boundary(*end));
        let reason = reason[..kept.unwrap_or(0)].into();
        self.settle(queue, id, token, Verdict::Bury(reason)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        names::name(queue)?;
        let mut queues = self.shared.queues();
        let Some(state) = queues.get(queue) else { return Ok(Depth::default()) };
        state.settle(&self.shared.base.clock);
        Ok(state.depth())
    }

    async fn ready(&self, queue: &str) {
        let clock = self.shared.base.clock.clone();
        let waiting = Waiting { shared: &self.shared, queue };
        loop {
            let changed = self.shared.queues().get_or_new(queue).changed.clone();
            // Begun before looking, so that a change in between wakes it.
            let change = changed.notified();
            let wake = {
                let mut queues = self.shared.queues();
                let state = queues.get_or_new(queue);
                state.settle(&clock);
                if state.has_ready() {
                    break;
                }
                state.next_wake(&clock)
            };
            match wake {
                None => change.await,
                Some(wake) => tokio::select! {
                    () = change => {}
                    () = clock.sleep(wake) => {}
                },
            }
        }
        drop(waiting);
    }

    async fn purge(&self, queue: &str) -> Result<u64, Error> {
        self.sweep(queue, Sweep::Purge).await
    }

    async fn redrive(&self, queue: &str) -> Result<u64, Error> {
        self.sweep(queue, Sweep::Redrive).await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.shared.queues().names(prefix))
    }
}

/// A waiter makes an entry for a queue that may hold nothing; the last one takes it away again.
struct Waiting<'a> {
    shared: &'a Shared,
    queue: &'a str,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.queues().tidy(self.queue);
    }
}
