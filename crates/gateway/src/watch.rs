//! What a connection's reader, its requests and its keeper know of each other.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use anyfn_base::Metrics;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};

/// Shared by one connection's parts.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    in_flight: AtomicUsize,
    begun: AtomicU64,
    written: AtomicU64,
    /// Answers whose next move is the caller's: to take what it was given.
    given: AtomicUsize,
    two: AtomicBool,
    reader: AtomicWaker,
    metrics: Metrics,
}

impl Watch {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Counts a refusal. `reason` is from this room's own list.
    pub(crate) fn refused(&self, reason: &'static str) {
        let help = "Requests and connections that ended before a dialect saw them.";
        self.metrics.counter("anyfn_http_refused_total", help, &[("reason", reason)]).add(1);
    }

    /// Requests that came in whole heads and whose answers have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Requests since the connection's beginning.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(&self, requests: usize) {
        self.in_flight.fetch_add(requests, Ordering::AcqRel);
        self.begun.fetch_add(requests as u64, Ordering::Relaxed);
    }

    /// Bytes that the other side's kernel was given.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What has moved so far.
    pub(crate) fn progress(&self) -> Progress {
        Progress { begun: self.begun(), written: self.written.load(Ordering::Relaxed) }
    }

    /// Answers that wait for the caller to take what it was given.
    pub(crate) fn given(&self) -> usize {
        self.given.load(Ordering::Relaxed)
    }

    /// Wakes `cx` when an answer ends.
    pub(crate) fn wait_for_answer(&self, cx: &Context<'_>) {
        self.reader.register(cx.waker());
    }

    pub(crate) fn is_two(&self) -> bool {
        self.two.load(Ordering::Relaxed)
    }

    pub(crate) fn set_two(&self) {
        self.two.store(true, Ordering::Relaxed);
    }
}

/// Fewer bytes than this are PINGs and their like.
const CHATTER: u64 = 256;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    begun: u64,
    written: u64,
}

impl Progress {
    /// Whether nothing that matters has moved since `before`.
    pub(crate) fn is_quiet_since(self, before: Self) -> bool {
        self.begun == before.begun && self.written - before.written < CHATTER
    }
}

/// A request until its answer has ended or was dropped.
#[derive(Debug)]
pub(crate) struct Pending(Arc<Watch>);

impl Pending {
    /// For a request that `begin` has counted.
    pub(crate) fn of(watch: Arc<Watch>) -> Self {
        Self(watch)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.reader.wake();
    }
}

/// An answer's body that keeps its request pending.
#[derive(Debug)]
pub(crate) struct Answer<B> {
    body: B,
    pending: Pending,
    /// Whether the caller was given something and has not asked for more.
    given: bool,
}

impl<B> Answer<B> {
    pub(crate) fn new(body: B, pending: Pending) -> Self {
        Self { body, pending, given: false }
    }

    fn set_given(&mut self, given: bool) {
        if given != self.given {
            self.given = given;
            let all = &self.pending.0.given;
            if given {
                all.fetch_add(1, Ordering::Relaxed)
            } else {
                all.fetch_sub(1, Ordering::Relaxed)
            };
        }
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.set_given(false);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.set_given(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
