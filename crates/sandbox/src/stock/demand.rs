//! How many sandboxes of which shape are worth having ready.

use std::time::Duration;

use anyfn_base::Instant;

use crate::proto::Create;

/// What cannot be changed once a sandbox stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    hostname: String,
    pids: u32,
    open_files: u64,
    tmp: (u64, u64),
    internet: bool,
    listen: Option<u16>,
}

impl Shape {
    pub(super) fn of(spec: &Create) -> Self {
        Self {
            hostname: spec.hostname.clone(),
            // The group's bound can be changed, the bound on waiting signals cannot.
            pids: spec.pids,
            open_files: spec.open_files,
            tmp: (spec.tmp_bytes, spec.tmp_inodes),
            internet: spec.internet,
            listen: spec.listen,
        }
    }
}

/// Demand fades with this.
const MEMORY: Duration = Duration::from_secs(10);
/// A shape that was not asked for in this time is forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// For a shape that was used lately: one for the next call, one for the call beside it.
const LEAST: usize = 2;

/// Starts of one shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// Starts of the last seconds, older ones counting less.
    starts: f64,
    at: Instant,
}

impl Demand {
    pub(super) fn new(now: Instant) -> Self {
        Self { starts: 0.0, at: now }
    }

    pub(super) fn count(&mut self, now: Instant) {
        self.starts = self.faded(now) + 1.0;
        self.at = now;
    }

    fn faded(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        self.starts * (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }

    pub(super) fn recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < IDLE
    }

    fn wanted(&self, now: Instant) -> usize {
        if self.recent(now) { (self.faded(now).ceil() as usize).max(LEAST) } else { 0 }
    }
}

/// How many of each, all together at most `most`: the shape that was asked for last comes first.
pub(super) fn share<'a>(demands: impl Iterator<Item = &'a Demand>, now: Instant, most: usize) -> Vec<usize> {
    let demands: Vec<&Demand> = demands.collect();
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(demands[*at].at));
    let (mut left, mut shares) = (most, vec![0; demands.len()]);
    for at in order {
        shares[at] = demands[at].wanted(now).min(left);
        left -= shares[at];
    }
    shares
}

#[cfg(test)]
mod tests;
