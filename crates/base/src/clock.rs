//! Wall time for people and wire formats, monotonic time for durations and deadlines.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
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

    /// A wait that can be moved, for who polls by hand; ready at `deadline`.
    pub fn timer(&self, deadline: Instant) -> Timer {
        Timer(Box::pin(tokio::time::sleep_until(deadline)))
    }

    /// Moves a simulated wall clock by hand, as an operator or NTP might. No effect on the system clock.
    pub fn jump(&self, by_ms: i64) {
        if let Kind::Simulated { jump_ms, .. } = &self.0 {
            jump_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }
}

/// A deadline that can be moved without a new allocation.
#[derive(Debug)]
pub struct Timer(Pin<Box<tokio::time::Sleep>>);

impl Timer {
    pub fn deadline(&self) -> Instant {
        self.0.deadline()
    }

    /// Moves the deadline; whoever polled it last is woken at the new one.
    pub fn reset(&mut self, deadline: Instant) {
        self.0.as_mut().reset(deadline);
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
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
