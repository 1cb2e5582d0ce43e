//! The port `Guest`: a handle on a function that a host process has loaded.

use std::{sync::Arc, time::Duration};

use anyfn_base::{Base, Instant};
use anyfn_core::{
    Frame, Reply, ReplyBody, ReplyHead,
    ports::{BringUp, Died, Guest, GuestEvent, InvokeError, LogSink, LogTarget},
};
use anyfn_types::{Billing, Error, Failure, HttpHead, Invocation, InvocationId, MIB, Mode};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::{
    control::Shape,
    host::Function,
    lines::CallLog,
    link::{Call, Event},
    report,
    wire::{CallHead, Fault, Stats, Why},
};

/// Pieces of a streamed answer on their way to the caller; a slow caller slows the guest down.
const STREAM_FRAMES: usize = 16;
/// The host ends late calls itself; a host that does not is left after this.
const GRACE: Duration = Duration::from_millis(250);

pub(crate) struct WasmGuest {
    base: Base,
    function: Arc<Function>,
    facts: Arc<Facts>,
    first: bool,
    streaming: Option<Streaming>,
}

/// What stays the same from call to call.
struct Facts {
    version: u64,
    version_text: String,
    memory_mib: u32,
    timeout: Duration,
    payload_max: u64,
    stream_max: u64,
    log_max: u64,
    line_max: usize,
    logs: Arc<dyn LogSink>,
    log: Arc<LogTarget>,
}

/// One call.
struct Turn {
    invocation: InvocationId,
    /// 8-4-4-4-12.
    id: String,
    begun: Instant,
    deadline: Option<Instant>,
    timeout: Duration,
    cold: bool,
    log: Arc<CallLog>,
}

/// A call whose answer is a stream on its way.
struct Streaming {
    turn: Turn,
    call: Call,
    frames: mpsc::Sender<Frame>,
}

enum Heard {
    Event(Event),
    Gone,
    Late,
}

impl WasmGuest {
    pub(crate) fn new(base: Base, function: Arc<Function>, with: BringUp, log: LogTarget) -> Self {
        let config = &with.version.config;
        let number = with.version.number;
        let facts = Facts {
            version: number,
            version_text: if number == 0 { "$LATEST".to_owned() } else { number.to_string() },
            memory_mib: config.memory_mib,
            timeout: Duration::from_millis(config.timeout_ms),
            payload_max: with.limits.payload_bytes,
            stream_max: with.limits.stream_bytes,
            log_max: with.limits.log_bytes_per_s,
            line_max: with.limits.log_line_bytes,
            logs: with.logs.clone(),
            log: Arc::new(log),
        };
        Self { base, function, facts: Arc::new(facts), first: true, streaming: None }
    }

