//! The port `Guest`: one connection to a function's server, one call at a time. Several lanes share one process.

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::{
    Frame, Reply, ReplyBody, ReplyHead,
    ports::{Died, Guest, GuestEvent, InvokeError},
};
use anyfn_types::{Billing, Error, Failure, Invocation, MIB};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{
    Slot,
    answer::{Body, Framed, Garbled, Head, Piece, Reader},
    process::Process,
    request::{self, Unsendable},
    wire::{Sent, Wire},
};
use crate::failure;

/// Pieces of a streamed answer on their way to the caller; a slow caller slows the server down.
const STREAM_FRAMES: usize = 16;
/// Up to this an answer is passed on whole.
const WHOLE: u64 = 64 * 1024;
/// A connection that rested longer may be closed by the server at any moment: Node's servers do so after 5 s.
const FRESH_FOR: Duration = Duration::from_secs(4);
/// Interim answers before one that counts.
const INTERIM_MAX: usize = 8;
/// Of an answer that stands for a failure, what its message shows.
const SHOWN: usize = 4096;

pub(super) struct Lane {
    pub(super) slot: Arc<Slot>,
    pub(super) process: Arc<Process>,
    pub(super) version: u64,
    pub(super) memory_mib: u32,
    pub(super) stream_bytes: u64,
    pub(super) timeout: Duration,
    pub(super) init: Option<Duration>,
    pub(super) wire: Option<Wire>,
    pub(super) out: Vec<u8>,
    pub(super) usable: bool,
    pub(super) paused: bool,
    pub(super) stream: Option<Streaming>,
}

/// An answer that is still being passed on.
pub(super) struct Streaming {
    body: Body,
    keep: bool,
    to: mpsc::Sender<Frame>,
    deadline: Option<Instant>,
    passed: u64,
}

/// Why there is no answer to pass on.
enum Broken {
    Unsendable(Unsendable),
    Garbled(Garbled),
    /// The connection ended before the answer did.
    Closed,
    Platform(Error),
}

impl From<Garbled> for Broken {
    fn from(garbled: Garbled) -> Self {
        Self::Garbled(garbled)
    }
}

impl Lane {
    /// Sends the call and reads the head of its answer.
    async fn exchange(&mut self, call: &Invocation) -> Result<Head, Broken> {
        request::write(&mut self.out, call).map_err(Broken::Unsendable)?;
        loop {
            let kept = self.kept();
            let reused = kept.is_some();
            let mut wire = match kept {
                Some(wire) => wire,
                None => self.process.connect().await.map_err(Broken::Platform)?,
            };
            let sent = wire.send(&self.out, &call.body).await.map_err(|_| Broken::Closed)?;
            let answered = match sent {
                Sent::Nothing => Err(Broken::Closed),
                Sent::Whole | Sent::Part => read_head(&mut wire, request::is_head(call)).await,
            };
            match answered {
                Ok(mut head) => {
                    head.keep &= sent == Sent::Whole;
                    self.wire = Some(wire);
                    return Ok(head);
                }
                // The server closed a connection that it had kept for a while. Whether it saw the request is known only if
                // nothing was sent; else only what may run twice is sent twice.
                Err(Broken::Closed)
                    if reused
                        && wire.buffer.is_empty()
                        && (sent == Sent::Nothing || request::is_idempotent(call)) => {}
                Err(broken) => return Err(broken),
            }
        }
    }

    /// The kept connection, if it still is one.
    fn kept(&mut self) -> Option<Wire> {
        let mut wire = self.wire.take()?;
        let rested = self.process.base.clock.now() - wire.rested;
        (rested < FRESH_FOR && wire.is_quiet()).then_some(wire)
    }

    /// The body as far as it is here; a long or a slow one becomes a stream.
    async fn body(&mut self, head: &Head, deadline: Option<Instant>) -> Result<ReplyBody, Broken> {
        let mut body = Body::new(head.body);
        let Some(wire) = &mut self.wire else { return Err(Broken::Closed) };
        let mut first = BytesMut::new();
        loop {
            match body.next(&mut wire.buffer)? {
                Piece::Data(data)
                    if first.is_empty()
                        && matches!(head.body, Framed::Length(n) if n == data.len() as u64) =>
                {
                    self.rest(head.keep);
                    return Ok(ReplyBody::Whole(data));
                }
                Piece::Data(data) => first.extend_from_slice(&data),
                Piece::End => {
                    self.rest(head.keep);
                    return Ok(ReplyBody::Whole(first.freeze()));
                }
                Piece::More => {
                    let whole = matches!(head.body, Framed::Length(length) if length <= WHOLE);
                    if !whole {
                        break;
                    }
                    if !matches!(wire.read().await, Ok(read) if read > 0) {
                        return Err(Broken::Closed);
                    }
                }
            }
        }
        let (to, frames) = mpsc::channel(STREAM_FRAMES);
        let passed = first.len() as u64;
        if !first.is_empty() {
            let _room_for_one = to.try_send(Frame::Data(first.freeze()));
        }
        self.stream = Some(Streaming { body, keep: head.keep, to, deadline, passed });
        let kind = head.headers.iter().find(|(name, _)| name == "content-type");
        let content_type = kind.and_then(|(_, value)| std::str::from_utf8(value).ok()).map(str::to_owned);
        Ok(ReplyBody::Stream { content_type, frames })
    }

