//! The seam to everything that makes two runs differ: time, randomness and tasks.
//!
//! Rooms take a `Base` as an argument; tests give one whose clock stands still and whose randomness has a seed. Nothing
//! else in the workspace may read a clock, ask the kernel for randomness or spawn (`clippy.toml` forbids it).
//! Must not know: any function, store or protocol.

mod clock;
mod metrics;
mod random;
mod tasks;

pub use clock::{Clock, Instant, Timer, iso_millis};
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use random::Random;
pub use tasks::{Drained, TaskKind, Tasks};

/// The seam, cheap to clone.
#[derive(Clone, Debug)]
pub struct Base {
    pub clock: Clock,
    pub random: Random,
    pub tasks: Tasks,
    pub metrics: Metrics,
}

impl Base {
    /// Real time and the kernel's randomness.
    pub fn system() -> Self {
        Self {
            clock: Clock::system(),
            random: Random::system(),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
        }
    }

    /// For tests: the wall clock starts at `start` and moves with tokio's (paused) time; randomness follows `seed`.
    pub fn simulated(start: anyfn_types::Millis, seed: u64) -> Self {
        Self {
            clock: Clock::simulated(start),
            random: Random::seeded(seed),
            tasks: Tasks::new(),
            metrics: Metrics::new(),
        }
    }
}
