//! One connection from its first byte to its last.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use anyfn_base::{Base, Clock, Instant, TaskKind, Tasks};
use anyfn_web::Response;
use bytes::BytesMut;
use http::{Request, StatusCode};
use hyper::{body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    Body, Options, Trust,
    headers::{check_two, clean},
    quick,
    strict::{Bounds, Patience, Refusal, Strict},
    watch::{Answer, Pending, Watch},
};

/// A connection that has been asked to end and has no request in flight is dropped after this long.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes that an HTTP/2 sender may be ahead of us, on a stream and on the connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one HTTP/2 answer that wait for a slow reader.
const SEND_BUFFER: usize = 64 * 1024;
/// HTTP/2 streams that the caller took back before we took them up, before the connection ends.
const EARLY_RESETS: usize = 32;
/// HTTP/2 streams that we had to reset for the caller's mistakes, before the connection ends.
const OUR_RESETS: usize = 128;

/// Answers requests whose heads have passed the edge.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Always answers. The future is dropped when the caller is gone.
    fn handle(
        &self,
        request: Request<Body>,
        peer: SocketAddr,
        trust: Trust,
    ) -> impl Future<Output = Response> + Send;
}

/// An accepted connection's settings.
#[derive(Debug)]
pub(crate) struct Connection<H> {
    base: Base,
    handler: H,
    options: Arc<Options>,
    peer: SocketAddr,
    trust: Trust,
    id: u64,
    watch: Arc<Watch>,
}

impl<H: Handler> Connection<H> {
    pub(crate) fn new(
        base: &Base,
        handler: H,
        options: &Arc<Options>,
        peer: SocketAddr,
        trust: Trust,
    ) -> Self {
        let watch = Arc::new(Watch::new(base.metrics.clone()));
        Self {
            base: base.clone(),
            handler,
            options: options.clone(),
            peer,
            trust,
            id: base.random.u64(),
            watch,
        }
    }

    /// Returns when the connection is closed.
    pub(crate) async fn serve(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let this = Arc::new(self);
        let stopping = this.options.closing.clone().unwrap_or_else(|| this.base.tasks.stopping());
        if let quick::End::Over(stream, bytes, due) = quick::serve(&this, stream, &stopping).await {
            // In a box, so that connections that never come here need no room for it.
            Box::pin(this.serve_all(stream, bytes, (due, stopping))).await;
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.base.clock
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { bytes: self.options.head_bytes, headers: self.options.headers }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience {
            head: Duration::from_millis(self.options.head_ms),
            idle: Duration::from_millis(self.options.idle_ms),
            write: Duration::from_millis(self.options.write_ms),
        }
    }

    /// The long way: every message of HTTP/1 and HTTP/2.
    async fn serve_all(
        self: Arc<Self>,
        stream: TcpStream,
        bytes: BytesMut,
        (due, stopping): (Instant, CancellationToken),
    ) {
        let this = self;
        let (builder, patience) = (builder(&this.base.tasks, &this.options), this.patience());
        let io = Strict::new(stream, this.bounds(), patience, this.watch.clone(), this.base.clock.clone())
            .resume(bytes, due);
        let service = service_fn({
            let this = this.clone();
            move |request| this.clone().answer(request)
        });
        let serving = builder.serve_connection(TokioIo::new(io), service);
        tokio::pin!(serving);
        let result = tokio::select! {
            // In this order: an answer that begins after the stop has to say that the connection closes.
            biased;
            () = stopping.cancelled() => None,
            () = this.idle(patience.idle) => None,
            () = this.stalled(patience.write) => Some(Ok(())),
            result = serving.as_mut() => Some(result),
        };
        let result = if let Some(result) = result {
            result
        } else {
            serving.as_mut().graceful_shutdown();
            tokio::select! { result = serving => result, () = this.empty() => Ok(()) }
        };
        if let Err(error) = result {
            tracing::debug!(%error, peer = %this.peer, "connection");
        }
    }

    /// Until an HTTP/2 connection has had no request for the idle time. HTTP/1's own idle time is `strict`'s matter.
    async fn idle(&self, patience: Duration) {
        self.quiet(patience, || self.watch.is_two() && self.watch.in_flight() == 0).await;
    }

    /// Until an HTTP/2 caller has taken nothing of what it was given for the time of a write: it keeps its windows shut
    /// and goes on to answer PINGs, which `strict` cannot tell from a healthy one.
    async fn stalled(&self, patience: Duration) {
        self.quiet(patience, || self.watch.is_two() && self.watch.given() > 0).await;
        self.watch.refused("stalled");
    }

    /// Until nothing has been in flight for a while, and nothing more goes out.
    async fn empty(&self) {
        self.quiet(GRACE, || self.watch.in_flight() == 0).await;
    }

    /// Until something has been so, and nothing has moved, for `patience`.
    async fn quiet(&self, patience: Duration, so: impl Fn() -> bool) {
        loop {
            let (before, was) = (self.watch.progress(), so());
            self.base.clock.sleep(patience).await;
            if was && so() && self.watch.progress().is_quiet_since(before) {
                return;
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<http::Response<Answer<anyfn_web::Body>>, Infallible> {
        if request.version() == http::Version::HTTP_2 {
            self.watch.begin(1);
        }
        let pending = Pending::of(self.watch.clone());
        let response = self.respond(request.map(Body::Incoming)).await;
        Ok(response.map(|body| Answer::new(body, pending)))
    }

    /// A request came in on the short way.
    pub(crate) fn begin(&self) -> Pending {
        self.watch.begin(1);
        Pending::of(self.watch.clone())
    }

    /// Answers one request.
    pub(crate) async fn respond(self: Arc<Self>, mut request: Request<Body>) -> Response {
        let trusted = self.options.trusted.contains(&self.peer.ip().to_canonical());
        clean(request.headers_mut(), trusted);
        let (parts, body) = request.into_parts();
        match check_two(&parts, self.options.headers) {
            Err(refusal) => self.refuse(refusal),
            Ok(()) => {
                let span = tracing::info_span!(
                    "request",
                    id = %format_args!("{:016x}.{}", self.id, self.watch.begun()),
                    method = %parts.method,
                    path = parts.uri.path(),
                );
                let request = Request::from_parts(parts, body);
                self.handler.handle(request, self.peer, self.trust).instrument(span).await
            }
        }
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.watch.refused(refusal.reason);
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        anyfn_web::text(status, "text/plain", format!("{}\n", refusal.reason))
    }
}

/// hyper's settings. Times of HTTP/1 heads are `strict`'s matter: the parser sees a head only when it is whole.
fn builder(tasks: &Tasks, options: &Options) -> Builder<Spawn> {
    let mut builder = Builder::new(Spawn(tasks.clone()));
    builder
        .http1()
        .header_read_timeout(None)
        .max_buf_size(options.head_bytes.max(8192) + 1024)
        .max_headers(options.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.streams)
        .max_header_list_size(u32::try_from(options.head_bytes).unwrap_or(65_536))
        .max_pending_accept_reset_streams(EARLY_RESETS)
        .max_local_error_reset_streams(OUR_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// HTTP/2 streams as tasks that are named, counted and drained.
#[derive(Clone, Debug)]
struct Spawn(Tasks);

impl<F> Executor<F> for Spawn
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(TaskKind::Request, "stream", stream);
    }
}
