//! A server with a handler made for tests, and a client made of bytes.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyfn_base::Base;
use anyfn_gateway::{Body, Handler, Options, Trust};
use anyfn_web::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{Semaphore, mpsc},
};

/// What the handler saw and what it waits for.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) paths: Mutex<Vec<String>>,
    /// `/gate` answers when it gets a permit.
    pub(crate) gate: Semaphore,
    /// Senders of the bodies of `/stream`.
    pub(crate) streams:
        (mpsc::Sender<mpsc::Sender<Bytes>>, tokio::sync::Mutex<mpsc::Receiver<mpsc::Sender<Bytes>>>),
}

#[derive(Clone, Debug)]
pub(crate) struct Test(Arc<Seen>);

impl Handler for Test {
    async fn handle(&self, request: Request<Body>, _peer: SocketAddr, _trust: Trust) -> Response {
        let (parts, body) = request.into_parts();
        self.0.paths.lock().unwrap().push(parts.uri.path().to_owned());
        match parts.uri.path() {
            "/gate" => self.0.gate.acquire().await.unwrap().forget(),
            "/stream" => {
                let (give, body) = mpsc::channel(1);
                give.send(Bytes::from_static(b"first")).await.unwrap();
                self.0.streams.0.send(give).await.unwrap();
                return http::Response::new(anyfn_web::channel(body));
            }
            "/headers" => {
                let mut names: Vec<_> =
                    parts.headers.iter().map(|(n, v)| format!("{n}={}", v.len())).collect();
                names.sort_unstable();
                return anyfn_web::text(StatusCode::OK, "text/plain", names.join(","));
            }
            _ => {}
        }
        match body.collect().await {
            Ok(body) => {
                let body = body.to_bytes();
                anyfn_web::text(StatusCode::OK, "text/plain", format!("{}:{}", parts.uri.path(), body.len()))
            }
            Err(_) => anyfn_web::text(StatusCode::BAD_REQUEST, "text/plain", "body_broken"),
        }
    }
}

pub(crate) struct Server {
    pub(crate) base: Base,
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

impl Server {
    pub(crate) async fn start(options: Options) -> Self {
        let base = Base::system();
        let (give, take) = mpsc::channel(1024);
        let seen = Seen { paths: Mutex::default(), gate: Semaphore::new(0), streams: (give, take.into()) };
        let seen = Arc::new(seen);
        let bound = anyfn_gateway::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = bound.address;
        bound.serve(&base, Test(seen.clone()), options);
        Self { base, address, seen }
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = soon(TcpStream::connect(self.address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client(stream)
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen.paths.lock().unwrap().clone()
    }

    /// The sender of the next `/stream` body.
    pub(crate) async fn stream(&self) -> mpsc::Sender<Bytes> {
        soon(async { self.seen.streams.1.lock().await.recv().await.unwrap() }).await
    }

    /// A metric's value by its name and labels as they are printed.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.base.metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

/// Bounds a wait, so that a broken server fails a test and does not hang it.
pub(crate) async fn soon<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it did not happen")
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        soon(self.0.write_all(bytes.as_ref())).await.unwrap();
        self
    }

    /// Everything until the server closes its side.
    pub(crate) async fn rest(&mut self) -> String {
        let mut out = Vec::new();
        soon(self.0.read_to_end(&mut out)).await.expect("an end, not a reset");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut out = Vec::new();
        while !out.ends_with(end.as_bytes()) {
            let byte = soon(self.0.read_u8()).await;
            out.push(byte.unwrap_or_else(|e| panic!("{e} after {:?}", String::from_utf8_lossy(&out))));
        }
        String::from_utf8(out).unwrap()
    }

    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.send(get(path)).await.until(&format!("{path}:0")).await
    }
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// The status lines of a stream of answers.
pub(crate) fn statuses(answers: &str) -> Vec<u16> {
    let code = |line: &str| line.split(' ').next().and_then(|code| code.parse().ok());
    answers.split("HTTP/1.1 ").skip(1).filter_map(code).collect()
}
