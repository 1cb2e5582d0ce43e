//! When the addresses close. Shutdown begins before that: while requests that are inside come to their end, whoever asks
//! `/readyz` is still told to go elsewhere, and new calls are refused in words instead of by a dead address.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Debug)]
pub(crate) struct Doors {
    closing: CancellationToken,
    inside: Arc<watch::Sender<usize>>,
}

/// One request that is being answered.
#[derive(Debug)]
pub(crate) struct Inside(Arc<watch::Sender<usize>>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Doors {
    pub(crate) fn new() -> Self {
        Self { closing: CancellationToken::new(), inside: Arc::new(watch::Sender::new(0)) }
    }

    pub(crate) fn enter(&self) -> Inside {
        self.inside.send_modify(|count| *count += 1);
        Inside(self.inside.clone())
    }

    /// Ends when no request is being answered.
    pub(crate) async fn empty(&self) {
        // The sender lives as long as this does.
        let _ = self.inside.subscribe().wait_for(|count| *count == 0).await;
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
