//! The port `Guest`: calls, one at a time, and what is written and measured around each.

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::{
    Frame, Reply, ReplyBody,
    ports::{BringUp, Guest, GuestEvent, InvokeError, LogTarget, StartError},
};
use anyfn_types::{Billing, Error, Failure, Invocation, MIB};
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    answer::{Answer, Call},
    environment::version_text,
    failure,
    lambda::Shared,
    live::{Live, Moment, Trouble},
    platform_log::{PlatformLog, Status},
};

mod retire;

/// Pieces of a streamed answer on their way to the caller; a slow caller slows the guest down.
const STREAM_FRAMES: usize = 16;
/// A call shorter than this reports the memory that was seen before it; looking would cost more than the call.
const LOOK_AFTER: Duration = Duration::from_millis(5);
/// Between calls the memory is looked up again after this.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What a guest is told when its calls have no deadline.
const FAR_MS: u64 = 366 * 24 * 3600 * 1000;

pub(crate) struct LambdaGuest {
    shared: Arc<Shared>,
    with: BringUp,
    log: LogTarget,
    platform: PlatformLog,
    /// None after an init phase that ran out of time: the next call starts again within its own deadline.
    live: Option<Live>,
    /// Of the first call.
    init: Option<Duration>,
    paused: bool,
    usable: bool,
    turn: Option<Turn>,
    /// The most memory seen, in bytes, and when that was looked up.
    peak: Option<(Instant, u64)>,
}

/// A call whose answer is on its way.
struct Turn {
    id: String,
    started: Instant,
    deadline: Option<Instant>,
    /// What the deadline was, for the text.
    timeout: Duration,
    init: Option<Duration>,
    stream: Option<mpsc::Sender<Frame>>,
    streamed: u64,
}

/// `/aws/lambda/<name>` and `YYYY/MM/DD/[version]<32 hex>`.
fn log_target(shared: &Shared, with: &BringUp) -> LogTarget {
    let group = with.version.config.logging.group.clone();
    let day = anyfn_base::iso_millis(shared.base.clock.wall())[..10].replace('-', "/");
    LogTarget {
        namespace: with.function.namespace.clone(),
        group: group.unwrap_or_else(|| format!("/aws/lambda/{}", with.function.name)),
        stream: format!("{day}/[{}]{:032x}", version_text(with.version.number), with.instance.0),
    }
}

/// `python:3.12.v1`: the form that log readers expect.
fn runtime_version(runtime: &str) -> String {
    let at = runtime.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(runtime.len());
    let (name, version) = runtime.split_at(at);
    format!("{name}:{}.v1", version.trim_start_matches('.').trim_end_matches(".x"))
}

impl LambdaGuest {
    pub(crate) async fn bring_up(shared: Arc<Shared>, with: BringUp) -> Result<Self, StartError> {
        let log = log_target(&shared, &with);
        let version = version_text(with.version.number);
        let platform = PlatformLog::new(&with.version.config.logging, shared.base.clock.clone(), version);
        let started = shared.base.clock.now();
        let until = started + with.init_timeout;
        let mut guest = Self {
            shared,
            with,
            log,
            platform,
            live: None,
            init: None,
            paused: false,
            usable: true,
            turn: None,
            peak: None,
        };
        match guest.init(until).await {
            Ok(()) => {
                let took = guest.shared.base.clock.now() - started;
                guest.init = Some(took).filter(|_| guest.with.initialization == "on-demand");
                Ok(guest)
            }
            Err(NotUp::TimedOut) => Ok(guest),
            Err(NotUp::Start(error)) => Err(error),
        }
    }

    /// One init phase: processes up and asking for work.
    async fn init(&mut self, until: Instant) -> Result<(), NotUp> {
        let started = self.shared.base.clock.now();
        let (mut live, starting) =
            Live::start(self.shared.clone(), &self.with, &self.log).await.map_err(NotUp::Start)?;
        let runtime = runtime_version(&self.with.version.config.runtime);
        live.output.say(self.platform.init_start(&runtime, self.with.initialization));
        let trouble = match live.init(starting, until).await {
            Ok(()) => {
                live.output.drain();
                self.live = Some(live);
                return Ok(());
            }
            Err(trouble) => trouble,
        };
        let took = self.shared.base.clock.now() - started;
        live.output.drain();
        let (lines, not_up) = self.init_trouble(trouble, took);
        live.output.say(lines.into_iter().flatten());
        // Whole and now, because another one may begin under the same id.
        live.destroy(self.with.instance).await;
        Err(not_up)
    }

