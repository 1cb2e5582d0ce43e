//! Slows down who guesses keys: so many failures per source and window, then refusals without a look at the key.

use std::collections::HashMap;

use anyfn_types::Millis;

/// Counts failures by source (an address, a key id). Bounded: at most `sources` are remembered.
#[derive(Debug)]
pub struct Attempts {
    failures: u32,
    window_ms: Millis,
    sources: usize,
    /// When the window began, and failures since.
    seen: HashMap<String, (Millis, u32)>,
}

impl Attempts {
    /// `failures` (at least 1) within `window_ms` are let pass; `sources` (at least 1) are remembered.
    pub fn new(failures: u32, window_ms: Millis, sources: usize) -> Self {
        Self { failures: failures.max(1), window_ms, sources: sources.max(1), seen: HashMap::new() }
    }

    /// Whether this source may try now. Ask before comparing anything.
    pub fn may_try(&self, source: &str, now: Millis) -> bool {
        self.seen.get(source).is_none_or(|(began, count)| self.over(*began, now) || *count < self.failures)
    }

    /// Notes a failure.
    pub fn failed(&mut self, source: &str, now: Millis) {
        if let Some((began, count)) = self.seen.get_mut(source) {
            if now.saturating_sub(*began) < self.window_ms {
                *count = count.saturating_add(1);
            } else {
                (*began, *count) = (now, 1);
            }
            return;
        }
        if self.seen.len() >= self.sources {
            self.forget(now);
        }
        self.seen.insert(source.to_owned(), (now, 1));
    }

    fn over(&self, began: Millis, now: Millis) -> bool {
        now.saturating_sub(began) >= self.window_ms
    }

    /// Windows that are over; if there are none, the half with fewer failures: the worst stay known.
    fn forget(&mut self, now: Millis) {
        let window = self.window_ms;
        self.seen.retain(|_, (began, _)| now.saturating_sub(*began) < window);
        if self.seen.len() >= self.sources {
            let mut counts: Vec<u32> = self.seen.values().map(|(_, count)| *count).collect();
            counts.sort_unstable();
            let middle = counts[counts.len() / 2];
            self.seen.retain(|_, (_, count)| *count > middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Attempts;

    #[test]
    fn f10_ten_thousand_wrong_keys_are_limited() {
        let mut attempts = Attempts::new(20, 60_000, 1000);
        let mut tried = 0;
        for i in 0..10_000_u64 {
            if attempts.may_try("10.0.0.1", i) {
                tried += 1;
                attempts.failed("10.0.0.1", i);
            }
        }
        assert_eq!(tried, 20);
        assert!(attempts.may_try("10.0.0.2", 10_000), "others are not touched");
        assert!(attempts.may_try("10.0.0.1", 60_000), "the window ends");
    }

    #[test]
    fn f10_many_sources_cost_bounded_memory_and_the_worst_stays_known() {
        let mut attempts = Attempts::new(20, 60_000, 100);
        (0..30).for_each(|_| attempts.failed("worst", 1));
        for i in 0..10_000 {
            attempts.failed(&format!("s{i}"), 2);
            assert!(attempts.seen.len() <= 100);
        }
        assert!(!attempts.may_try("worst", 3));
    }
}
