//! The short way of plain HTTP/1.1 requests: read in one piece, answered on the connection's own task, written in one piece.
//!
//! Only a request that is whole, small and without a special wish is served here; it is read by the same strict reading as
//! everything else (`strict::head`). At the first byte that is anything else (HTTP/2, chunks, a long body, a slow or broken
//! head, `Expect`) the connection goes over to the long way for good, with all bytes that were not answered yet, so that
//! what is refused, and how, is decided in one place.

mod answer;
mod request;

use std::{
    io::{self, IoSlice},
    sync::Arc,
    time::Duration,
};

use anyfn_base::{Clock, Instant, Timer};
use anyfn_web::Response;
use bytes::{Bytes, BytesMut};
use http::{Method, header};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use self::{
    answer::{Framed, Heads},
    request::Found,
};
use crate::connection::{Connection, Handler};

/// Bytes that are read at once, and bytes of requests that may wait behind the one that is answered.
const READ: usize = 8 * 1024;
const AHEAD: usize = 64 * 1024;
/// How long the rest of a small body is waited for here.
const BODY: Duration = Duration::from_secs(1);

/// How the short way ended.
pub(crate) enum End {
    Closed,
    /// The long way goes on with these bytes; the first head has until then.
    Over(TcpStream, BytesMut, Instant),
}

/// The connection is of no further use.
struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// The caller's side.
struct Line {
    stream: TcpStream,
    buffer: BytesMut,
    clock: Clock,
    /// Milliseconds that the caller may take nothing of an answer.
    patience: Duration,
}

pub(crate) async fn serve<H: Handler>(
    connection: &Arc<Connection<H>>,
    stream: TcpStream,
    stopping: &CancellationToken,
) -> End {
    let (clock, patience) = (connection.clock().clone(), connection.patience());
    let mut due = clock.now() + patience.head;
    let mut timer = clock.timer(due);
    let mut line = Line { stream, buffer: BytesMut::new(), clock: clock.clone(), patience: patience.write };
    let mut heads = Heads::default();
    loop {
        match request::find(&mut line.buffer, connection.bounds()) {
            Found::Nothing => {
                let ended = tokio::select! {
                    biased;
                    read = line.read() => read.is_err(),
                    () = stopping.cancelled() => true,
                    () = late(&clock, &mut timer, due) => true,
                };
                if ended {
                    return End::Closed;
                }
            }
            Found::Body(needs) => {
                if !line.read_body(needs).await {
                    return line.over(due, patience.head);
                }
            }
            Found::Request(request, last) => {
                let _pending = connection.begin();
                let asked_head = request.method() == Method::HEAD;
                // In a box, so that a connection at rest needs no room for it.
                let handling = Box::pin(connection.clone().respond(*request));
                let response = tokio::select! {
                    biased;
                    response = handling => response,
                    () = line.gone() => return End::Closed,
                };
                let last = last || stopping.is_cancelled() || says_close(&response);
                if line.answer(&mut heads, response, (asked_head, last)).await.is_err() {
                    return End::Closed;
                }
                if last {
                    let _gone = line.stream.shutdown().await;
                    return End::Closed;
                }
                due = clock.now() + patience.idle;
            }
            Found::Other => return line.over(due, patience.head),
        }
    }
}

/// Ends when `due` has passed. The timer is moved only when it fires, which is seldom.
async fn late(clock: &Clock, timer: &mut Timer, due: Instant) {
    // A first head has less time than an idle connection, so the timer never fires late.
    loop {
        (&mut *timer).await;
        if clock.now() >= due {
            return;
        }
        timer.reset(due);
    }
}

