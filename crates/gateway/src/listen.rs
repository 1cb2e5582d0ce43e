//! Accept within bounds; drain at shutdown.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyfn_base::{Base, TaskKind};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{Gateway, Trust, strict::Strict};

/// Bounds of what strangers may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections at once. Default 10,000.
    pub connections: usize,
    /// Milliseconds for a request's head. Default 10,000.
    pub head_ms: u64,
    /// Bytes of a request's head. Default 64 KiB.
    pub head_bytes: usize,
    /// Headers of a request. Default 100.
    pub headers: usize,
    /// HTTP/2 streams of one connection. Default 128.
    pub streams: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 10_000, head_ms: 10_000, head_bytes: 64 * 1024, headers: 100, streams: 128 }
    }
}

/// A listener that is bound and not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    pub address: SocketAddr,
    pub trust: Trust,
}

/// Binds an address. Loopback addresses are trusted, all others ask for keys.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let trust = if address.ip().is_loopback() { Trust::Local } else { Trust::Keys };
    Ok(Bound { listener, address, trust })
}

impl Bound {
    /// Serves until the gateway is closed; connections finish what they are at.
    pub fn serve(self, base: &Base, gateway: Gateway, options: Options) {
        let base = base.clone();
        let tasks = base.tasks.clone();
        tasks.spawn(TaskKind::Service, "accept", async move { self.accept(base, gateway, options).await });
    }

    async fn accept(self, base: Base, gateway: Gateway, options: Options) {
        let permits = Arc::new(Semaphore::new(options.connections));
        let closing = gateway.doors().closing().clone();
        let open = base.metrics.gauge("anyfn_connections", "Connections that are open.", &[]);
        loop {
            let next = async {
                // The permit comes first: past the bound, connections wait in the kernel's own queue.
                let permit = permits.clone().acquire_owned().await.ok()?;
                Some((permit, self.listener.accept().await))
            };
            let Some(Some((permit, accepted))) = closing.run_until_cancelled(next).await else { return };
            match accepted {
                Ok((stream, peer)) => {
                    open.add(1);
                    let (gateway, base, options, open) =
                        (gateway.clone(), base.clone(), options.clone(), open.clone());
                    let trust = self.trust;
                    base.tasks.clone().spawn(TaskKind::Request, "connection", async move {
                        connection(stream, peer, trust, gateway, &base, &options, permit).await;
                        open.add(-1);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept");
                    base.clock.sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    trust: Trust,
    gateway: Gateway,
    base: &Base,
    options: &Options,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let doors = gateway.doors().clone();
    let service = service_fn(move |request| {
        let gateway = gateway.clone();
        async move { Ok::<_, std::convert::Infallible>(gateway.serve(request, peer, trust).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(options.head_ms))
        .max_buf_size(options.head_bytes.max(8192))
        .max_headers(options.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.streams)
        .max_header_list_size(u32::try_from(options.head_bytes).unwrap_or(65_536))
        .max_pending_accept_reset_streams(32)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let io = TokioIo::new(Strict::new(stream, options.head_bytes));
    let serving = builder.serve_connection(io, service);
    tokio::pin!(serving);
    let closing = doors.closing();
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, %peer, "connection");
    }
}