    /// The answer has been read; what came behind it nobody asked for.
    fn rest(&mut self, keep: bool) {
        let now = self.process.base.clock.now();
        self.wire = self.wire.take().filter(|wire| keep && wire.buffer.is_empty());
        if let Some(wire) = &mut self.wire {
            wire.rested = now;
        }
    }

    async fn answered(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Answered, Broken> {
        let head = self.exchange(call).await?;
        let body = self.body(&head, deadline).await?;
        Ok(Answered { head, body })
    }

    /// No more calls for this process: what it does cannot be trusted.
    fn give_up(&mut self) {
        self.usable = false;
        self.wire = None;
        self.slot.close();
    }

    async fn broken(&mut self, call: &Invocation, broken: Broken) -> InvokeError {
        let id = call.id.uuid();
        let failure = match broken {
            Broken::Platform(error) if !self.process.ended_with_it().await => {
                self.give_up();
                return InvokeError::Platform(error);
            }
            Broken::Unsendable(Unsendable(what)) => failure::found(
                "Http.Unsendable",
                Some(&id),
                &format!("the request cannot be passed on: {what}"),
            ),
            Broken::Garbled(Garbled(what)) => {
                self.give_up();
                let text = format!("the server broke its protocol: {what}");
                failure::found("Http.Garbled", Some(&id), &text)
            }
            Broken::Closed | Broken::Platform(_) => {
                self.wire = None;
                if self.process.ended_with_it().await {
                    self.give_up();
                    self.process.exited(Some(&id))
                } else {
                    let text = "the server closed the connection before it had answered";
                    failure::found("Http.Closed", Some(&id), text)
                }
            }
        };
        self.died(call, failure)
    }

    fn died(&mut self, call: &Invocation, failure: Failure) -> InvokeError {
        let log_tail = self.log_tail(call);
        InvokeError::Died(Box::new(Died { failure, billing: None, log_tail }))
    }

    fn log_tail(&self, call: &Invocation) -> Option<Bytes> {
        if !call.want_log_tail {
            return None;
        }
        self.process.output.drain();
        self.process.output.take_tail()
    }

    async fn reply(&mut self, call: &Invocation, answered: Answered, took: Duration) -> Reply {
        let Answered { head, body } = answered;
        let streams = self.stream.is_some();
        let billing = if streams { None } else { Some(self.billing(took).await) };
        let log_tail = self.log_tail(call);
        let (result, head) = match &call.http {
            Some(_) => (Ok(body), Some(Box::new(ReplyHead { status: head.status, headers: head.headers }))),
            None => (plain(head.status, body), None),
        };
        Reply { id: call.id, version: self.version, result, head, billing, log_tail }
    }

    async fn billing(&mut self, took: Duration) -> Billing {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let init = self.init.take();
        let peak = self.process.peak().await;
        Billing {
            duration_us: micros(took),
            billed_ms: (micros(took) + init.map_or(0, micros)).div_ceil(1000).max(1),
            init_us: init.map(micros),
            memory_mib: self.memory_mib,
            max_memory_mib: u32::try_from(peak.div_ceil(MIB)).unwrap_or(u32::MAX).min(self.memory_mib),
            cold: init.is_some(),
        }
    }

    /// Passes the rest of an answer on. A caller who left gets no more of it, and the connection ends.
    async fn pump(&mut self, mut stream: Streaming) {
        let clock = self.process.base.clock.clone();
        let passed = async {
            let Some(wire) = &mut self.wire else { return Err(Broken::Closed) };
            loop {
                let frame = match stream.body.next(&mut wire.buffer)? {
                    Piece::End => return Ok(Some(true)),
                    Piece::More => {
                        tokio::select! {
                            biased;
                            read = wire.read() => match read {
                                Ok(read) if read > 0 => {}
                                _ if stream.body.closed() => return Ok(Some(false)),
                                _ => return Err(Broken::Closed),
                            },
                            () = stream.to.closed() => return Ok(None),
                        }
                        continue;
                    }
                    Piece::Data(data) => data,
                };
                stream.passed += frame.len() as u64;
                if stream.passed > self.stream_bytes {
                    let failure = failure::too_large(stream.passed, self.stream_bytes);
                    let _gone = stream.to.send(Frame::Failed(failure)).await;
                    return Ok(None);
                }
                if stream.to.send(Frame::Data(frame)).await.is_err() {
                    return Ok(None);
                }
            }
        };
        let result = tokio::select! {
            biased;
            result = passed => result,
            () = until(&clock, stream.deadline) => {
                let text = failure::timed_out_text(self.timeout);
                let _gone = stream.to.try_send(Frame::Failed(failure::found("Sandbox.Timedout", None, &text)));
                self.give_up();
                return;
            }
        };
        match result {
            Ok(Some(whole)) => {
                self.rest(whole && stream.keep);
                let _gone = stream.to.send(Frame::End).await;
            }
            // Nobody takes the rest, so the connection cannot carry another answer.
            Ok(None) => self.rest(false),
            Err(broken) => {
                let text = match broken {
                    Broken::Garbled(Garbled(what)) => {
                        self.give_up();
                        format!("the server broke its protocol: {what}")
                    }
                    _ => "the server closed the connection within its answer".to_owned(),
                };
                self.wire = None;
                let _gone = stream.to.try_send(Frame::Failed(failure::found("Http.Closed", None, &text)));
            }
        }
    }
}

struct Answered {
    head: Head,
    body: ReplyBody,
}

/// An answer to a caller who does not speak HTTP with the function: its body, or a failure that names the status.
fn plain(status: u16, body: ReplyBody) -> Result<ReplyBody, Failure> {
    if status < 400 {
        return Ok(body);
    }
    let shown = match &body {
        ReplyBody::Whole(bytes) => String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned(),
        ReplyBody::Stream { .. } => String::new(),
    };
    let kind = format!("Http.{status}");
    let payload = serde_json::json!({"errorType": kind, "errorMessage": shown}).to_string();
    Err(failure::reported(&kind, payload.into()))
}

async fn read_head(wire: &mut Wire, asked_head: bool) -> Result<Head, Broken> {
    let mut reader = Reader::default();
    let mut interim = 0;
    loop {
        match reader.read(&mut wire.buffer, asked_head)? {
            // Nobody asked to change the protocol.
            Some(head) if head.status == 101 => return Err(Garbled("upgrade").into()),
            Some(head) if head.status < 200 => {
                interim += 1;
                if interim > INTERIM_MAX {
                    return Err(Garbled("interim").into());
                }
            }
            Some(head) => return Ok(head),
            None => match wire.read().await {
                Ok(read) if read > 0 => {}
                _ => return Err(Broken::Closed),
            },
        }
    }
}

async fn until(clock: &anyfn_base::Clock, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[async_trait]
impl Guest for Lane {
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError> {
        let clock = self.process.base.clock.clone();
        let began = clock.now();
        if call.want_log_tail {
            self.process.output.begin_tail(true);
        }
        let answered = tokio::select! {
            biased;
            answered = self.answered(call, deadline) => answered,
            () = until(&clock, deadline) => {
                self.give_up();
                let failure = failure::timed_out(&call.id.uuid(), self.timeout);
                return Err(self.died(call, failure));
            }
        };
        match answered {
            Ok(answered) => Ok(self.reply(call, answered, clock.now() - began).await),
            Err(broken) => Err(self.broken(call, broken).await),
        }
    }

    async fn settled(&mut self) -> bool {
        if let Some(stream) = self.stream.take() {
            self.pump(stream).await;
        }
        self.usable && !self.slot.is_closed()
    }

    async fn idle(&mut self) -> GuestEvent {
        if self.usable && !self.slot.is_closed() {
            self.process.gone.cancelled().await;
        }
        self.give_up();
        GuestEvent::Gone
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.paused = true;
        self.process.pause(self.slot.lanes()).await
    }

    async fn resume(&mut self) -> Result<(), Error> {
        self.paused = false;
        self.process.resume().await
    }

    async fn retire(mut self: Box<Self>, _reason: &'static str) {
        self.wire = None;
        if self.slot.leave() {
            if self.paused {
                let _it_ends_anyway = self.process.resume().await;
            }
            let process = self.process.clone();
            drop(self);
            process.end().await;
        }
    }
}
