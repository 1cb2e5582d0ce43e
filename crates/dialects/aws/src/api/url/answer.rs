//! A reply as an HTTP answer, whole or as a stream.

use anyfn_base::{TaskKind, Tasks};
use anyfn_core::{Frame, Reply, ReplyBody};
use anyfn_types::{Error, Failure, Function, InvocationId};
use anyfn_web::{Body, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use tokio::sync::mpsc;

use super::{BROKEN, message, pass, reply, reply::Head};
use crate::api::collect::collect;

#[cfg(test)]
mod tests;

/// Pieces that may wait for a slow reader.
const QUEUE: usize = 16;

pub(super) struct Answer<'a> {
    pub(super) tasks: &'a Tasks,
    pub(super) function: &'a Function,
    /// The address passes streams on.
    pub(super) stream: bool,
    /// Bytes of a whole answer.
    pub(super) limit: u64,
    pub(super) id: InvocationId,
}

/// A stream whose first bytes were read already.
struct Begun {
    first: Bytes,
    frames: mpsc::Receiver<Frame>,
}

impl Answer<'_> {
    /// Always answers: what cannot be sent becomes a 502 and a line in the log.
    pub(super) async fn give(&self, reply: Reply) -> Response {
        let result = match reply.result {
            Ok(body) if let Some(head) = reply.head => Ok(pass::response(*head, body)),
            Ok(ReplyBody::Whole(bytes)) if self.stream => Ok(build(plain(None), anyfn_web::full(bytes))),
            Ok(ReplyBody::Whole(bytes)) => reply::read(&bytes).map(whole).map_err(Bad::Answer),
            Ok(ReplyBody::Stream { content_type, frames }) => self.stream(content_type, frames).await,
            Err(failure) => Err(Bad::Function(failure)),
        };
        result.unwrap_or_else(|bad| self.bad(&bad))
    }

    async fn stream(&self, kind: Option<String>, frames: mpsc::Receiver<Frame>) -> Result<Response, Bad> {
        let has_prelude = kind.as_deref().is_some_and(|kind| kind.starts_with(reply::PRELUDE_TYPE));
        let (head, begun) = if has_prelude {
            prelude(frames).await?
        } else if self.stream {
            (plain(kind.as_deref()), Begun { first: Bytes::new(), frames })
        } else {
            let bytes = collect(frames, self.limit).await?;
            return reply::read(&bytes).map(whole).map_err(Bad::Answer);
        };
        if self.stream {
            return Ok(build(head, self.passed(begun)));
        }
        let rest = collect(begun.frames, self.limit).await?;
        Ok(whole((head, [begun.first, rest].concat().into())))
    }

    /// The stream from where it was left. A reader who goes away ends it, and with it the function's call.
    fn passed(&self, mut begun: Begun) -> Body {
        if begun.first.is_empty() {
            return anyfn_web::stream(begun.frames);
        }
        let (sender, frames) = mpsc::channel(QUEUE);
        self.tasks.spawn(TaskKind::Request, "url-stream", async move {
            let mut next = Some(Frame::Data(begun.first));
            while let Some(frame) = next {
                if sender.send(frame).await.is_err() {
                    return;
                }
                next = begun.frames.recv().await;
            }
        });
        anyfn_web::stream(frames)
    }

    fn bad(&self, bad: &Bad) -> Response {
        let (function, id) = (&self.function.name, self.id.uuid());
        match bad {
            Bad::Answer(error) => {
                tracing::warn!(%function, id, why = error.public, "a function's answer cannot be sent");
            }
            Bad::Function(failure) => {
                tracing::info!(%function, id, kind = failure.error_type, "a function failed")
            }
        }
        message(StatusCode::BAD_GATEWAY, BROKEN)
    }
}

/// Why there is no answer of the function.
enum Bad {
    Answer(Error),
    Function(Failure),
}

impl From<Failure> for Bad {
    fn from(failure: Failure) -> Self {
        Self::Function(failure)
    }
}

/// Reads until the prelude is whole.
async fn prelude(mut frames: mpsc::Receiver<Frame>) -> Result<(Head, Begun), Bad> {
    let bad = |why: &str| Bad::Answer(Error::invalid("url_answer_malformed", why));
    let mut seen = BytesMut::new();
    loop {
        match frames.recv().await {
            Some(Frame::Data(bytes)) => seen.extend_from_slice(&bytes),
            Some(Frame::Failed(failure)) => return Err(failure.into()),
            Some(Frame::End) | None => return Err(bad("the stream ended within its prelude")),
        }
        if let Some(end) = reply::prelude_end(&seen) {
            let mut rest = seen.split_off(end);
            let first = rest.split_off(reply::PRELUDE_END.len()).freeze();
            let head = reply::read_prelude(&seen).map_err(Bad::Answer)?;
            return Ok((head, Begun { first, frames }));
        }
        if seen.len() > reply::PRELUDE_MAX {
            return Err(bad("the prelude does not end"));
        }
    }
}

/// The head of a stream without a prelude.
fn plain(content_type: Option<&str>) -> Head {
    let mut head = Head::new("application/octet-stream");
    if let Some(kind) = content_type.and_then(|kind| HeaderValue::from_str(kind).ok()) {
        head.headers.insert(CONTENT_TYPE, kind);
    }
    head
}

fn whole((head, body): (Head, Bytes)) -> Response {
    build(head, anyfn_web::full(body))
}

fn build(head: Head, body: Body) -> Response {
    let mut response = http::Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}
