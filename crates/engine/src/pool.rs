//! Bookkeeping of one version's instances. Every method is short, takes the pool's own lock, and never waits.
//!
//! What must stay true: a waiting call is given exactly one instance or one error; there are never more starts under way
//! than calls that wait beyond those that a settling instance will serve (and instances that are to be kept); an idle
//! instance and a waiting call never stand side by side; idle instances stand in the order in which they became idle, and
//! those whose cooling began stand before all others.

mod rest;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use anyfn_base::Instant;
use anyfn_core::{Resolved, ports::Guest};
use anyfn_types::{Billing, Error, Failure, Function, InstanceId, Kind, Limits, Version};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    demand::Pace,
    rounds::{Living, Rounds},
};

/// Failed starts in a row before callers are told the last error instead of starting again at once.
const PATIENCE: u32 = 3;
/// The window in which starts for waiting calls are counted.
const SCALE_UP_WINDOW: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// MiB that an instance is taken to use before a call has told.
const MEMORY_GUESS: u32 = 64;

/// One instance between or in calls.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) guest: Box<dyn Guest>,
    pub(crate) idle_since: Instant,
    /// When its latest call got it.
    pub(crate) taken: Instant,
    pub(crate) paused: bool,
    /// Pausing was tried since its latest call.
    pub(crate) cooled: bool,
    /// Calls that it was handed to.
    pub(crate) calls: u64,
    /// Microseconds of its init phase, until the first call has reported it.
    pub(crate) init_us: Option<u64>,
    pub(crate) living: Living,
}

impl Instance {
    /// Its call has been answered.
    pub(crate) fn answered(&mut self, billing: Option<&Billing>) {
        self.init_us = None;
        if let Some(billing) = billing.filter(|billing| billing.max_memory_mib > 0) {
            self.living.uses(billing.max_memory_mib);
        }
    }
}

/// Why a waiting call gets no instance.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// With the last of what its start logged.
    Function(Failure, Option<Bytes>),
    Platform(Arc<Error>),
}

pub(crate) type Grant = Result<Instance, Refusal>;

pub(crate) struct Pool {
    pub(crate) function: Arc<Function>,
    pub(crate) version: Arc<Version>,
    me: Weak<Self>,
    rounds: Arc<Rounds>,
    pause_after: Duration,
    retire_after: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last is taken first: the rest can cool down.
    idle: VecDeque<Instance>,
    waiting: VecDeque<oneshot::Sender<Grant>>,
    /// Starts under way.
    starting: usize,
    /// Instances in calls, and those taken out to be paused or retired.
    busy: usize,
    /// Busy instances that have answered and will be idle in a moment.
    settling: usize,
    /// Busy instances are used again after their calls.
    reused: bool,
    pace: Pace,
    /// Calls that were given an instance, and when the first of them was.
    handed: u64,
    first: Option<Instant>,
    /// Waiting calls that have waited longer than was guessed.
    hurried: usize,
    memory_mib: Option<u32>,
    /// Instances to be kept whether or not anybody calls.
    kept: usize,
    failing: Option<Failing>,
    /// When the window began, and starts in it.
    scaled_up: Option<(Instant, u32)>,
    /// The version was replaced or deleted: nothing goes back to idle.
    closed: bool,
    /// Whether the version is still the function's has been looked up.
    checked: bool,
    /// It was empty and has been taken off the map.
    gone: bool,
    /// When the rounds will look at it.
    due: Option<Instant>,
    /// It stands among the pools with idle instances.
    listed: bool,
}

struct Failing {
    in_a_row: u32,
    until: Instant,
    last: Refusal,
}

/// What a call gets when it asks for an instance.
pub(crate) enum Asked {
    Warm(Instance),
    Wait {
        grant: oneshot::Receiver<Grant>,
        start: bool,
        patience: Duration,
    },
    Refused(Refusal),
    /// The pool has been taken off the map.
    Gone,
}

/// What becomes of an instance that is given back.
pub(crate) enum Back {
    Kept,
    Retire(Instance),
}

/// What a call does that has waited longer than was guessed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hurry {
    Start,
    Wait(Duration),
}

