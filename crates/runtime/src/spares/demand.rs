//! How many spares of one kind are worth keeping.

use std::time::Duration;

use anyfn_base::Instant;

/// After this long without a start, only the floor is kept.
const FORGET: Duration = Duration::from_secs(60);

/// Doubles when a start found no spare; halves when fewer were taken than kept.
#[derive(Debug, Default)]
pub(super) struct Demand {
    wanted: usize,
    /// Starts since the last tick.
    starts: usize,
    last: Option<Instant>,
}

impl Demand {
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// A start that found a spare or did not.
    pub(super) fn start(&mut self, now: Instant, found: bool, max: usize) {
        self.last = Some(now);
        self.starts += 1;
        let more = if found { self.wanted } else { self.wanted * 2 };
        self.wanted = more.clamp(1, max.max(1)).min(max);
    }

    pub(super) fn tick(&mut self, now: Instant, floor: usize) {
        let quiet = self.last.is_none_or(|last| now.saturating_duration_since(last) >= FORGET);
        self.wanted = if quiet {
            floor
        } else if self.starts * 2 < self.wanted {
            (self.wanted / 2).max(1).max(floor)
        } else {
            self.wanted
        };
        self.starts = 0;
    }

    /// They cannot be made now.
    pub(super) fn forget(&mut self) {
        self.wanted = 0;
    }
}

#[cfg(test)]
mod tests {
    use anyfn_base::Base;

    use super::*;

    #[test]
    fn it_follows_what_is_asked_for() {
        let now = Base::simulated(0, 1).clock.now();
        let mut demand = Demand::default();
        assert_eq!(demand.wanted(), 0);
        let steps = [(false, 1), (true, 1), (false, 2), (false, 4), (false, 5), (true, 5)];
        for (found, wanted) in steps {
            demand.start(now, found, 5);
            assert_eq!(demand.wanted(), wanted);
        }
        demand.tick(now, 0);
        assert_eq!(demand.wanted(), 5, "six were taken");
        for wanted in [2, 1, 1] {
            demand.tick(now + Duration::from_secs(1), 0);
            assert_eq!(demand.wanted(), wanted);
        }
        demand.tick(now + FORGET, 0);
        assert_eq!(demand.wanted(), 0);
        demand.tick(now + FORGET, 3);
        assert_eq!(demand.wanted(), 3, "the floor");
    }

    #[test]
    fn none_is_wanted_where_none_is_allowed() {
        let now = Base::simulated(0, 1).clock.now();
        let mut demand = Demand::default();
        demand.start(now, false, 0);
        assert_eq!(demand.wanted(), 0);
    }
}
