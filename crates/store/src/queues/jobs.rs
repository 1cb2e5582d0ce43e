//! The durable steps of a message's life.

use std::{collections::HashSet, time::Duration};

use anyfn_base::Instant;
use anyfn_core::ports::{Append, Lease};
use anyfn_types::{Error, Kind, MessageId, Millis};
use tokio::sync::oneshot;

use super::index::{Held, Hold, Place};
use crate::{
    batch::{Batch, Job, Need, Safety},
    frame::Loc,
    op::{Facts, Op},
    shared::Shared,
};

pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

pub(super) fn lease_lost() -> Error {
    Error::new(Kind::Precondition, "lease_lost", "the lease on the message has ended")
}

pub(super) struct AppendJob {
    pub queue: String,
    pub messages: Vec<Append>,
    pub staged: Vec<u64>,
    pub answer: Answer<()>,
}

impl Job for AppendJob {
    fn room(&self) -> usize {
        self.messages.iter().map(|message| Op::room(self.queue.len(), message.body.len())).sum()
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let mut queues = shared.queues();
        let state = queues.get_or_new(&self.queue);
        let mut seen = HashSet::new();
        let fresh = |message: &&Append| state.find(message.id).is_none() && seen.insert(message.id);
        let fresh: Vec<&Append> = self.messages.iter().filter(fresh).collect();
        let appended = shared.base.clock.wall();
        for (i, message) in fresh.iter().enumerate() {
            let order = batch.next_change();
            let facts = Facts { id: message.id, order, appended, due: message.due, attempts: 0 };
            let op = Op::Message { queue: &self.queue, facts, reason: None, body: &message.body };
            let loc = batch.add_tied(&op, i + 1 < fresh.len());
            state.insert(Held { facts, loc, place: Place::Arriving });
            self.staged.push(order);
        }
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut queues = shared.queues();
        let wall = shared.base.clock.wall();
        if let Some(state) = queues.get(&self.queue) {
            for order in &self.staged {
                state.change(*order, |held| {
                    held.place = if held.facts.due > wall { Place::Delayed } else { Place::Ready };
                    shared.segments.keep(held.loc);
                });
            }
            state.changed.notify_waiters();
        }
        queues.tidy(&self.queue);
        drop(queues);
        let _ = self.answer.send(Ok(()));
    }

    fn fail(self: Box<Self>, shared: &Shared, error: Error) {
        let mut queues = shared.queues();
        if let Some(state) = queues.get(&self.queue) {
            self.staged.iter().for_each(|order| drop(state.remove(*order)));
        }
        queues.tidy(&self.queue);
        drop(queues);
        let _ = self.answer.send(Err(error));
    }
}

/// A message in somebody's hands, its body still on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub facts: Facts,
    pub loc: Loc,
    pub token: u64,
}

pub(super) struct LeaseJob {
    pub queue: String,
    pub max: usize,
    pub lease: Lease,
    pub staged: Vec<Taken>,
    pub answer: Answer<Vec<Taken>>,
}

pub(super) fn until(now: Instant, lease: Lease) -> Instant {
    // A year stands for ever.
    now + Duration::from_millis(lease.0.min(365 * 24 * 3_600_000))
}

impl LeaseJob {
    /// Back to where it was, if nobody has it meanwhile.
    fn give_back(&self, shared: &Shared, forget_attempt: bool) {
        let mut queues = shared.queues();
        let Some(state) = queues.get(&self.queue) else { return };
        for taken in &self.staged {
            state.change(taken.facts.order, |held| {
                if matches!(held.place, Place::Leased(hold) if hold.token == taken.token) {
                    held.place = Place::Ready;
                }
                if forget_attempt {
                    held.facts.attempts = held.facts.attempts.saturating_sub(1);
                }
            });
        }
        state.changed.notify_waiters();
    }
}

impl Job for LeaseJob {
    fn room(&self) -> usize {
        self.max * Op::room(self.queue.len(), 0)
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let mut queues = shared.queues();
        let Some(state) = queues.get(&self.queue) else { return Ok(Safety::Written) };
        state.settle(&shared.base.clock);
        let until = until(shared.base.clock.now(), self.lease);
        for order in state.ready(self.max) {
            let token = batch.next_change();
            state.change(order, |held| {
                held.facts.attempts = held.facts.attempts.saturating_add(1);
                held.place = Place::Leased(Hold { token, until });
            });
            let Some(held) = state.at(order) else { continue };
            batch.add(&Op::Leased { queue: &self.queue, id: held.facts.id, attempt: held.facts.attempts });
            self.staged.push(Taken { facts: held.facts, loc: held.loc, token });
        }
        Ok(Safety::Written)
    }

