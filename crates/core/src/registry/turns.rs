//! Turns: who changes a function in several steps (change the code, make it ready, publish it) waits for its turn, in the
//! order of arrival. Compare-and-set alone keeps such work right but not alive: with many writers each one's steps are
//! overtaken by another's, and nobody is ever done.

use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use anyfn_types::{FunctionName, Namespace};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Registry;

/// Functions that share a lock only wait a little longer for each other.
const STRIPES: usize = 64;

#[derive(Debug)]
pub(super) struct Turns([Arc<Mutex<()>>; STRIPES]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Arc::default()))
    }
}

/// The turn ends when this is dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, not read")] OwnedMutexGuard<()>);

impl Registry {
    /// Waits for a turn at changing a function. Single changes need none; whoever holds one must not ask for another.
    pub async fn turn(&self, namespace: &Namespace, name: &FunctionName) -> Turn {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one((namespace, name));
        // The remainder is below the number of stripes.
        let at = usize::try_from(hash % STRIPES as u64).unwrap_or(0);
        Turn(self.turns.0[at].clone().lock_owned().await)
    }
}
