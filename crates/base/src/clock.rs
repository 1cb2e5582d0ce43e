//! Wall time for people and wire formats, monotonic time for durations and deadlines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyfn_types::Millis;
pub use tokio::time::Instant;

/// Cheap to clone. In a simulation the wall clock moves with tokio's own (pausable) clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Simulated { start: Millis, origin: Instant, jump_ms: Arc<AtomicI64> },
}

impl Clock {
    pub fn system() -> Self {
        Self(Kind::System)
    }

    pub fn simulated(start: Millis) -> Self {
        Self(Kind::Simulated { start, origin: Instant::now(), jump_ms: Arc::default() })
    }

    /// Milliseconds since the epoch. May jump; never use it for a duration.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn wall(&self) -> Millis {
        match &self.0 {
            Kind::System => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |d| Millis::try_from(d.as_millis()).unwrap_or(Millis::MAX)),
            Kind::Simulated { start, origin, jump_ms } => {
                let passed = Millis::try_from(origin.elapsed().as_millis()).unwrap_or(Millis::MAX);
                (start + passed).saturating_add_signed(jump_ms.load(Ordering::Relaxed))
            }
        }
    }

    /// Monotonic.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    pub async fn sleep(&self, duration: Duration) {
        self.sleep_until(Instant::now() + duration).await;
    }

    pub async fn sleep_until(&self, deadline: Instant) {
        tokio::time::sleep_until(deadline).await;
    }

    /// Moves a simulated wall clock by hand, as an operator or NTP might. No effect on the system clock.
    pub fn jump(&self, by_ms: i64) {
        if let Kind::Simulated { jump_ms, .. } = &self.0 {
            jump_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
}

/// `2026-11-21T18:30:00.123Z`.
pub fn iso_millis(at: Millis) -> String {
    let moment = i64::try_from(at / 1000)
        .ok()
        .and_then(|s| time::OffsetDateTime::from_unix_timestamp(s).ok())
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (moment.date(), moment.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second(),
        at % 1000
    )
}