    /// What a failed init phase leaves in the log, and what it means.
    fn init_trouble(&self, trouble: Trouble, took: Duration) -> ([Option<String>; 2], NotUp) {
        let report = |status, error_type: Option<&str>| self.platform.init_report(took, status, error_type);
        match trouble {
            Trouble::TimedOut => ([report(Status::Timeout, None), None], NotUp::TimedOut),
            Trouble::Failed(failure) => {
                let line = report(Status::Error, Some(&failure.error_type));
                ([line, None], NotUp::Start(StartError::Function(failure)))
            }
            Trouble::Exited(failure, text) => {
                let exited = self.platform.exited(None, &text, &failure.error_type);
                let line = report(Status::Error, Some(&failure.error_type));
                ([exited, line], NotUp::Start(StartError::Function(failure)))
            }
            Trouble::Platform(error) => ([None, None], NotUp::Start(StartError::Platform(error))),
        }
    }

    /// After an init phase that ran out of time, the call's own time is spent on another one.
    async fn init_again(&mut self, turn: &Turn) -> Result<(), InvokeError> {
        if self.live.is_some() {
            return Ok(());
        }
        let far = turn.started + Duration::from_millis(FAR_MS);
        let failure = match self.init(turn.deadline.unwrap_or(far)).await {
            Ok(()) => return Ok(()),
            Err(NotUp::TimedOut) => failure::timed_out(&turn.id, turn.timeout),
            Err(NotUp::Start(StartError::Function(failure))) => failure,
            Err(NotUp::Start(StartError::Platform(error))) => return Err(InvokeError::Platform(error)),
        };
        self.usable = false;
        Err(InvokeError::Died(failure))
    }