    fn turn(&mut self, call: &Invocation, deadline: Option<Instant>) -> Turn {
        let begun = self.base.clock.now();
        let facts = &self.facts;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(begun));
        let to = (facts.logs.clone(), facts.log.clone());
        Turn {
            invocation: call.id,
            id: call.id.uuid(),
            begun,
            deadline,
            timeout: if facts.timeout.is_zero() { left.unwrap_or_default() } else { facts.timeout },
            cold: std::mem::take(&mut self.first),
            log: Arc::new(CallLog::new(self.base.clock.clone(), to, facts.line_max, call.want_log_tail)),
        }
    }

    fn head(&self, call: &Invocation, turn: &Turn) -> CallHead {
        let left = turn.deadline.map(|deadline| deadline.saturating_duration_since(turn.begun).as_millis());
        let plain = || HttpHead {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: vec![("content-type".to_owned(), Bytes::from_static(b"application/json"))],
        };
        let http =
            (self.function.shape == Shape::Http).then(|| call.http.as_deref().cloned().unwrap_or_else(plain));
        let streams = call.mode == Mode::Stream;
        CallHead {
            function: self.function.number,
            left_ms: left.map_or(0, |left| u64::try_from(left).unwrap_or(u64::MAX).max(1)),
            answer_max: if streams { self.facts.stream_max } else { self.facts.payload_max },
            log_max: self.facts.log_max,
            body_len: call.body.len() as u64,
            id: turn.id.clone(),
            http,
        }
    }

    async fn heard(&self, call: &mut Call, deadline: Option<Instant>) -> Heard {
        let event = match deadline {
            None => call.next().await,
            Some(deadline) => tokio::select! {
                biased;
                event = call.next() => event,
                () = self.base.clock.sleep_until(deadline + GRACE) => return Heard::Late,
            },
        };
        event.map_or(Heard::Gone, Heard::Event)
    }

    fn billing(&self, turn: &Turn, stats: Stats) -> Billing {
        let took = (self.base.clock.now() - turn.begun).as_micros();
        let took = u64::try_from(took).unwrap_or(u64::MAX);
        Billing {
            duration_us: took,
            billed_ms: took.div_ceil(1000).max(1),
            init_us: None,
            memory_mib: self.facts.memory_mib,
            max_memory_mib: u32::try_from(stats.memory_bytes.div_ceil(MIB)).unwrap_or(u32::MAX),
            cold: turn.cold,
        }
    }

    /// The last lines of a call, and what it is billed.
    fn finish(&self, turn: &Turn, stats: Stats, failure: Option<&Failure>) -> (Billing, Option<Bytes>) {
        let billing = self.billing(turn, stats);
        if let Some(failure) = failure {
            turn.log.line(String::from_utf8_lossy(&failure.payload).into_owned());
        }
        turn.log.line(report::end(&turn.id));
        turn.log.line(report::report(&turn.id, &billing));
        (billing, turn.log.finish())
    }

    fn reply(&self, turn: &Turn, stats: Stats, result: Result<(Option<ReplyHead>, Bytes), Failure>) -> Reply {
        let (billing, log_tail) = self.finish(turn, stats, result.as_ref().err());
        let (head, result) = match result {
            Ok((head, body)) => (head.map(Box::new), Ok(ReplyBody::Whole(body))),
            Err(failure) => (None, Err(failure)),
        };
        let version = self.facts.version;
        Reply { id: turn.invocation, version, result, head, billing: Some(billing), log_tail }
    }

    fn fault(&self, turn: &Turn, fault: &Fault) -> Reply {
        let failure = report::fault(&turn.id, fault, turn.timeout, self.facts.memory_mib);
        self.reply(turn, fault.stats, Err(failure))
    }

    async fn died(&self, turn: &Turn) -> InvokeError {
        let failure = report::died(&turn.id, self.function.host.ended().await);
        let (billing, log_tail) = self.finish(turn, Stats::default(), Some(&failure));
        InvokeError::Died(Box::new(Died { failure, billing: Some(billing), log_tail }))
    }

    /// The host did not stop the call: it is not to be believed any more.
    fn late(&self, turn: &Turn) -> InvokeError {
        self.function.host.gone.cancel();
        let failure = report::late(&turn.id, turn.timeout);
        let (billing, log_tail) = self.finish(turn, Stats::default(), Some(&failure));
        InvokeError::Died(Box::new(Died { failure, billing: Some(billing), log_tail }))
    }

    /// A long answer that nobody wants as a stream.
    async fn collect(
        &self,
        turn: &Turn,
        mut call: Call,
        head: Option<ReplyHead>,
    ) -> Result<Reply, InvokeError> {
        let mut body = BytesMut::new();
        loop {
            match self.heard(&mut call, turn.deadline).await {
                Heard::Event(Event::Data(data)) => {
                    if body.len() + data.len() > usize::try_from(self.facts.payload_max).unwrap_or(usize::MAX)
                    {
                        let text = "the answer is larger than a call's may be".to_owned();
                        let fault = Fault { why: Why::TooLarge, stats: Stats::default(), text };
                        return Ok(self.fault(turn, &fault));
                    }
                    body.extend_from_slice(&data);
                }
                Heard::Event(Event::End(stats)) => {
                    return Ok(self.reply(turn, stats, Ok((head, body.freeze()))));
                }
                Heard::Event(Event::Failed(fault)) => return Ok(self.fault(turn, &fault)),
                Heard::Event(Event::Answer(..) | Event::Head(_)) | Heard::Gone => {
                    return Err(self.died(turn).await);
                }
                Heard::Late => return Err(self.late(turn)),
            }
        }
    }

    fn stream(&mut self, turn: Turn, call: Call, head: Option<ReplyHead>) -> Reply {
        let (sender, frames) = mpsc::channel(STREAM_FRAMES);
        let content_type = head.as_ref().and_then(|head| {
            let (_, value) = head.headers.iter().find(|(name, _)| name == "content-type")?;
            String::from_utf8(value.to_vec()).ok()
        });
        let reply = Reply {
            id: turn.invocation,
            version: self.facts.version,
            result: Ok(ReplyBody::Stream { content_type, frames }),
            head: head.map(Box::new),
            billing: None,
            log_tail: None,
        };
        self.streaming = Some(Streaming { turn, call, frames: sender });
        reply
    }

    /// Hands the rest of a stream on; false if the handle is of no use any more.
    async fn pump(&self, streaming: &mut Streaming) -> bool {
        let Streaming { turn, call, frames } = streaming;
        let (stats, failure, usable) = loop {
            match self.heard(call, turn.deadline).await {
                Heard::Event(Event::Data(data)) => {
                    if frames.send(Frame::Data(data)).await.is_err() {
                        break (Stats::default(), None, true);
                    }
                }
                Heard::Event(Event::End(stats)) => break (stats, None, true),
                Heard::Event(Event::Failed(fault)) => {
                    let memory = self.facts.memory_mib;
                    break (fault.stats, Some(report::fault(&turn.id, &fault, turn.timeout, memory)), true);
                }
                Heard::Event(Event::Answer(..) | Event::Head(_)) | Heard::Gone => {
                    let exit = self.function.host.ended().await;
                    break (Stats::default(), Some(report::died(&turn.id, exit)), false);
                }
                Heard::Late => {
                    self.function.host.gone.cancel();
                    break (Stats::default(), Some(report::late(&turn.id, turn.timeout)), false);
                }
            }
        };
        self.finish(turn, stats, failure.as_ref());
        let _nobody_reads = frames.send(failure.map_or(Frame::End, Frame::Failed)).await;
        usable
    }
}

