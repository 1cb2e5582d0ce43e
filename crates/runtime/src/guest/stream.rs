//! After an answer has begun: the rest of a stream, and the way back to rest.

use anyfn_base::Instant;
use anyfn_core::Frame;
use tokio::sync::mpsc;

use super::{LambdaGuest, Turn, sleep_until};
use crate::{answer::Answer, failure, lambda::Shared, live::Moment, platform_log::Status};

impl LambdaGuest {
    /// Carries a stream to its end. False if the guest is lost.
    pub(super) async fn pump(&mut self, turn: &mut Turn) -> bool {
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
                    let failure = self.too_late(turn).await.0;
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
    pub(super) async fn rest(&mut self, turn: &Turn) -> bool {
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
    tokio::select! {
        biased;
        sent = stream.send(frame) => sent.is_ok(),
        () = sleep_until(shared, deadline) => false,
    }
}
