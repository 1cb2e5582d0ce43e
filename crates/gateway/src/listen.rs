//! Accept within bounds; drain at shutdown.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyfn_base::{Base, TaskKind};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
};

use tokio_util::sync::CancellationToken;

use crate::{
    Trust,
    connection::{Connection, Handler},
};

/// Connections that wait in the kernel; it may allow fewer (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

/// Bounds of what strangers may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections at once. Default 10,000.
    pub connections: usize,
    /// Milliseconds for a request's head; for the first one, from the moment that the connection was accepted. Default
    /// 10,000.
    pub head_ms: u64,
    /// Milliseconds that a connection may lie idle between requests. Default 75,000.
    pub idle_ms: u64,
    /// Milliseconds that the other side may take nothing of what we have to say. Default 60,000.
    pub write_ms: u64,
    /// Bytes of a request's head. Default 64 KiB.
    pub head_bytes: usize,
    /// Headers of a request. Default 100.
    pub headers: usize,
    /// HTTP/2 streams of one connection. Default 128.
    pub streams: u32,
    /// Peers whose word on `forwarded` headers and on the platform's own headers is taken: proxies in front of us.
    /// Default none.
    pub trusted: Vec<IpAddr>,
    /// Ends listeners and idle connections. Default: the beginning of shutdown.
    pub closing: Option<CancellationToken>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_ms: 10_000,
            idle_ms: 75_000,
            write_ms: 60_000,
            head_bytes: 64 * 1024,
            headers: 100,
            streams: 128,
            trusted: Vec::new(),
            closing: None,
        }
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
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the last run's closed connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    let trust = if address.ip().is_loopback() { Trust::Local } else { Trust::Keys };
    Ok(Bound { listener, address, trust })
}

impl Bound {
    /// Serves until shutdown begins; connections finish what they are at.
    pub fn serve(self, base: &Base, handler: impl Handler, options: Options) {
        let base = base.clone();
        let tasks = base.tasks.clone();
        tasks.spawn(TaskKind::Service, "accept", async move {
            self.accept(base, handler, Arc::new(options)).await
        });
    }

    async fn accept(self, base: Base, handler: impl Handler, options: Arc<Options>) {
        let permits = Arc::new(Semaphore::new(options.connections));
        let stopping = options.closing.clone().unwrap_or_else(|| base.tasks.stopping());
        let open = base.metrics.gauge("anyfn_connections", "Connections that are open.", &[]);
        loop {
            let next = async {
                // The permit comes first: past the bound, connections wait in the kernel's own queue.
                let permit = permits.clone().acquire_owned().await.ok()?;
                Some((permit, self.listener.accept().await))
            };
            let Some(Some((permit, accepted))) = stopping.run_until_cancelled(next).await else { return };
            match accepted {
                Ok((stream, peer)) => {
                    open.add(1);
                    let connection = Connection::new(&base, handler.clone(), &options, peer, self.trust);
                    let open = open.clone();
                    base.tasks.spawn(TaskKind::Request, "connection", async move {
                        connection.serve(stream).await;
                        open.add(-1);
                        drop(permit);
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