#[async_trait]
impl Guest for WasmGuest {
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError> {
        let turn = self.turn(call, deadline);
        turn.log.line(report::start(&turn.id, &self.facts.version_text));
        let Some(link) = self.function.host.link() else { return Err(self.died(&turn).await) };
        let mut on_way = link.begin(&self.head(call, &turn), &call.body, turn.log.clone());
        match self.heard(&mut on_way, deadline).await {
            Heard::Event(Event::Answer(stats, head, body)) => Ok(self.reply(&turn, stats, Ok((head, body)))),
            Heard::Event(Event::Head(head)) if call.mode == Mode::Stream => {
                Ok(self.stream(turn, on_way, head))
            }
            Heard::Event(Event::Head(head)) => self.collect(&turn, on_way, head).await,
            Heard::Event(Event::Failed(fault)) => Ok(self.fault(&turn, &fault)),
            Heard::Event(Event::Data(_) | Event::End(_)) | Heard::Gone => Err(self.died(&turn).await),
            Heard::Late => Err(self.late(&turn)),
        }
    }

    async fn settled(&mut self) -> bool {
        if let Some(mut streaming) = self.streaming.take() {
            return self.pump(&mut streaming).await;
        }
        !self.function.host.gone.is_cancelled()
    }

    async fn idle(&mut self) -> GuestEvent {
        self.function.host.gone.cancelled().await;
        GuestEvent::Gone
    }

    async fn pause(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn retire(self: Box<Self>, _reason: &'static str) {}
}
