//! Wrong keys are slowed down per address, so that nobody can try them by the thousand.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyfn_base::Instant;

/// Wrong tries of one address per window before it is refused unseen.
const TRIES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered.
const ADDRESSES: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Wrong(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl Wrong {
    /// Whether the address has tried too often.
    pub(crate) fn refused(&self, from: IpAddr, now: Instant) -> bool {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(&from).is_some_and(|(count, since)| *count >= TRIES && now - *since < WINDOW)
    }

    pub(crate) fn note(&self, from: IpAddr, now: Instant) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= ADDRESSES {
            tries.retain(|_, (_, since)| now - *since < WINDOW);
        }
        let entry = tries.entry(from).or_insert((0, now));
        if now - entry.1 >= WINDOW {
            *entry = (0, now);
        }
        entry.0 += 1;
    }
}