fn says_close(response: &Response) -> bool {
    let close = response.headers().get(header::CONNECTION);
    close.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

impl Line {
    /// What is there of a head has begun now, or when the connection was accepted.
    fn over(self, due: Instant, patience: Duration) -> End {
        let due = due.min(self.clock.now() + patience);
        End::Over(self.stream, self.buffer, due)
    }

    /// Reads what there is. Cancel-safe.
    async fn read(&mut self) -> Result<(), Gone> {
        self.buffer.reserve(READ);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(read) if read > 0 => Ok(()),
            _ => Err(Gone),
        }
    }

    /// True when so many bytes are there.
    async fn read_body(&mut self, needs: usize) -> bool {
        let clock = self.clock.clone();
        self.buffer.reserve(needs.saturating_sub(self.buffer.len()));
        let read = async {
            while self.buffer.len() < needs {
                if self.read().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::select! { biased; whole = read => whole, () = clock.sleep(BODY) => false }
    }

    /// Ends when the caller has left. What it sends meanwhile is kept, up to a bound.
    async fn gone(&mut self) {
        while self.buffer.len() < AHEAD {
            if self.read().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    async fn answer(
        &mut self,
        heads: &mut Heads,
        response: Response,
        (asked_head, last): (bool, bool),
    ) -> Result<(), Gone> {
        let (parts, mut body) = response.into_parts();
        let framed =
            heads.write(&parts, http_body::Body::size_hint(&body).exact(), (asked_head, last), &self.clock);
        if framed == Framed::Nothing {
            return self.write(&heads.out, &[]).await;
        }
        let mut left = if let Framed::Length(length) = framed { length } else { u64::MAX };
        let mut head = Some(std::mem::take(&mut heads.out));
        loop {
            let frame = match self.frame(&mut body, head.as_deref()).await? {
                Waited::Frame(frame) => frame,
                Waited::Long => {
                    self.write(&head.take().unwrap_or_default(), &[]).await?;
                    continue;
                }
            };
            let before = head.take().unwrap_or_default();
            let Some(data) = frame else {
                let end: &[u8] = if framed == Framed::Chunked { b"0\r\n\r\n" } else { b"" };
                self.write(&before, end).await?;
                heads.out = before;
                // Less than was promised must look cut.
                return if framed == Framed::Chunked || left == 0 { Ok(()) } else { Err(Gone) };
            };
            if data.is_empty() {
                head = Some(before).filter(|before| !before.is_empty());
                continue;
            }
            left = left.checked_sub(data.len() as u64).ok_or(Gone)?;
            if framed == Framed::Chunked {
                let mut before = before;
                before.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                self.write(&before, &data).await?;
                self.write(b"\r\n", &[]).await?;
            } else {
                self.write(&before, &data).await?;
                if left == 0 {
                    heads.out = before;
                    return Ok(());
                }
            }
        }
    }

    /// The next data of a body; None at its end. A body that is not here yet does not hold its head back.
    async fn frame(&mut self, body: &mut anyfn_web::Body, head: Option<&[u8]>) -> Result<Waited, Gone> {
        let next = async {
            loop {
                match body.frame().await {
                    None => return Ok(Waited::Frame(None)),
                    Some(Err(_cut)) => return Err(Gone),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Ok(Waited::Frame(Some(data)));
                        }
                    }
                }
            }
        };
        tokio::select! {
            biased;
            next = next => next,
            () = std::future::ready(()), if head.is_some() => Ok(Waited::Long),
            () = self.gone() => Err(Gone),
        }
    }

    async fn write(&mut self, mut head: &[u8], mut body: &[u8]) -> Result<(), Gone> {
        while !head.is_empty() || !body.is_empty() {
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            match self.stream.try_write_vectored(&parts) {
                Ok(0) => return Err(Gone),
                Ok(written) => {
                    let of_head = written.min(head.len());
                    head = &head[of_head..];
                    body = &body[written - of_head..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::select! {
                        biased;
                        ready = self.stream.writable() => ready?,
                        () = self.clock.sleep(self.patience) => return Err(Gone),
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What waiting for a body's next data came to.
enum Waited {
    Frame(Option<Bytes>),
    /// It takes longer than a look.
    Long,
}
