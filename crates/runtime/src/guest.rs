//! The port `Guest`: calls, one at a time, and what is written and measured around each.

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::{
    Frame, Reply, ReplyBody,
    ports::{BringUp, Died, Guest, GuestEvent, InvokeError, LogTarget},
};
use anyfn_types::{Billing, Error, Failure, Invocation, InvocationId};
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    answer::{Answer, Call},
    failure,
    lambda::Shared,
    live::{Live, Moment},
    platform_log::{PlatformLog, Status},
};

mod finish;
mod retire;
mod start;
mod stream;

pub(crate) use start::log_target;

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
    invocation: InvocationId,
    /// 8-4-4-4-12.
    id: String,
    started: Instant,
    deadline: Option<Instant>,
    /// What the deadline was, for the text.
    timeout: Duration,
    init: Option<Duration>,
    stream: Option<mpsc::Sender<Frame>>,
    streamed: u64,
}

impl LambdaGuest {
    fn turn(&mut self, call: &Invocation, deadline: Option<Instant>) -> Turn {
        let started = self.shared.base.clock.now();
        let configured = Duration::from_millis(self.with.version.config.timeout_ms);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(started));
        Turn {
            invocation: call.id,
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
                let id = turn.invocation;
                self.turn = Some(turn);
                return Ok(self.reply(id, Ok(ReplyBody::Stream { content_type, frames }), None));
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
        let id = turn.invocation;
        self.turn = Some(turn);
        Ok(self.reply(id, result, Some(billing)))
    }

    fn reply(&self, id: InvocationId, result: Result<ReplyBody, Failure>, billing: Option<Billing>) -> Reply {
        let log_tail = billing.and_then(|_| self.live.as_ref()?.output.take_tail());
        Reply { id, version: self.with.version.number, result, head: None, billing, log_tail }
    }
}

#[async_trait]
impl Guest for LambdaGuest {
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError> {
        let turn = self.turn(call, deadline);
        if self.live.is_none() {
            // In a box, so that other calls need no room for it.
            Box::pin(self.init_again(&turn)).await?;
        }
        let with_deadline = self.call(call, deadline);
        let Some(live) = self.live.as_mut().filter(|_| self.usable) else {
            let text = "the instance was retired";
            let failure = failure::found("Sandbox.Failure", Some(&turn.id), text);
            return Err(InvokeError::Died(Box::new(Died { failure, billing: None, log_tail: None })));
        };
        live.output.begin_tail(call.want_log_tail);
        live.output.say(self.platform.start(&turn.id));
        let moment = tokio::select! {
            biased;
            // A socket that is closed already means that the process is ending, which is the next thing to hear of.
            _handed = live.hand_over(&with_deadline) => live.moment(deadline, Some(&turn.id)).await,
            () = sleep_until(&self.shared, deadline) => Moment::Late,
        };
        match moment {
            Moment::Said(answer) => self.answer(turn, answer).await,
            Moment::Ended(failure, text) => Err(self.died(&turn, failure, &text).await),
            Moment::Late => Err(self.late(&turn).await),
        }
    }

    async fn settled(&mut self) -> bool {
        let Some(mut turn) = self.turn.take() else { return self.usable };
        // With the answer the call's log was taken already; only who does more than answer can print more.
        let at_rest = self.live.as_ref().is_some_and(|live| live.hub.look().at_rest());
        if turn.stream.is_some() || !at_rest || !self.usable {
            let up = Box::pin(self.pump(&mut turn)).await && self.usable;
            self.usable = up && Box::pin(self.rest(&turn)).await;
            if let Some(live) = &self.live {
                live.output.drain();
            }
        }
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
