//! Bookkeeping of one version's instances. Every method is short, takes the pool's own lock, and never waits.
//!
//! What must stay true: a waiting call is given exactly one instance or one error; there are never more starts under way
//! than calls that wait beyond those that a settling instance will serve; an idle instance and a waiting call never stand
//! side by side.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyfn_base::Instant;
use anyfn_core::ports::Guest;
use anyfn_types::{Error, Failure, Function, InstanceId, Kind, Limits, Version};
use bytes::Bytes;
use tokio::sync::oneshot;

/// Failed starts in a row before callers are told the last error instead of starting again at once.
const PATIENCE: u32 = 3;
/// The window in which starts for waiting calls are counted.
const SCALE_UP_WINDOW: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// One instance between or in calls.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) guest: Box<dyn Guest>,
    pub(crate) idle_since: Instant,
    pub(crate) paused: bool,
    pub(crate) calls: u64,
    /// Microseconds of its init phase, until the first call has reported it.
    pub(crate) init_us: Option<u64>,
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Last in, first out: the rest can cool down.
    idle: Vec<Instance>,
    waiting: VecDeque<oneshot::Sender<Grant>>,
    starting: usize,
    busy: usize,
    /// Busy instances that have answered and will be idle in a moment.
    settling: usize,
    failing: Option<Failing>,
    /// When the window began, and starts in it.
    scaled_up: Option<(Instant, u32)>,
    /// The version was replaced or deleted: nothing goes back to idle.
    closed: bool,
}

struct Failing {
    in_a_row: u32,
    until: Instant,
    last: Refusal,
}

/// What a call gets when it asks for an instance.
pub(crate) enum Asked {
    Warm(Instance),
    Wait { grant: oneshot::Receiver<Grant>, start: bool },
    Refused(Refusal),
}

/// What becomes of an instance that is given back.
pub(crate) enum Back {
    Kept,
    Retire(Instance),
}

impl Pool {
    pub(crate) fn new(function: Arc<Function>, version: Arc<Version>) -> Self {
        Self { function, version, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Idle, busy, being started.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.idle.len(), state.busy, state.starting)
    }

