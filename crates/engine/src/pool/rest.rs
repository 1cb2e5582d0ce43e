//! A pool at rest: what idles is cooled, then retired; what must be kept is started again; what is empty goes.

use std::time::Duration;

use anyfn_base::Instant;

use super::{BACKOFF_MAX, Back, Instance, Pool, SCALE_UP_WINDOW, State};
use crate::rounds::grace;

/// Instances that are kept up are the last to make room.
const KEPT_GRACE: Duration = Duration::from_secs(86_400);

/// What a look at a pool found to do.
pub(crate) struct Look {
    pub(crate) retire: Vec<Instance>,
    pub(crate) pause: Vec<Instance>,
    pub(crate) start: bool,
    pub(crate) empty: bool,
    /// Nobody has looked yet whether the version is still the function's.
    pub(crate) unchecked: bool,
}

impl Pool {
    /// Puts an instance that counts as busy to rest.
    pub(super) fn lay_down(&self, state: &mut State, instance: Instance, now: Instant) {
        state.busy = state.busy.saturating_sub(1);
        let at = state.idle.partition_point(|other| other.idle_since <= instance.idle_since);
        state.idle.insert(at, instance);
        self.list(state);
        self.plan(state, now);
    }

    /// Puts an instance back that a look or an eviction took, where it was: its idle time goes on.
    pub(crate) fn put(&self, instance: Instance, now: Instant) -> Back {
        let mut state = self.lock();
        self.hand_on(&mut state, instance, now)
    }

    /// How many instances to keep; None if the version is no longer the function's.
    pub(crate) fn keep(&self, count: Option<usize>, now: Instant) {
        let mut state = self.lock();
        state.checked = true;
        state.closed |= count.is_none();
        state.kept = count.unwrap_or(0);
        state.listed = false;
        self.list(&mut state);
        self.plan(&mut state, now);
    }

    /// The first look of a new pool.
    pub(crate) fn begin_rounds(&self, now: Instant) {
        let mut state = self.lock();
        self.plan(&mut state, now);
    }

    /// The look that was planned. What it takes out counts as busy until `put` or `lost`.
    pub(crate) fn look(&self, now: Instant) -> Look {
        let mut state = self.lock();
        state.due = None;
        let retire = self.take_spare(&mut state, now);
        let pause = self.take_uncooled(&mut state, now);
        state.busy += retire.len() + pause.len();
        let start = state.lacks_kept(now) || state.wants_start(now);
        let empty = state.is_empty() && state.quiet_from().is_none_or(|from| from <= now);
        if !empty {
            self.plan(&mut state, now);
        }
        Look { retire, pause, start, empty, unchecked: !state.checked }
    }

    fn take_spare(&self, state: &mut State, now: Instant) -> Vec<Instance> {
        let mut spare = state.spare();
        let mut taken = Vec::new();
        while let Some(oldest) = state.idle.front()
            && spare > 0
            && (state.closed || now - oldest.idle_since >= self.retire_after)
        {
            taken.extend(state.idle.pop_front());
            spare -= 1;
        }
        taken
    }

    fn take_uncooled(&self, state: &mut State, now: Instant) -> Vec<Instance> {
        let at = state.idle.partition_point(|instance| instance.cooled);
        let mut taken = Vec::new();
        while let Some(next) = state.idle.get(at)
            && now - next.idle_since >= self.pause_after
        {
            taken.extend(state.idle.remove(at).map(|mut instance| {
                instance.cooled = true;
                instance
            }));
        }
        taken
    }

    /// Everything that idles, when the server stops.
    pub(crate) fn close(&self) -> Vec<Instance> {
        let mut state = self.lock();
        state.closed = true;
        let taken: Vec<_> = state.idle.drain(..).collect();
        state.busy += taken.len();
        taken
    }

    /// The longest idle instance, if the pool stands where `at` says; else the pool is listed where it stands now.
    pub(crate) fn evict(&self, at: Instant) -> Option<Instance> {
        let mut state = self.lock();
        state.listed = false;
        let right = self.missed_from(&state).is_some_and(|stands| stands <= at);
        let taken = if right { state.idle.pop_front() } else { None };
        state.busy += usize::from(taken.is_some());
        self.list(&mut state);
        taken
    }

    /// Marks it as taken off the map, if nothing holds it there.
    pub(crate) fn vanish(&self) -> bool {
        let mut state = self.lock();
        let empty = state.is_empty();
        if empty {
            state.gone = true;
            (state.due, state.listed) = (None, false);
            self.rounds.forget(self.version.id);
        }
        empty
    }

    /// It was taken off while somebody still held it. With another one in its place, it serves who asks here and keeps
    /// nothing. Nobody told it of changes meanwhile, so its version is looked up again.
    pub(crate) fn revive(&self, alone: bool, now: Instant) {
        let mut state = self.lock();
        (state.gone, state.checked) = (false, false);
        state.closed |= !alone;
        self.plan(&mut state, now);
    }

    /// Sees to it that the rounds come when there is something to do.
    pub(super) fn plan(&self, state: &mut State, now: Instant) {
        let Some(next) = self.next_look(state, now) else { return };
        if state.due.is_none_or(|due| next < due) && !state.gone {
            state.due = Some(next);
            self.rounds.plan(self.version.id, self.me.clone(), next);
        }
    }

    pub(super) fn next_look(&self, state: &State, now: Instant) -> Option<Instant> {
        if !state.checked || (state.closed && !state.idle.is_empty()) {
            return Some(now);
        }
        if state.is_empty() && state.kept == 0 {
            return Some(state.quiet_from().unwrap_or(now));
        }
        let uncooled = state.idle.get(state.idle.partition_point(|instance| instance.cooled));
        let pause = uncooled.and_then(|instance| instance.idle_since.checked_add(self.pause_after));
        let oldest = state.idle.front().filter(|_| state.spare() > 0);
        let retire = oldest.and_then(|instance| instance.idle_since.checked_add(self.retire_after));
        let lacks = state.idle.len() + state.busy + state.starting < state.kept && !state.closed;
        let refill = lacks.then(|| state.failing.as_ref().map_or(now, |failing| failing.until));
        [pause, retire, refill].into_iter().flatten().min()
    }

    /// Lists the pool by its longest idle instance, unless it is listed already: it can then only stand too early.
    fn list(&self, state: &mut State) {
        if !state.listed
            && let Some(at) = self.missed_from(state)
        {
            state.listed = true;
            self.rounds.list_idle(self.version.id, self.me.clone(), at);
        }
    }

    /// From when on the longest idle instance is worth less than its memory.
    fn missed_from(&self, state: &State) -> Option<Instant> {
        let oldest = state.idle.front()?;
        let mib = state.memory_mib.unwrap_or(super::MEMORY_GUESS);
        let kept = if state.spare() == 0 { KEPT_GRACE } else { Duration::ZERO };
        Some(oldest.idle_since + grace(state.pace.init().unwrap_or_default(), mib) + kept)
    }
}

impl State {
    /// Instances beyond those to be kept.
    fn spare(&self) -> usize {
        (self.idle.len() + self.busy + self.starting).saturating_sub(self.kept)
    }

    /// Nothing lives here and nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty()
            && self.busy == 0
            && self.starting == 0
            && self.waiting.is_empty()
            && self.kept == 0
    }

    /// When what an empty pool remembers (failures, the rate of starts) counts no more.
    fn quiet_from(&self) -> Option<Instant> {
        let failing = self.failing.as_ref().map(|failing| failing.until + BACKOFF_MAX);
        let window = self.scaled_up.map(|(began, _)| began + SCALE_UP_WINDOW);
        failing.max(window)
    }
}