    fn turn(&mut self, call: &Invocation, deadline: Option<Instant>) -> Turn {
        let started = self.shared.base.clock.now();
        let configured = Duration::from_millis(self.with.version.config.timeout_ms);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(started));
        Turn {
            id: call.id.uuid(),
            started,
            deadline,
            // The text names the setting; a shorter deadline of the caller's is named as it is.
            timeout: if configured.is_zero() { left.unwrap_or_default() } else { configured },
            init: self.init.take(),
            stream: None,
            streamed: 0,
        }
    }

    fn call(&self, call: &Invocation, deadline: Option<Instant>) -> Arc<Call> {
        let clock = &self.shared.base.clock;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock.now()).as_millis());
        let left = left.and_then(|left| u64::try_from(left).ok()).unwrap_or(FAR_MS);
        Arc::new(Call::new(call, clock.wall() + left))
    }

    /// The end of a call: everything the guest printed, then END and REPORT.
    async fn finish(&mut self, turn: &Turn, status: Status, error_type: Option<&str>) -> Billing {
        let took = self.shared.base.clock.now() - turn.started;
        if let Some(live) = &self.live {
            live.output.drain();
        }
        if took >= LOOK_AFTER || self.peak.is_none() {
            self.look_up_peak().await;
        }
        let billing = self.billing(took, turn.init, self.peak.map_or(0, |(_, peak)| peak));
        if let Some(live) = &self.live {
            let lines = self.platform.finish(&turn.id, &billing, status, error_type);
            live.output.say(lines.into_iter().flatten());
        }
        billing
    }

    /// Asks another process, so it costs about as much as a small call.
    async fn look_up_peak(&mut self) {
        let Some(live) = &self.live else { return };
        if let Ok(usage) = live.sandbox.usage().await {
            let before = self.peak.map_or(0, |(_, peak)| peak);
            self.peak = Some((self.shared.base.clock.now(), before.max(usage.memory_peak_bytes)));
        }
    }

    fn billing(&self, took: Duration, init: Option<Duration>, peak: u64) -> Billing {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let memory_mib = self.with.version.config.memory_mib;
        Billing {
            duration_us: micros(took),
            billed_ms: (micros(took) + init.map_or(0, micros)).div_ceil(1000).max(1),
            init_us: init.map(micros),
            memory_mib,
            max_memory_mib: u32::try_from(peak.div_ceil(MIB)).unwrap_or(u32::MAX).min(memory_mib),
            cold: init.is_some(),
        }
    }

    /// The call cannot be answered: said in the log, and the instance is lost.
    async fn died(&mut self, turn: &Turn, failure: Failure, text: &str) -> InvokeError {
        self.usable = false;
        if let Some(live) = &self.live {
            live.output.drain();
            live.output.say(self.platform.exited(Some(&turn.id), text, &failure.error_type));
        }
        self.finish(turn, Status::Error, Some(&failure.error_type)).await;
        InvokeError::Died(failure)
    }

    async fn late(&mut self, turn: &Turn) -> Failure {
        self.usable = false;
        if let Some(live) = &self.live {
            live.output.drain();
            let text = failure::timed_out_text(turn.timeout);
            live.output.say(self.platform.timed_out(&turn.id, &text));
        }
        self.finish(turn, Status::Timeout, None).await;
        failure::timed_out(&turn.id, turn.timeout)
    }

    async fn answer(&mut self, mut turn: Turn, answer: Answer) -> Result<Reply, InvokeError> {
        let result = match answer {
            Answer::Whole(body) => Ok(ReplyBody::Whole(body)),
            Answer::Failed(failure) => Err(failure),
            Answer::FailedAndLeaves(failure) => {
                self.usable = false;
                Err(failure)
            }
            Answer::TooLarge(size) => Err(failure::too_large(size, self.with.limits.payload_bytes)),
            Answer::StreamHead { content_type } => {
                let (sender, frames) = mpsc::channel(STREAM_FRAMES);
                turn.stream = Some(sender);
                self.turn = Some(turn);
                return Ok(self.reply(Ok(ReplyBody::Stream { content_type, frames }), None));
            }
            Answer::Next
            | Answer::InitFailed(_)
            | Answer::Chunk(_)
            | Answer::StreamFailed(_)
            | Answer::StreamEnd => {
                let text = "the runtime broke its protocol";
                let failure = failure::found("Runtime.Unknown", Some(&turn.id), text);
                return Err(self.died(&turn, failure, text).await);
            }
        };
        let status = if result.is_ok() { Status::Success } else { Status::Error };
        let error_type = result.as_ref().err().map(|failure: &Failure| failure.error_type.clone());
        let billing = self.finish(&turn, status, error_type.as_deref()).await;
        self.turn = Some(turn);
        Ok(self.reply(result, Some(billing)))
    }

    fn reply(&self, result: Result<ReplyBody, Failure>, billing: Option<Billing>) -> Reply {
        let id = anyfn_types::InvocationId::from_uuid(self.turn.as_ref().map_or("", |turn| turn.id.as_str()));
        let log_tail = billing.and_then(|_| self.live.as_ref()?.output.take_tail());
        let id = id.unwrap_or(anyfn_types::InvocationId(0));
        Reply { id, version: self.with.version.number, result, billing, log_tail }
    }

    /// Carries a stream to its end. False if the guest is lost.
    async fn pump(&mut self, turn: &mut Turn) -> bool {
        let Some(stream) = turn.stream.take() else { return true };
        let status = loop {
            let Some(live) = &mut self.live else { return false };
            let frame = match live.moment(turn.deadline, Some(&turn.id)).await {
                Moment::Said(Answer::Chunk(bytes)) => {
                    turn.streamed += bytes.len() as u64;
                    if turn.streamed <= self.with.limits.stream_bytes {
                        // A caller who left does not stop the function.
                        let _gone = send(&self.shared, &stream, Frame::Data(bytes), turn.deadline).await;
                        continue;
                    }
                    self.usable = false;
                    Frame::Failed(failure::too_large(turn.streamed, self.with.limits.stream_bytes))
                }
                Moment::Said(Answer::StreamEnd) => Frame::End,
                Moment::Said(Answer::StreamFailed(failure)) => Frame::Failed(failure),
                Moment::Late => {
                    let failure = self.late(turn).await;
                    let _gone = stream.try_send(Frame::Failed(failure));
                    return false;
                }
                Moment::Ended(failure, text) => {
                    let _lost = self.died(turn, failure.clone(), &text).await;
                    let _gone = stream.try_send(Frame::Failed(failure));
                    return false;
                }
                Moment::Said(_) => {
                    self.usable = false;
                    let text = "the runtime broke its protocol";
                    Frame::Failed(failure::found("Runtime.Unknown", Some(&turn.id), text))
                }
            };
            let status = match &frame {
                Frame::Failed(failure) => Err(failure.error_type.clone()),
                Frame::Data(_) | Frame::End => Ok(()),
            };
            let _gone = send(&self.shared, &stream, frame, turn.deadline).await;
            break status;
        };
        match status {
            Ok(()) => self.finish(turn, Status::Success, None).await,
            Err(error_type) => self.finish(turn, Status::Error, Some(&error_type)).await,
        };
        self.usable
    }

    /// Waits until runtime and extensions have asked for work again.
    async fn rest(&mut self, turn: &Turn) -> bool {
        let Some(live) = &mut self.live else { return false };
        let hub = live.hub.clone();
        loop {
            let moment = tokio::select! {
                biased;
                () = hub.until(|machine| machine.at_rest().then_some(())) => return true,
                moment = live.moment(turn.deadline, Some(&turn.id)) => moment,
            };
            match moment {
                Moment::Said(Answer::Next) => {}
                Moment::Late => {
                    let text = failure::timed_out_text(turn.timeout);
                    live.output.say(self.platform.timed_out(&turn.id, &text));
                    return false;
                }
                Moment::Ended(failure, text) => {
                    live.output.drain();
                    live.output.say(self.platform.exited(Some(&turn.id), &text, &failure.error_type));
                    return false;
                }
                Moment::Said(_) => return false,
            }
        }
    }
}

