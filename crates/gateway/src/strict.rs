//! A stream that hyper reads from and that ends before anything ambiguous.
//!
//! Two servers in a row that read the same bytes as different requests let one caller speak in another one's name. So
//! the messages are followed here in the one strict reading (RFC 9112), a head goes on to the parser only when it is
//! whole and sound, and the parser sees an end of the stream where something is wrong. Bodies are not copied.
//!
//! The last words (a status line, or GOAWAY on HTTP/2) are written when the parser shuts the stream down: by then every
//! request that came before has been answered.

mod chunked;
mod frames;
mod framing;
mod head;
mod refusal;

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use anyfn_base::{Clock, Instant, Timer};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use framing::{Framing, Verdict};
pub(crate) use head::{Bounds, Framed, Head, URL_BYTES};
pub(crate) use refusal::Refusal;

use crate::watch::Watch;

/// Bytes that are read at once where they must be held back.
const STEP: usize = 4096;
/// A reader with less room than this is served from what is held.
const DIRECT: usize = 2048;
/// Bytes that are taken off a connection after its last words, so that the kernel does not reset it before the other
/// side has read them, and for how long.
const LINGER_BYTES: usize = 2 * 1024 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// How long a connection may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) head: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// What the reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// An end of the stream, once what came before is answered.
    AfterAnswers,
    /// An end of the stream.
    Now,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The connection's first head, from the moment that it was accepted.
    First,
    /// The rest of a head.
    Head,
    /// The next request.
    Idle,
}

/// How far the end of the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Words,
    Shutdown,
    Linger(usize),
    Done,
}

/// A connection's bytes on their way to the parser.
#[derive(Debug)]
pub(crate) struct Strict<S> {
    inner: S,
    framing: Framing,
    /// Bytes that were read and not handed on; the first `ready` of them may be.
    held: BytesMut,
    ready: usize,
    end: End,
    refused: bool,
    words: Bytes,
    closing: Closing,
    watch: Arc<Watch>,
    clock: Clock,
    patience: Patience,
    /// Until when.
    due: Option<(Wait, Instant)>,
    timer: Timer,
    writing: Option<Timer>,
    stalled: bool,
}

impl<S> Strict<S> {
    pub(crate) fn new(inner: S, bounds: Bounds, patience: Patience, watch: Arc<Watch>, clock: Clock) -> Self {
        let due = clock.now() + patience.head;
        Self {
            inner,
            framing: Framing::new(bounds),
            held: BytesMut::new(),
            ready: 0,
            end: End::Open,
            refused: false,
            words: Bytes::new(),
            closing: Closing::Words,
            watch,
            timer: clock.timer(due),
            clock,
            patience,
            due: Some((Wait::First, due)),
            writing: None,
            stalled: false,
        }
    }

    /// Goes on with bytes that were read before; the first head has until `due`.
    pub(crate) fn resume(mut self, bytes: BytesMut, due: Instant) -> Self {
        self.due = Some((Wait::First, due));
        self.timer.reset(due);
        self.held = bytes;
        if !self.held.is_empty() {
            self.look();
        }
        self
    }

    /// Judges all that is held.
    fn look(&mut self) {
        let verdict = self.framing.admit(&self.held, || self.clock.now());
        self.note(&verdict);
        self.ready = verdict.admitted;
        if self.end != End::Open || self.framing.is_over() {
            self.held.truncate(self.ready);
        }
    }

    /// Takes a verdict down; what is behind the admitted bytes is the caller's to drop.
    fn note(&mut self, verdict: &Verdict) {
        if verdict.heads > 0 {
            self.watch.begin(verdict.heads);
        }
        if verdict.admitted > 0 {
            self.due = None;
        }
        if self.framing.is_two() {
            self.watch.set_two();
        }
        if let Some(refusal) = verdict.refused {
            self.refuse(refusal);
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused = true;
        self.watch.refused(refusal.reason);
        if let Some(frames) = self.framing.frames() {
            (self.words, self.end) = (frames.goaway(), End::Now);
        } else if self.framing.in_body() {
            // The request that the body belongs to is being answered; its reader learns that the body is broken.
            self.end = End::Now;
        } else {
            (self.words, self.end) = (refusal.answer(), End::AfterAnswers);
        }
    }
}

impl<S: AsyncRead + Unpin> Strict<S> {
    /// Reads straight into the parser's buffer and takes back what may not go on. True when there is something to say
    /// to the parser: bytes, or the stream's end.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let verdict = self.framing.admit(fresh, || self.clock.now());
        self.note(&verdict);
        let fresh = &buf.filled()[before..];
        if self.end == End::Open && !self.framing.is_over() {
            self.held.extend_from_slice(&fresh[verdict.admitted..]);
        }
        buf.set_filled(before + verdict.admitted);
        Poll::Ready(Ok(verdict.admitted > 0))
    }