    /// A warm instance, or a place in the queue and whether to start one.
    pub(crate) fn ask(&self, now: Instant, limits: &Limits) -> Asked {
        let mut state = self.lock();
        if let Some(instance) = state.idle.pop() {
            state.busy += 1;
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
        let start = state.wants_start();
        if start && !state.may_scale_up(now, limits.scale_up_per_10s) {
            state.waiting.pop_back();
            return Asked::Refused(throttled(Error::new(
                Kind::Throttled,
                "scale_up_exceeded",
                "Rate Exceeded.",
            )));
        }
        state.starting += usize::from(start);
        Asked::Wait { grant, start }
    }

    /// An instance came up: to the first call that still waits, else to idle.
    pub(crate) fn started(&self, mut instance: Instance, now: Instant) -> Back {
        let mut state = self.lock();
        state.starting -= 1;
        state.failing = None;
        instance.idle_since = now;
        state.busy += 1;
        state.hand_on(instance)
    }

    /// A start failed: the first waiting call is told; true if another start is wanted for those behind it.
    pub(crate) fn start_failed(&self, refusal: Refusal, now: Instant) -> bool {
        let mut state = self.lock();
        state.starting -= 1;
        let in_a_row = state.failing.as_ref().map_or(0, |f| f.in_a_row) + 1;
        let wait = BACKOFF_MIN * 2_u32.saturating_pow(in_a_row.saturating_sub(PATIENCE).min(8));
        state.failing = Some(Failing { in_a_row, until: now + wait.min(BACKOFF_MAX), last: refusal.clone() });
        if in_a_row >= PATIENCE {
            for waiting in state.waiting.drain(..) {
                let _ = waiting.send(Err(refusal.clone()));
            }
            return false;
        }
        while let Some(waiting) = state.waiting.pop_front() {
            if waiting.send(Err(refusal.clone())).is_ok() {
                break;
            }
        }
        let again = state.wants_start();
        state.starting += usize::from(again);
        again
    }

    /// A busy instance has answered and will soon be free: calls that come now may wait for it.
    pub(crate) fn settling(&self) {
        self.lock().settling += 1;
    }

    /// It takes longer than a moment: true if a start is wanted for a call that counted on it.
    pub(crate) fn settles_late(&self) -> bool {
        let mut state = self.lock();
        state.settling = state.settling.saturating_sub(1);
        let start = state.wants_start();
        state.starting += usize::from(start);
        start
    }

    /// A busy instance is free again. `counted`: it still counts as settling.
    pub(crate) fn give_back(&self, mut instance: Instance, counted: bool, now: Instant) -> Back {
        let mut state = self.lock();
        if counted {
            state.settling = state.settling.saturating_sub(1);
        }
        instance.idle_since = now;
        instance.calls += 1;
        state.hand_on(instance)
    }

    /// A busy instance is gone. True if a start is wanted for a call that counted on it.
    pub(crate) fn lost(&self, counted: bool) -> bool {
        let mut state = self.lock();
        if counted {
            state.settling = state.settling.saturating_sub(1);
        }
        state.busy = state.busy.saturating_sub(1);
        let start = state.wants_start();
        state.starting += usize::from(start);
        start
    }

    /// Idle instances for which `pick` says yes leave the pool (and count as busy until `put` or `lost`).
    pub(crate) fn take_idle(&self, mut pick: impl FnMut(&mut Instance) -> bool) -> Vec<Instance> {
        let mut state = self.lock();
        let (taken, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut state.idle)
            .into_iter()
            .map(|mut i| (pick(&mut i), i))
            .partition(|(yes, _)| *yes);
        state.idle = kept.into_iter().map(|(_, instance)| instance).collect();
        state.busy += taken.len();
        taken.into_iter().map(|(_, instance)| instance).collect()
    }

    /// Puts an instance back that `take_idle` gave, where it was: its idle time goes on.
    pub(crate) fn put(&self, instance: Instance) -> Back {
        let mut state = self.lock();
        if state.waiting.is_empty() && !state.closed {
            state.busy = state.busy.saturating_sub(1);
            state.idle.insert(0, instance);
            return Back::Kept;
        }
        state.hand_on(instance)
    }

    /// When the instance that is idle longest became idle.
    pub(crate) fn oldest_idle(&self) -> Option<Instant> {
        self.lock().idle.iter().map(|instance| instance.idle_since).min()
    }

    /// Whether to start one so that `wanted` live; counts it as being started.
    pub(crate) fn start_for_provisioned(&self, wanted: usize, now: Instant) -> bool {
        let mut state = self.lock();
        let live = state.idle.len() + state.busy + state.starting;
        let start = live < wanted && !state.closed && state.failing.as_ref().is_none_or(|f| f.until <= now);
        state.starting += usize::from(start);
        start
    }

    /// Nothing goes back to idle from now on.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
    }

    /// Nothing lives here and nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.idle.is_empty() && state.busy == 0 && state.starting == 0 && state.waiting.is_empty()
    }
}

fn throttled(error: Error) -> Refusal {
    Refusal::Platform(Arc::new(error))
}

impl State {
    /// Counts a start for a waiting call, if the window has room for it.
    fn may_scale_up(&mut self, now: Instant, most: u32) -> bool {
        let (began, count) =
            self.scaled_up.filter(|(began, _)| now - *began < SCALE_UP_WINDOW).unwrap_or((now, 0));
        self.scaled_up = Some((began, count.saturating_add(1)));
        count < most
    }

    fn wants_start(&mut self) -> bool {
        self.waiting.retain(|waiting| !waiting.is_closed());
        self.waiting.len() > self.starting + self.settling
    }

    /// The instance counts as busy here.
    fn hand_on(&mut self, mut instance: Instance) -> Back {
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting.send(Ok(instance)) {
                Ok(()) => return Back::Kept,
                Err(Ok(unsent)) => instance = unsent,
                Err(Err(_)) => unreachable!("an instance was sent, not a refusal"),
            }
        }
        if self.closed {
            return Back::Retire(instance);
        }
        self.busy = self.busy.saturating_sub(1);
        self.idle.push(instance);
        Back::Kept
    }

    /// While starts keep failing: one probe at a time after each pause, everyone else is told at once.
    fn refuse(&self, now: Instant) -> Option<Refusal> {
        let failing = self.failing.as_ref().filter(|f| f.in_a_row >= PATIENCE)?;
        (now < failing.until || self.starting > 0).then(|| failing.last.clone())
    }
}
