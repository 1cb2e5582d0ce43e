//! Where a guest's output goes: a command's standard output is its answer, all the rest is log.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use anyfn_wasm::wire::{self, CHUNK, Kind};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

/// Bytes for the server that wait in a worker; above this, log is dropped.
const OUT_MAX: usize = 8 << 20;
/// What a guest may write at once.
const WRITE_MAX: usize = 64 << 10;

/// What a worker has to send. Its lock is the worker's own but for guests' blocking file operations.
pub(crate) type Out = Arc<Mutex<BytesMut>>;

pub(crate) fn with_out<T>(out: &Out, work: impl FnOnce(&mut BytesMut) -> T) -> T {
    work(&mut out.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One call's log.
#[derive(Clone)]
pub(crate) struct Log(Arc<LogInner>);

struct LogInner {
    out: Out,
    call: u32,
    left: AtomicU64,
    cut: AtomicBool,
}

impl Log {
    pub(crate) fn new(out: Out, call: u32, max: u64) -> Self {
        Self(Arc::new(LogInner { out, call, left: AtomicU64::new(max), cut: AtomicBool::new(false) }))
    }

    fn add(&self, bytes: &[u8]) {
        let inner = &self.0;
        let left = inner.left.load(Ordering::Relaxed);
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        with_out(&inner.out, |out| {
            let fits = if out.len() > OUT_MAX { 0 } else { fits };
            for piece in bytes[..fits].chunks(CHUNK) {
                wire::put(out, Kind::Log, inner.call, |out| out.put_slice(piece));
            }
            if fits < bytes.len() && !inner.cut.swap(true, Ordering::Relaxed) {
                let marker = b"\n[the rest of this call's log was dropped: too much of it]\n";
                wire::put(out, Kind::Log, inner.call, |out| out.put_slice(marker));
            }
            inner.left.store(left - fits as u64, Ordering::Relaxed);
        });
    }
}

/// A command's answer.
#[derive(Clone)]
pub(crate) struct Answer(Arc<AnswerInner>);

struct AnswerInner {
    bytes: Mutex<BytesMut>,
    max: usize,
    too_large: AtomicBool,
}

impl Answer {
    pub(crate) fn new(max: u64) -> Self {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        Self(Arc::new(AnswerInner { bytes: Mutex::default(), max, too_large: AtomicBool::new(false) }))
    }

    fn add(&self, bytes: &[u8]) {
        let mut so_far = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if so_far.len() + bytes.len() > self.0.max {
            self.0.too_large.store(true, Ordering::Relaxed);
        } else {
            so_far.extend_from_slice(bytes);
        }
    }

    pub(crate) fn is_too_large(&self) -> bool {
        self.0.too_large.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner)).freeze()
    }
}

/// A place for output that is always ready.
pub(crate) trait Sink: Clone + Send + Sync + 'static {
    fn put(&self, bytes: &[u8]);
    /// No more of it is of use.
    fn full(&self) -> bool {
        false
    }
}

impl Sink for Log {
    fn put(&self, bytes: &[u8]) {
        self.add(bytes);
    }
}

impl Sink for Answer {
    fn put(&self, bytes: &[u8]) {
        self.add(bytes);
    }

    fn full(&self) -> bool {
        self.is_too_large()
    }
}

/// A sink as the guest's stream.
#[derive(Clone)]
pub(crate) struct Stream<S>(pub(crate) S);

impl<S: Sink> IsTerminal for Stream<S> {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl<S: Sink> StdoutStream for Stream<S> {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl<S: Sink> Pollable for Stream<S> {
    async fn ready(&mut self) {}
}

impl<S: Sink> OutputStream for Stream<S> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.0.full() { Err(StreamError::Closed) } else { Ok(WRITE_MAX) }
    }
}

impl<S: Sink> AsyncWrite for Stream<S> {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.0.put(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}
