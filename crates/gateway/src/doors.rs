//! When the addresses close. Shutdown begins before that: while requests that are inside come to their end, whoever asks
//! `/readyz` is still told to go elsewhere, and new calls are refused in words instead of by a dead address.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub(crate) struct Doors {
    closing: CancellationToken,
    inside: Arc<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    inside: AtomicUsize,
    /// Whoever waits for an empty house.
    empty: Notify,
}

/// One request that is being answered.
#[derive(Debug)]
pub(crate) struct Inside(Arc<Counted>);

impl Drop for Inside {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}

impl Doors {
    pub(crate) fn new() -> Self {
        Self { closing: CancellationToken::new(), inside: Arc::default() }
    }

    pub(crate) fn enter(&self) -> Inside {
        self.inside.inside.fetch_add(1, Ordering::AcqRel);
        Inside(self.inside.clone())
    }

    /// Ends when no request is being answered.
    pub(crate) async fn empty(&self) {
        loop {
            let told = self.inside.empty.notified();
            tokio::pin!(told);
            // Before the look, so that the last one cannot leave between the two unheard.
            told.as_mut().enable();
            if self.inside.inside.load(Ordering::Acquire) == 0 {
                return;
            }
            told.await;
        }
    }

    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Cancelled when listeners and idle connections are to end.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }
}

#[cfg(test)]
mod tests {
    use super::Doors;

    #[tokio::test]
    async fn h10_doors_close_when_the_last_one_has_left() {
        let doors = Doors::new();
        doors.empty().await;
        let (first, second) = (doors.enter(), doors.clone().enter());
        let mut empty = Box::pin(doors.empty());
        for one in [first, second] {
            assert!(futures_util::poll!(&mut empty).is_pending());
            drop(one);
        }
        empty.await;
        assert!(!doors.closing().is_cancelled());
        doors.close();
        assert!(doors.clone().closing().is_cancelled());
    }
}
