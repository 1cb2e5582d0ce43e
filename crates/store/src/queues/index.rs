//! What lies in the queues: everything but the bodies.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use anyfn_base::{Clock, Instant};
use anyfn_core::ports::Depth;
use anyfn_types::{MessageId, Millis};
use tokio::sync::Notify;

use crate::{
    frame::Loc,
    op::{Facts, Op},
    segments::Segments,
};

/// The wall clock may be set, so nobody waits longer than this for it without looking again.
const WALL_LOOK: u64 = 60_000;

/// Where a message is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its append is not on disk yet.
    Arriving,
    Ready,
    /// Not before its due time.
    Delayed,
    Leased(Hold),
    /// An ack, release or bury of the holder is not on disk yet.
    Settling(Hold),
    Dead(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub token: u64,
    pub until: Instant,
}

#[derive(Debug)]
pub(super) struct Held {
    pub facts: Facts,
    pub loc: Loc,
    pub place: Place,
}

/// One queue.
#[derive(Debug, Default)]
pub(super) struct State {
    ids: HashMap<MessageId, u64>,
    /// By order of append.
    messages: BTreeMap<u64, Held>,
    ready: BTreeSet<u64>,
    delayed: BTreeSet<(Millis, u64)>,
    leased: BTreeSet<(Instant, u64)>,
    dead: BTreeSet<u64>,
    arriving: usize,
    pub changed: Arc<Notify>,
}

impl State {
    fn enlist(&mut self, order: u64) {
        let Some(held) = self.messages.get(&order) else { return };
        match &held.place {
            Place::Arriving => self.arriving += 1,
            Place::Ready => drop(self.ready.insert(order)),
            Place::Delayed => drop(self.delayed.insert((held.facts.due, order))),
            Place::Leased(hold) => drop(self.leased.insert((hold.until, order))),
            Place::Settling(_) => {}
            Place::Dead(_) => drop(self.dead.insert(order)),
        }
    }

    fn delist(&mut self, order: u64) {
        let Some(held) = self.messages.get(&order) else { return };
        match &held.place {
            Place::Arriving => self.arriving -= 1,
            Place::Ready => drop(self.ready.remove(&order)),
            Place::Delayed => drop(self.delayed.remove(&(held.facts.due, order))),
            Place::Leased(hold) => drop(self.leased.remove(&(hold.until, order))),
            Place::Settling(_) => {}
            Place::Dead(_) => drop(self.dead.remove(&order)),
        }
    }

    /// Changes a message and puts it where it then belongs.
    pub(super) fn change(&mut self, order: u64, change: impl FnOnce(&mut Held)) {
        self.delist(order);
        if let Some(held) = self.messages.get_mut(&order) {
            change(held);
        }
        self.enlist(order);
    }

    pub(super) fn insert(&mut self, held: Held) {
        let order = held.facts.order;
        self.ids.insert(held.facts.id, order);
        self.messages.insert(order, held);
        self.enlist(order);
    }

    pub(super) fn remove(&mut self, order: u64) -> Option<Held> {
        self.delist(order);
        let held = self.messages.remove(&order)?;
        self.ids.remove(&held.facts.id);
        Some(held)
    }

    pub(super) fn find(&self, id: MessageId) -> Option<&Held> {
        self.messages.get(self.ids.get(&id)?)
    }

    pub(super) fn at(&self, order: u64) -> Option<&Held> {
        self.messages.get(&order)
    }

    /// Moves what became due and what was held too long to where it can be leased.
    pub(super) fn settle(&mut self, clock: &Clock) {
        let (now, wall) = (clock.now(), clock.wall());
        while let Some(&(due, order)) = self.delayed.first()
            && due <= wall
        {
            self.change(order, |held| held.place = Place::Ready);
        }
        while let Some(&(until, order)) = self.leased.first()
            && until <= now
        {
            self.change(order, |held| held.place = Place::Ready);
        }
    }

    /// How long until `settle` may have something to do.
    pub(super) fn next_wake(&self, clock: &Clock) -> Option<Duration> {
        let due = self.delayed.first().map(|(due, _)| due.saturating_sub(clock.wall()).clamp(1, WALL_LOOK));
        let due = due.map(Duration::from_millis);
        let expiry = self.leased.first().map(|(until, _)| until.saturating_duration_since(clock.now()));
        due.into_iter().chain(expiry).min()
    }

