//! Reading a request's body within bounds: of its route, of time, and of all bodies together.

use std::{sync::Arc, time::Duration};

use anyfn_base::Clock;
use anyfn_types::{Error, Kind};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget is counted in pieces of this many bytes.
const PIECE: usize = 64 * 1024;
/// A sender that gives nothing for this long is cut off.
const SILENCE: Duration = Duration::from_secs(30);

/// Memory that all bodies together may take.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// Body bytes and their share of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Vec<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / PIECE).max(1))))
    }

    /// Errors: `body_too_large`, `body_timeout`, `body_broken`, `overloaded`.
    pub(crate) async fn read<B>(&self, clock: &Clock, mut body: B, limit: u64) -> Result<Held, Error>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        if body.size_hint().lower() > limit {
            return Err(too_large(limit));
        }
        let mut share = Vec::new();
        let mut bytes = BytesMut::new();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = clock.sleep(SILENCE) => return Err(Error::new(Kind::Timeout, "body_timeout", "the body did not arrive in time")),
            };
            let Some(frame) = frame else { break };
            let frame =
                frame.map_err(|e| Error::invalid("body_broken", "the body ended early").caused_by(e))?;
            let Ok(data) = frame.into_data() else { continue };
            if (bytes.len() + data.len()) as u64 > limit {
                return Err(too_large(limit));
            }
            while share.len() * PIECE < bytes.len() + data.len() {
                let permit = self.0.clone().try_acquire_owned();
                let busy = |_| {
                    Error::new(Kind::Unavailable, "overloaded", "too many large requests at once; try again")
                };
                share.push(permit.map_err(busy)?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _share: share })
    }
}

fn too_large(limit: u64) -> Error {
    Error::new(Kind::TooLarge, "body_too_large", format!("Request must be smaller than {limit} bytes"))
}