    fn commit(mut self: Box<Self>, shared: &Shared) {
        if let Some(state) = shared.queues().get(&self.queue) {
            // Waiters learn that there is an expiry to wait for.
            state.changed.notify_waiters();
        }
        let (answer, _) = oneshot::channel();
        let answer = std::mem::replace(&mut self.answer, answer);
        if answer.send(Ok(self.staged.clone())).is_err() {
            self.give_back(shared, false);
        }
    }

    fn fail(mut self: Box<Self>, shared: &Shared, error: Error) {
        self.give_back(shared, true);
        let (answer, _) = oneshot::channel();
        let _ = std::mem::replace(&mut self.answer, answer).send(Err(error));
    }
}

/// What the holder does with a message.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Ack,
    Release(Millis),
    Bury(Box<str>),
}

pub(super) struct SettleJob {
    pub queue: String,
    pub id: MessageId,
    pub token: u64,
    pub verdict: Verdict,
    pub staged: Option<(u64, Hold)>,
    pub answer: Answer<()>,
}

impl Job for SettleJob {
    fn room(&self) -> usize {
        let reason = if let Verdict::Bury(reason) = &self.verdict { reason.len() } else { 0 };
        Op::room(self.queue.len(), reason)
    }

    fn need(&self) -> Need {
        Need::Frees
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        let mut queues = shared.queues();
        let state = queues.get(&self.queue).ok_or_else(lease_lost)?;
        state.settle(&shared.base.clock);
        let held = state.find(self.id).ok_or_else(lease_lost)?;
        let Place::Leased(hold) = held.place else { return Err(lease_lost()) };
        if hold.token != self.token {
            return Err(lease_lost());
        }
        let order = held.facts.order;
        state.change(order, |held| held.place = Place::Settling(hold));
        self.staged = Some((order, hold));
        let (queue, id) = (&*self.queue, self.id);
        batch.add(&match &self.verdict {
            Verdict::Ack => Op::Acked { queue, id },
            Verdict::Release(due) => Op::Released { queue, id, due: *due },
            Verdict::Bury(reason) => Op::Buried { queue, id, reason },
        });
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut queues = shared.queues();
        let Some((order, _)) = self.staged else { return };
        if let Some(state) = queues.get(&self.queue) {
            match self.verdict {
                Verdict::Ack => {
                    let held = state.remove(order);
                    held.into_iter().for_each(|held| shared.segments.forget(held.loc));
                }
                Verdict::Release(due) => {
                    state.change(order, |held| (held.facts.due, held.place) = (due, Place::Delayed));
                    state.settle(&shared.base.clock);
                }
                Verdict::Bury(reason) => state.change(order, |held| held.place = Place::Dead(reason)),
            }
            state.changed.notify_waiters();
        }
        queues.tidy(&self.queue);
        drop(queues);
        let _ = self.answer.send(Ok(()));
    }

    fn fail(self: Box<Self>, shared: &Shared, error: Error) {
        if let (Some((order, hold)), Some(state)) = (self.staged, shared.queues().get(&self.queue)) {
            state.change(order, |held| held.place = Place::Leased(hold));
            state.changed.notify_waiters();
        }
        let _ = self.answer.send(Err(error));
    }
}

/// What is done to a whole queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sweep {
    Purge,
    Redrive,
}

pub(super) struct SweepJob {
    pub queue: String,
    pub sweep: Sweep,
    /// The sweep's own change; what was appended later is not swept.
    pub change: u64,
    pub answer: Answer<u64>,
}

impl Job for SweepJob {
    fn room(&self) -> usize {
        Op::room(self.queue.len(), 0)
    }

    fn need(&self) -> Need {
        if self.sweep == Sweep::Purge { Need::Frees } else { Need::Ordinary }
    }

    fn stage(&mut self, shared: &Shared, batch: &mut Batch) -> Result<Safety, Error> {
        if shared.queues().get(&self.queue).is_some() {
            self.change = batch.next_change();
            batch.add(&match self.sweep {
                Sweep::Purge => Op::Purged { queue: &self.queue },
                Sweep::Redrive => Op::Redriven { queue: &self.queue },
            });
        }
        Ok(Safety::Synced)
    }

    fn commit(self: Box<Self>, shared: &Shared) {
        let mut queues = shared.queues();
        let mut count = 0;
        if let Some(state) = queues.get(&self.queue) {
            match self.sweep {
                Sweep::Purge => {
                    for order in state.orders(false).into_iter().take_while(|order| *order < self.change) {
                        let held = state.remove(order);
                        held.into_iter().for_each(|held| shared.segments.forget(held.loc));
                        count += 1;
                    }
                }
                Sweep::Redrive => count = state.redrive(),
            }
            state.changed.notify_waiters();
        }
        queues.tidy(&self.queue);
        drop(queues);
        let _ = self.answer.send(Ok(count));
    }

    fn fail(self: Box<Self>, _shared: &Shared, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}