/// Gives a frame to the caller; false if nobody takes it before the deadline.
async fn send(
    shared: &Shared,
    stream: &mpsc::Sender<Frame>,
    frame: Frame,
    deadline: Option<Instant>,
) -> bool {
    let late = async {
        match deadline {
            Some(deadline) => shared.base.clock.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        sent = stream.send(frame) => sent.is_ok(),
        () = late => false,
    }
}

enum NotUp {
    TimedOut,
    Start(StartError),
}

#[async_trait]
impl Guest for LambdaGuest {
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError> {
        let turn = self.turn(call, deadline);
        self.init_again(&turn).await?;
        let with_deadline = self.call(call, deadline);
        let Some(live) = self.live.as_mut().filter(|_| self.usable) else {
            let text = "the instance was retired";
            return Err(InvokeError::Died(failure::found("Sandbox.Failure", Some(&turn.id), text)));
        };
        live.output.begin_tail(call.want_log_tail);
        live.output.say(self.platform.start(&turn.id));
        let moment = tokio::select! {
            biased;
            handed = live.hand_over(&with_deadline) => match handed {
                Ok(()) => live.moment(deadline, Some(&turn.id)).await,
                // A closed socket means that the process is ending.
                Err(_) => live.moment(deadline, Some(&turn.id)).await,
            },
            () = sleep_until(&self.shared, deadline) => Moment::Late,
        };
        match moment {
            Moment::Said(answer) => {
                let id = call.id;
                let mut reply = self.answer(turn, answer).await?;
                reply.id = id;
                Ok(reply)
            }
            Moment::Ended(failure, text) => Err(self.died(&turn, failure, &text).await),
            Moment::Late => Err(InvokeError::Died(self.late(&turn).await)),
        }
    }

    async fn settled(&mut self) -> bool {
        let Some(mut turn) = self.turn.take() else { return self.usable };
        let up = self.pump(&mut turn).await && self.usable;
        let rests = up && self.rest(&turn).await;
        if let Some(live) = &self.live {
            live.output.drain();
        }
        self.usable &= rests;
        let now = self.shared.base.clock.now();
        if self.usable && self.peak.is_some_and(|(at, _)| now - at > LOOK_EVERY) {
            self.look_up_peak().await;
        }
        self.usable
    }

    async fn idle(&mut self) -> GuestEvent {
        let Some(live) = &mut self.live else {
            return match self.usable {
                true => std::future::pending().await,
                false => GuestEvent::Gone,
            };
        };
        // Whatever a guest says or does without having been asked, it is of no use any more.
        let _moment = live.moment(None, None).await;
        self.usable = false;
        GuestEvent::Gone
    }

    async fn pause(&mut self) -> Result<(), Error> {
        if let Some(live) = &self.live {
            live.sandbox.freeze().await?;
            self.paused = true;
        }
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        if let Some(live) = self.live.as_ref().filter(|_| self.paused) {
            live.sandbox.thaw().await?;
        }
        self.paused = false;
        Ok(())
    }

    async fn retire(self: Box<Self>, reason: &'static str) {
        self.go(reason).await;
    }
}

async fn sleep_until(shared: &Shared, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => shared.base.clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