impl Pool {
    pub(crate) fn new(resolved: &Resolved, rounds: Arc<Rounds>, limits: &Limits) -> Arc<Self> {
        let reused = resolved.version.config.placement.calls_max == 0;
        Arc::new_cyclic(|me| Self {
            function: resolved.function.clone(),
            version: resolved.version.clone(),
            me: me.clone(),
            rounds,
            pause_after: Duration::from_millis(limits.pause_after_ms),
            retire_after: Duration::from_millis(limits.retire_after_ms),
            state: Mutex::new(State { reused, ..State::default() }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle, busy, being started.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.idle.len(), state.busy, state.starting)
    }

    /// A warm instance, or a place in the queue and whether a start is wanted for it.
    pub(crate) fn ask(&self, now: Instant, limits: &Limits) -> Asked {
        let mut state = self.lock();
        if state.gone {
            return Asked::Gone;
        }
        if let Some(mut instance) = state.idle.pop_back() {
            state.busy += 1;
            state.hands(&mut instance, now);
            return Asked::Warm(instance);
        }
        if let Some(refusal) = state.refuse(now) {
            return Asked::Refused(refusal);
        }
        if state.waiting.len() >= limits.waiting_calls {
            return Asked::Refused(throttled(Error::new(
                Kind::Throttled,
                "too_many_waiting",
                "Rate Exceeded.",
            )));
        }
        let (sender, grant) = oneshot::channel();
        state.waiting.push_back(sender);
        let start = state.wants_start(now);
        if start && state.past_scale_up(now, limits.scale_up_per_10s) {
            state.waiting.pop_back();
            return Asked::Refused(throttled(Error::new(
                Kind::Throttled,
                "scale_up_exceeded",
                "Rate Exceeded.",
            )));
        }
        Asked::Wait { grant, start, patience: state.pace.patience(state.unmet(), state.servers()) }
    }

    /// A call has waited for `waited` since the pool had handed out `seen` instances, and for longer than was guessed.
    pub(crate) fn hurry(&self, waited: Duration, seen: &mut u64) -> Hurry {
        let mut state = self.lock();
        let (unmet, stuck) = (state.unmet(), state.handed == *seen);
        *seen = state.handed;
        // It may have been overtaken by a better guess; past this, whatever the guess says.
        let long = state.pace.init().is_none_or(|init| waited >= 3 * init);
        if unmet > 0 && (stuck || long) {
            state.hurried = (state.hurried + 1).min(unmet);
            return Hurry::Start;
        }
        Hurry::Wait(state.pace.patience(unmet, state.servers()))
    }

    /// Calls wait, and nobody knows yet how long calls take: when to look again.
    pub(crate) fn undecided(&self) -> Option<Duration> {
        let state = self.lock();
        state.pace.undecided().filter(|_| state.unmet() > 0)
    }

    pub(crate) fn handed(&self) -> u64 {
        self.lock().handed
    }

    /// Somebody wants an instance for which nothing has been started yet.
    pub(crate) fn wants_start(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.wants_start(now) || state.lacks_kept(now)
    }

    /// The same, asked when a start could begin: if true, it counts as begun.
    pub(crate) fn begin_start(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.is_closed());
        if !state.lacks_kept(now) {
            if !state.wants_start(now) {
                self.plan(&mut state, now);
                return false;
            }
            state.hurried = state.hurried.saturating_sub(1);
            state.count_start(now);
        }
        state.starting += 1;
        true
    }

    /// Right before the costly part of a start: whether anybody still waits for it. If not, it no longer counts as begun.
    pub(crate) fn still_wanted(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.waiting.retain(|waiting| !waiting.is_closed());
        let lacking = state.kept.saturating_sub(state.idle.len() + state.busy);
        let wanted = state.waiting.len() + lacking >= state.starting;
        if !wanted {
            state.starting -= 1;
            self.plan(&mut state, now);
        }
        wanted
    }

    /// An instance came up: to the first call that still waits, else to idle.
    pub(crate) fn started(&self, mut instance: Instance, took: Duration, now: Instant) -> Back {
        let mut state = self.lock();
        state.starting -= 1;
        state.failing = None;
        state.pace.started(took);
        instance.idle_since = now;
        state.busy += 1;
        let back = self.hand_on(&mut state, instance, now);
        // Starts work again: what is lacking need not wait any longer.
        self.plan(&mut state, now);
        back
    }

    /// A start failed: the first waiting call is told; true if another start is wanted for those behind it.
    pub(crate) fn start_failed(&self, refusal: &Refusal, now: Instant) -> bool {
        let mut state = self.lock();
        state.starting -= 1;
        let in_a_row = state.failing.as_ref().map_or(0, |f| f.in_a_row) + 1;
        let wait = BACKOFF_MIN * 2_u32.saturating_pow(in_a_row.saturating_sub(PATIENCE).min(8));
        state.failing = Some(Failing { in_a_row, until: now + wait.min(BACKOFF_MAX), last: refusal.clone() });
        while let Some(waiting) = state.waiting.pop_front() {
            if waiting.send(Err(refusal.clone())).is_ok() && in_a_row < PATIENCE {
                break;
            }
        }
        self.plan(&mut state, now);
        state.wants_start(now)
    }

    /// A busy instance has answered and will soon be free: calls that come now may wait for it.
    pub(crate) fn settling(&self) {
        self.lock().settling += 1;
    }

    /// It takes longer than a moment: true if a start is wanted for a call that counted on it.
    pub(crate) fn settles_late(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.settling = state.settling.saturating_sub(1);
        state.wants_start(now)
    }

    /// The call that an instance is in is its last one.
    pub(crate) fn is_last_call(&self, instance: &Instance) -> bool {
        let most = self.version.config.placement.calls_max;
        most > 0 && instance.calls >= u64::from(most)
    }

    /// A busy instance is free again. `counted`: it still counts as settling.
    pub(crate) fn give_back(&self, mut instance: Instance, counted: bool, now: Instant) -> Back {
        let mut state = self.lock();
        if counted {
            state.settling = state.settling.saturating_sub(1);
        }
        let took = now - instance.taken;
        if instance.calls > 1 {
            state.pace.served(took)
        } else {
            state.pace.served_first(took)
        }
        state.memory_mib = Some(instance.living.mib());
        if self.is_last_call(&instance) {
            // What takes its place does not make the version larger.
            if let Some((_, count)) = &mut state.scaled_up {
                *count = count.saturating_sub(1);
            }
            return Back::Retire(instance);
        }
        instance.idle_since = now;
        self.hand_on(&mut state, instance, now)
    }

    /// A busy instance is gone. True if a start is wanted for a call that counted on it.
    pub(crate) fn lost(&self, counted: bool, now: Instant) -> bool {
        let mut state = self.lock();
        if counted {
            state.settling = state.settling.saturating_sub(1);
        }
        state.busy = state.busy.saturating_sub(1);
        self.plan(&mut state, now);
        state.wants_start(now)
    }

    /// The instance counts as busy here.
    fn hand_on(&self, state: &mut State, mut instance: Instance, now: Instant) -> Back {
        while let Some(waiting) = state.waiting.pop_front() {
            let before = (instance.taken, instance.cooled);
            state.hands(&mut instance, now);
            match waiting.send(Ok(instance)) {
                Ok(()) => return Back::Kept,
                Err(Ok(unsent)) => instance = unsent,
                Err(Err(_)) => unreachable!("an instance was sent, not a refusal"),
            }
            // Its caller has gone: nothing has happened to the instance.
            (instance.taken, instance.cooled) = before;
            instance.calls -= 1;
            state.handed -= 1;
        }
        if state.closed {
            return Back::Retire(instance);
        }
        self.lay_down(state, instance, now);
        Back::Kept
    }

    /// MiB that one more instance is likely to use.
    pub(crate) fn memory_guess(&self) -> u32 {
        self.lock().memory_mib.unwrap_or_else(|| self.version.config.memory_mib.min(MEMORY_GUESS))
    }

    /// Instances that are to be kept whether or not anybody calls.
    pub(crate) fn kept(&self) -> usize {
        self.lock().kept
    }
}

fn throttled(error: Error) -> Refusal {
    Refusal::Platform(Arc::new(error))
}

impl State {
    fn hands(&mut self, instance: &mut Instance, now: Instant) {
        (instance.taken, instance.cooled) = (now, false);
        instance.calls += 1;
        self.handed += 1;
        self.first.get_or_insert(now);
    }

