//! Demand: whether a waiting call is served sooner by instances that are busy now or by one that would be started for it.
//! A start that ends after the calls that it was meant for have been answered is wasted work, and on a full machine it
//! makes everybody else's start slower.

use std::time::Duration;

/// Each new figure counts for this part of the average.
const WEIGHT: u64 = 8;
/// How long a waiting call is left alone while nothing is known yet.
const UNKNOWN: Duration = Duration::from_millis(250);
/// The shortest time that a waiting call is left alone.
const LEAST: Duration = Duration::from_millis(2);

/// What calls and starts of one version took lately, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    call_us: Option<u64>,
    /// The shortest first call of an instance: it also pays for what the code does only once.
    first_us: Option<u64>,
    init_us: Option<u64>,
}

fn average(known: Option<u64>, took: Duration) -> Option<u64> {
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / WEIGHT).min(u64::MAX / WEIGHT);
    Some(known.map_or(took, |known| known - known / WEIGHT + took / WEIGHT))
}

impl Pace {
    /// From the hand-over of a call to the moment at which the instance was free again.
    pub(crate) fn served(&mut self, took: Duration) {
        self.call_us = average(self.call_us, took);
    }

    /// The same, for the first call of an instance.
    pub(crate) fn served_first(&mut self, took: Duration) {
        let took = average(None, took);
        self.first_us = self.first_us.map_or(took, |known| took.map(|took| took.min(known)));
    }

    pub(crate) fn started(&mut self, took: Duration) {
        self.init_us = average(self.init_us, took);
    }

    pub(crate) fn init(&self) -> Option<Duration> {
        self.init_us.map(Duration::from_micros)
    }

    /// How long `busy` instances need for `calls` more; None if nobody can say.
    fn drained_in(&self, each_us: Option<u64>, calls: usize, busy: usize) -> Option<Duration> {
        let each = each_us.filter(|_| busy > 0)?;
        Some(Duration::from_micros(each.saturating_mul(calls as u64) / busy as u64))
    }

    /// Whether a start would be done before `busy` instances have served the `calls` that nobody is started for. `lasted`: the
    /// time since the first call ever began. Until an instance has served more than its first call, nobody can say; then
    /// a moment is waited, and first calls and that time must do.
    pub(crate) fn worth_a_start(&self, calls: usize, busy: usize, lasted: Option<Duration>) -> bool {
        let guess = |lasted: Duration| {
            let lasted = u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX);
            self.first_us.map_or(lasted, |first| first.min(lasted))
        };
        let moment = self.undecided().unwrap_or_default();
        if busy > 0 && lasted.is_some_and(|lasted| lasted < moment) {
            return false;
        }
        match (self.drained_in(self.call_us.or_else(|| lasted.map(guess)), calls, busy), self.init()) {
            (Some(drained), Some(init)) => calls > 0 && drained >= init,
            _ => calls > 0,
        }
    }

    /// When a call that waits should look again whether the guess was right.
    pub(crate) fn patience(&self, calls: usize, busy: usize) -> Duration {
        match (self.drained_in(self.call_us, calls, busy), self.init()) {
            (Some(drained), _) => (drained * 3 / 2).max(LEAST),
            (None, Some(init)) => (init / 2).clamp(LEAST, UNKNOWN),
            (None, None) => UNKNOWN,
        }
    }

    /// While no call has ended yet: when it is time to look whether they last.
    pub(crate) fn undecided(&self) -> Option<Duration> {
        let init = self.init().filter(|_| self.call_us.is_none())?;
        Some((init / 8).clamp(LEAST, UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(call_ms: u64, init_ms: u64) -> Pace {
        let mut pace = Pace::default();
        pace.served(Duration::from_millis(call_ms));
        pace.started(Duration::from_millis(init_ms));
        pace
    }

    #[test]
    fn a_start_must_be_done_before_the_busy_ones_are() {
        for (call_ms, init_ms, calls, busy, worth) in [
            (1, 100, 1, 1, false),
            (1, 100, 99, 1, false),
            (1, 100, 100, 1, true),
            (1, 100, 198, 2, false),
            (100, 100, 1, 1, true),
            (50, 100, 1, 1, false),
            (3000, 100, 1, 20, true),
            (1, 0, 1, 1, true),
            (1, 100, 1, 0, true),
            (1, 100, 0, 0, false),
            (1, 100, 0, 5, false),
        ] {
            let got = pace(call_ms, init_ms).worth_a_start(calls, busy, None);
            assert_eq!(got, worth, "{call_ms} ms a call, {init_ms} ms a start, {calls} wait, {busy} busy");
        }
    }

    #[test]
    fn what_nobody_knows_is_worth_a_start() {
        assert!(Pace::default().worth_a_start(1, 5, None));
        let mut pace = Pace::default();
        pace.started(Duration::from_millis(100));
        let worth = |lasted_ms| pace.worth_a_start(196, 4, Some(Duration::from_millis(lasted_ms)));
        assert!(!worth(0) && !worth(12), "no call has ended, but they have only begun");
        assert!(worth(13), "at this pace the busy ones need 637 ms");
        assert!(!pace.worth_a_start(1, 4, Some(Duration::from_millis(300))), "and 75 ms for the last one");
        assert_eq!(pace.undecided(), Some(Duration::from_micros(12_500)));
        pace.served_first(Duration::from_millis(2));
        let second = Some(Duration::from_secs(60));
        assert!(!pace.worth_a_start(1, 1, second), "a first call was short enough");
        pace.served(Duration::from_millis(1));
        assert_eq!(pace.undecided(), None);
    }

    #[test]
    fn averages_follow() {
        let mut pace = pace(1, 100);
        (0..60).for_each(|_| pace.served(Duration::from_millis(500)));
        assert!(pace.worth_a_start(1, 1, None));
        (0..60).for_each(|_| pace.served(Duration::from_millis(1)));
        assert!(!pace.worth_a_start(1, 1, None));
    }
}
