//! What every dialect's HTTP edge shares.
//!
//! The gateway bounds and reads a request, finds out who calls, and hands it to a dialect as `Request`; the dialect gives
//! back a `Response` whose body may stream. Must not know: any platform, any socket, any store.

use std::{convert::Infallible, pin::Pin, task};

use anyfn_core::Frame;
use anyfn_policy::Caller;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tokio::sync::mpsc;

/// A request whose body was read whole, within the limit of its route.
#[derive(Debug)]
pub struct Request {
    pub parts: http::request::Parts,
    pub body: Bytes,
    pub caller: Caller,
    /// AWS's service and region as the signature (or the target header) names them.
    pub service: Option<String>,
    pub region: Option<String>,
    /// `http://127.0.0.1:4566`: the address that the caller used, for addresses in answers.
    pub base_url: String,
    /// The caller's own address.
    pub peer: std::net::SocketAddr,
}

/// The body of an answer. A stream that ends in an error closes the connection, so that a cut answer looks cut.
pub type Body = UnsyncBoxBody<Bytes, Cut>;
pub type Response = http::Response<Body>;

/// An answer that broke after it had begun.
#[derive(Debug)]
pub struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was cut")
    }
}

impl std::error::Error for Cut {}

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Turns a whole answer into one that gateways send.
pub fn whole(response: http::Response<Bytes>) -> Response {
    response.map(full)
}

/// A small answer of the platform itself.
pub fn text(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    text(status, "application/json", body)
}

/// A function's stream as a body: data as it comes; a failure cuts it.
pub fn stream(frames: mpsc::Receiver<Frame>) -> Body {
    Frames(frames).boxed_unsync()
}

struct Frames(mpsc::Receiver<Frame>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<http_body::Frame<Bytes>, Cut>>> {
        self.0.poll_recv(cx).map(|frame| match frame {
            Some(Frame::Data(bytes)) => Some(Ok(http_body::Frame::data(bytes))),
            Some(Frame::End) => None,
            Some(Frame::Failed(_)) | None => Some(Err(Cut)),
        })
    }
}

/// Bytes from a channel as a body; the channel's end is the body's.
pub fn channel(bytes: mpsc::Receiver<Bytes>) -> Body {
    Chunks(bytes).boxed_unsync()
}

struct Chunks(mpsc::Receiver<Bytes>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<http_body::Frame<Bytes>, Cut>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|b| Ok(http_body::Frame::data(b))))
    }
}

/// Whether the body's end is known now; for tests and for logs.
pub fn is_streaming(body: &Body) -> bool {
    body.size_hint().exact().is_none()
}