    /// The oldest that can be leased.
    pub(super) fn ready(&self, max: usize) -> Vec<u64> {
        self.ready.iter().copied().take(max).collect()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn orders(&self, dead: bool) -> Vec<u64> {
        if dead { self.dead.iter().copied().collect() } else { self.messages.keys().copied().collect() }
    }

    pub(super) fn depth(&self) -> Depth {
        let count = |n: usize| n as u64;
        let idle = self.ready.len() + self.delayed.len() + self.dead.len() + self.arriving;
        let alive = |held: &&Held| !matches!(held.place, Place::Dead(_) | Place::Arriving);
        Depth {
            ready: count(self.ready.len()),
            delayed: count(self.delayed.len()),
            leased: count(self.messages.len() - idle),
            dead: count(self.dead.len()),
            oldest: self.messages.values().find(alive).map(|held| held.facts.appended),
        }
    }

    fn is_idle(&self) -> bool {
        self.messages.is_empty() && Arc::strong_count(&self.changed) == 1
    }
}

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Queues(BTreeMap<Box<str>, State>);

impl Queues {
    pub(super) fn get(&mut self, queue: &str) -> Option<&mut State> {
        self.0.get_mut(queue)
    }

    pub(super) fn get_or_new(&mut self, queue: &str) -> &mut State {
        if !self.0.contains_key(queue) {
            self.0.insert(queue.into(), State::default());
        }
        self.0.entry(queue.into()).or_default()
    }

    /// Lets go of a queue that holds nothing and that nobody waits for.
    pub(super) fn tidy(&mut self, queue: &str) {
        if self.0.get(queue).is_some_and(State::is_idle) {
            self.0.remove(queue);
        }
    }

    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        let from = (std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded);
        let named = self.0.range::<str, _>(from).take_while(|(name, _)| name.starts_with(prefix));
        let holding = named.filter(|(_, state)| state.messages.len() > state.arriving);
        holding.map(|(name, _)| name.to_string()).collect()
    }

    /// The facts of the message whose frame is at `loc`, and why it is dead; `None` if the frame is not needed.
    pub(crate) fn standing(&self, queue: &str, id: MessageId, loc: Loc) -> Option<(Facts, Option<String>)> {
        let held = self.0.get(queue)?.find(id).filter(|held| held.loc == loc)?;
        let reason = if let Place::Dead(reason) = &held.place { Some(reason.to_string()) } else { None };
        Some((held.facts, reason))
    }

    pub(crate) fn moved(&mut self, queue: &str, id: MessageId, loc: Loc) {
        let Some(state) = self.0.get_mut(queue) else { return };
        if let Some(&order) = state.ids.get(&id) {
            state.change(order, |held| held.loc = loc);
        }
    }

    pub(crate) fn replay(&mut self, op: &Op<'_>, loc: Loc, segments: &Segments) {
        match *op {
            Op::Message { queue, facts, reason, .. } => {
                let place = match reason {
                    Some(reason) => Place::Dead(reason.into()),
                    None if facts.due > 0 => Place::Delayed,
                    None => Place::Ready,
                };
                let state = self.get_or_new(queue);
                let before = state.ids.get(&facts.id).copied().and_then(|order| state.remove(order));
                before.into_iter().for_each(|held| segments.forget(held.loc));
                state.insert(Held { facts, loc, place });
                segments.keep(loc);
            }
            Op::Leased { queue, id, attempt } => {
                self.replay_change(queue, id, |held| held.facts.attempts = attempt);
            }
            Op::Released { queue, id, due } => self.replay_change(queue, id, |held| {
                (held.facts.due, held.place) = (due, Place::Delayed);
            }),
            Op::Buried { queue, id, reason } => {
                self.replay_change(queue, id, |held| held.place = Place::Dead(reason.into()));
            }
            Op::Acked { queue, id } => {
                let state = self.get(queue);
                let held = state.and_then(|state| state.ids.get(&id).copied().and_then(|o| state.remove(o)));
                held.into_iter().for_each(|held| segments.forget(held.loc));
                self.tidy(queue);
            }
            Op::Purged { queue } => {
                let state = self.0.remove(queue).unwrap_or_default();
                state.messages.values().for_each(|held| segments.forget(held.loc));
            }
            Op::Redriven { queue } => {
                if let Some(state) = self.get(queue) {
                    state.redrive();
                }
            }
            _ => {}
        }
    }

    fn replay_change(&mut self, queue: &str, id: MessageId, change: impl FnOnce(&mut Held)) {
        let Some(state) = self.get(queue) else { return };
        if let Some(&order) = state.ids.get(&id) {
            state.change(order, change);
        }
    }
}

impl State {
    /// Dead messages start over, with all their attempts.
    pub(super) fn redrive(&mut self) -> u64 {
        let dead = self.orders(true);
        for &order in &dead {
            self.change(order, |held| {
                (held.facts.attempts, held.facts.due, held.place) = (0, 0, Place::Ready);
            });
        }
        dead.len() as u64
    }
}