    /// Reads into what is held. True at the stream's end.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.held.reserve(STEP);
        let read = ready!(pin!(self.inner.read_buf(&mut self.held)).poll(cx))?;
        if read == 0 {
            return Poll::Ready(Ok(true));
        }
        self.look();
        Poll::Ready(Ok(false))
    }

    /// Nothing came: how long may that go on? True when the patience is at its end.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.framing.in_head() {
            return Poll::Pending;
        }
        let partial = !self.held.is_empty();
        let (wait, patience) = match self.due {
            Some((Wait::First, _)) => (Wait::First, self.patience.head),
            _ if partial => (Wait::Head, self.patience.head),
            _ if self.watch.in_flight() == 0 => (Wait::Idle, self.patience.idle),
            _ => {
                self.due = None;
                return Poll::Pending;
            }
        };
        let due = match self.due {
            Some((was, due)) if was == wait => due,
            _ => self.clock.now() + patience,
        };
        self.due = Some((wait, due));
        if self.timer.deadline() != due {
            self.timer.reset(due);
        }
        ready!(Pin::new(&mut self.timer).poll(cx));
        if partial {
            self.refuse(Refusal::SLOW);
            self.held.clear();
        } else {
            self.end = End::Now;
        }
        Poll::Ready(())
    }

    fn poll_end(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.end == End::AfterAnswers && self.watch.in_flight() > 0 {
            self.watch.wait_for_answer(cx);
            if self.watch.in_flight() > 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// After the caller's last message only the end of the stream is of interest.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = [0; 512];
        let mut scratch = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut scratch))?;
        // Bytes that nobody asked for: they are not read at all, and the answer's end closes the connection.
        if scratch.filled().is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Strict<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.ready > 0 {
                let taken = this.ready.min(buf.remaining());
                buf.put_slice(&this.held[..taken]);
                this.held.advance(taken);
                this.ready -= taken;
                if this.held.is_empty() {
                    this.held = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if this.end != End::Open {
                return this.poll_end(cx);
            }
            if this.framing.is_over() {
                return this.poll_over(cx);
            }
            let read = if this.held.is_empty() && buf.remaining() >= DIRECT {
                this.poll_direct(cx, buf)
            } else {
                this.poll_held(cx)
            };
            match read {
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => ready!(this.poll_patience(cx)),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Strict<S> {
    /// Bounds the time that the other side takes nothing off us.
    fn patient<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = false;
            return wrote;
        }
        let due = self.clock.now() + self.patience.write;
        let timer = self.writing.get_or_insert_with(|| self.clock.timer(due));
        if !self.stalled {
            self.stalled = true;
            timer.reset(due);
        }
        ready!(Pin::new(timer).poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing")))
    }

    fn wrote(&mut self, bytes: usize) {
        self.watch.wrote(bytes);
        if let Some(frames) = self.framing.frames() {
            frames.sent(bytes);
        }
    }

    fn poll_words(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.words.is_empty() {
            let wrote = Pin::new(&mut self.inner).poll_write(cx, &self.words);
            let wrote = ready!(self.patient(cx, wrote))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.words.advance(wrote);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>, mut left: usize) -> Poll<()> {
        let mut room = [0; 4096];
        loop {
            let mut scratch = ReadBuf::new(&mut room);
            match Pin::new(&mut self.inner).poll_read(cx, &mut scratch) {
                Poll::Ready(Ok(())) if !scratch.filled().is_empty() && left > 0 => {
                    left = left.saturating_sub(scratch.filled().len());
                    self.closing = Closing::Linger(left);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Pin::new(&mut self.timer).poll(cx),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Strict<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.inner).poll_write(cx, bytes);
        let wrote = ready!(this.patient(cx, wrote))?;
        this.wrote(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.closing {
                Closing::Words => {
                    ready!(this.poll_words(cx))?;
                    this.closing = Closing::Shutdown;
                }
                Closing::Shutdown => {
                    ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
                    let unread = this.refused || this.framing.in_body();
                    this.closing = if unread { Closing::Linger(LINGER_BYTES) } else { Closing::Done };
                    this.timer.reset(this.clock.now() + LINGER);
                }
                Closing::Linger(left) => {
                    ready!(this.poll_linger(cx, left));
                    this.closing = Closing::Done;
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        let wrote = ready!(this.patient(cx, wrote))?;
        this.wrote(wrote);
        Poll::Ready(Ok(wrote))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
