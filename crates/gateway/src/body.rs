//! A request's body, and reading it within bounds: of its route, of time, and of all bodies together.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyfn_base::{Clock, Instant};
use anyfn_types::{Error, Kind};
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget is counted in pieces of this many bytes.
const PIECE: usize = 4 * 1024;
/// A sender that gives nothing for this long is cut off.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes each second that a sender gives at least, once the first `SILENCE` is over: one that trickles would otherwise
/// hold its place for as long as it likes.
const RATE: u64 = 4 * 1024;

/// The body of a request.
#[derive(Debug)]
pub enum Body {
    /// It comes, or came, over the connection.
    Incoming(Incoming),
    /// It is here already.
    Here(Option<Bytes>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            Self::Here(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            Self::Here(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            Self::Here(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// Memory that all bodies together may take.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// Body bytes and their share of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / PIECE).max(1))))
    }

    /// Errors: `body_too_large`, `body_timeout`, `body_broken`, `overloaded`.
    pub(crate) async fn read<B>(&self, clock: &Clock, mut body: B, limit: u64) -> Result<Held, Error>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if body.size_hint().lower() > limit {
            return Err(too_large(limit));
        }
        let began = clock.now();
        let mut share = None;
        let mut bytes = BytesMut::new();
        loop {
            let due = due(began, clock.now(), bytes.len() as u64);
            let frame = tokio::select! {
                // In this order: what is here needs no timer.
                biased;
                frame = body.frame() => frame,
                () = clock.sleep_until(due) => {
                    return Err(Error::new(Kind::Timeout, "body_timeout", "the body did not arrive in time"));
                }
            };
            let Some(frame) = frame else { break };
            let frame =
                frame.map_err(|e| Error::invalid("body_broken", "the body ended early").caused_by(e))?;
            let Ok(data) = frame.into_data() else { continue };
            let whole = bytes.len() + data.len();
            if whole as u64 > limit {
                return Err(too_large(limit));
            }
            self.grow(&mut share, whole)?;
            if bytes.is_empty() && body.is_end_stream() {
                return Ok(Held { bytes: data, _share: share });
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _share: share })
    }

    /// Takes what `bytes` need beyond what is held already.
    fn grow(&self, share: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Error> {
        let busy =
            || Error::new(Kind::Unavailable, "overloaded", "too many large requests at once; try again");
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(PIECE).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| busy())?;
        let permit = self.0.clone().try_acquire_many_owned(more).map_err(|_| busy())?;
        match share {
            Some(share) => share.merge(permit),
            None => *share = Some(permit),
        }
        Ok(())
    }
}

/// By when the next bytes have to be here.
fn due(began: Instant, now: Instant, bytes: u64) -> Instant {
    let earned = Duration::from_millis(bytes.saturating_mul(1000) / RATE);
    (began + SILENCE + earned).min(now + SILENCE)
}

fn too_large(limit: u64) -> Error {
    Error::new(Kind::TooLarge, "body_too_large", format!("Request must be smaller than {limit} bytes"))
}

#[cfg(test)]
mod tests;