    /// Waiting calls for which neither a start nor a settling instance is under way.
    fn unmet(&self) -> usize {
        self.waiting.len().saturating_sub(self.starting + self.settling)
    }

    /// Busy instances that will be free for another call.
    fn servers(&self) -> usize {
        if self.reused && !self.closed { self.busy } else { 0 }
    }

    fn wants_start(&mut self, now: Instant) -> bool {
        let unmet = self.unmet();
        self.hurried = self.hurried.min(unmet);
        let lasted = self.first.map(|first| now - first);
        self.hurried > 0 || self.pace.worth_a_start(unmet, self.servers(), lasted)
    }

    fn lacks_kept(&self, now: Instant) -> bool {
        let live = self.idle.len() + self.busy + self.starting;
        live < self.kept && !self.closed && self.failing.as_ref().is_none_or(|f| f.until <= now)
    }

    fn window(&self, now: Instant) -> (Instant, u32) {
        self.scaled_up.filter(|(began, _)| now - *began < SCALE_UP_WINDOW).unwrap_or((now, 0))
    }

    /// The window has no room for all the starts that are wanted now.
    fn past_scale_up(&self, now: Instant, most: u32) -> bool {
        self.unmet() as u64 + u64::from(self.window(now).1) > u64::from(most)
    }

    fn count_start(&mut self, now: Instant) {
        let (began, count) = self.window(now);
        self.scaled_up = Some((began, count.saturating_add(1)));
    }

    /// While starts keep failing: one probe at a time after each pause, everyone else is told at once.
    fn refuse(&self, now: Instant) -> Option<Refusal> {
        let failing = self.failing.as_ref().filter(|f| f.in_a_row >= PATIENCE)?;
        (now < failing.until || self.starting > 0).then(|| failing.last.clone())
    }
}

#[cfg(test)]
mod tests;
