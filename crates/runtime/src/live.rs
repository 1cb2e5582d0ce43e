//! One guest's processes and the ways to them, and what can happen at any moment.

use std::{io, sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::ports::{Exit, ExitKind, ProcessId, Sandbox};
use anyfn_types::{Failure, VersionId};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use crate::{
    answer::{Answer, Call},
    failure,
    hub::Hub,
    lambda::Shared,
    link::{Heard, Link},
    machine::Phase,
    output::Output,
};

mod fork;
mod start;

pub(crate) use fork::Body;
pub(crate) use start::Trouble;

/// How long the last words of a process that ended may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(200);

#[derive(Debug)]
enum Wire {
    Framed(Link),
    Http(mpsc::Receiver<Answer>),
}

/// What can happen while a call runs.
#[derive(Debug)]
pub(crate) enum Moment {
    Said(Answer),
    /// The guest cannot go on; why.
    Ended(Failure, String),
    Late,
}

pub(crate) struct Live {
    shared: Arc<Shared>,
    version: VersionId,
    pub(crate) hub: Arc<Hub>,
    pub(crate) output: Arc<Output>,
    pub(crate) sandbox: Box<dyn Sandbox>,
    wire: Wire,
    pub(crate) runtime: Option<ProcessId>,
    pub(crate) extensions: Vec<(ProcessId, String)>,
    /// The exit that ends this guest, once it is known.
    gone: Option<Exit>,
    _end: DropGuard,
}

impl Live {
    /// Hands a call over.
    pub(crate) async fn hand_over(&mut self, call: &Arc<Call>) -> io::Result<()> {
        self.hub.begin(call.clone());
        match &mut self.wire {
            Wire::Framed(link) => link.invoke(call).await,
            Wire::Http(_) => Ok(()),
        }
    }

    /// The next thing that happens. Cancel-safe up to the moment in which a process is found to have ended.
    pub(crate) async fn moment(&mut self, deadline: Option<Instant>, id: Option<&str>) -> Moment {
        if let Some(exit) = self.gone {
            return self.ended(exit, id);
        }
        let clock = self.shared.base.clock.clone();
        let late = async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            heard = hear(&mut self.wire) => self.said(heard, id).await,
            exit = next_exit(&*self.sandbox) => self.last_words(exit, id).await,
            () = late => Moment::Late,
        }
    }

    async fn said(&mut self, heard: Heard, id: Option<&str>) -> Moment {
        match heard {
            Heard::Answer(answer) if self.framed_step(&answer) => Moment::Said(answer),
            Heard::AnswerAndNext(answer) if self.framed_step(&answer) => {
                let _it_answered = self.hub.change(|machine| machine.next());
                Moment::Said(answer)
            }
            Heard::Closed => {
                let exit = self.exit_soon().await;
                self.gone = Some(exit);
                self.ended(exit, id)
            }
            Heard::Answer(_) | Heard::AnswerAndNext(_) | Heard::Garbled => {
                Moment::Ended(garbled(id), "the runtime broke its protocol".to_owned())
            }
        }
    }

    /// What a framed answer means for the state machine; HTTP has done this already. False: it may not say this now.
    fn framed_step(&self, answer: &Answer) -> bool {
        if !matches!(self.wire, Wire::Framed(_)) {
            return true;
        }
        match answer {
            Answer::Next => self.hub.change(|machine| machine.next()).is_ok(),
            Answer::InitFailed(_) => self.hub.change(|machine| machine.init_error()).is_ok(),
            Answer::StreamHead { .. } => self.hub.look().answer_current(),
            Answer::Chunk(_) => self.hub.look().phase() == Phase::Answering,
            Answer::StreamEnd | Answer::StreamFailed(_) => {
                let mut machine = self.hub.look();
                let streaming = machine.phase() == Phase::Answering;
                machine.answered();
                streaming
            }
            Answer::Whole(_) | Answer::TooLarge(_) | Answer::Failed(_) | Answer::FailedAndLeaves(_) => {
                let mut machine = self.hub.look();
                let right = machine.answer_current();
                machine.answered();
                right
            }
        }
    }

    /// The runtime closed its end; its exit should follow at once.
    async fn exit_soon(&self) -> Exit {
        let closed = Exit { process: self.runtime, kind: ExitKind::Code(0), out_of_memory: false };
        tokio::select! {
            exit = next_exit(&*self.sandbox) => exit,
            () = self.shared.base.clock.sleep(LAST_WORDS) => closed,
        }
    }

    /// A process ended; what it said before still counts.
    async fn last_words(&mut self, exit: Exit, id: Option<&str>) -> Moment {
        self.gone = Some(exit);
        if exit.process != self.runtime {
            return self.ended(exit, id);
        }
        let clock = self.shared.base.clock.clone();
        let heard = tokio::select! {
            biased;
            heard = hear(&mut self.wire) => heard,
            () = clock.sleep(LAST_WORDS), if matches!(self.wire, Wire::Framed(_)) => Heard::Closed,
            () = std::future::ready(()), if matches!(self.wire, Wire::Http(_)) => Heard::Closed,
        };
        match heard {
            Heard::Answer(answer) | Heard::AnswerAndNext(answer) if self.framed_step(&answer) => {
                Moment::Said(answer)
            }
            _ => self.ended(exit, id),
        }
    }

    fn ended(&self, exit: Exit, id: Option<&str>) -> Moment {
        let extension = self.extensions.iter().find(|(process, _)| Some(*process) == exit.process);
        if let Some((_, name)) = extension {
            let error_type = self.hub.look().extensions.exit_type(name);
            return Moment::Ended(
                failure::extension_exited(error_type, id, &exit),
                format!("extension {name} exited"),
            );
        }
        Moment::Ended(failure::exited(id, &exit), failure::exit_text(&exit))
    }

    /// Kills what is left, gives the sandbox back, and takes the last lines.
    pub(crate) async fn destroy(self, instance: anyfn_types::InstanceId) {
        if let Err(error) = self.sandbox.destroy().await {
            tracing::warn!(%instance, ?error, "a sandbox was not given back whole");
        }
        self.output.drain();
    }

    /// It is known to have ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }
}

fn garbled(id: Option<&str>) -> Failure {
    failure::found("Runtime.Unknown", id, "the runtime broke its protocol")
}

async fn hear(wire: &mut Wire) -> Heard {
    match wire {
        Wire::Framed(link) => link.hear().await,
        Wire::Http(answers) => match answers.recv().await {
            Some(answer) => Heard::Answer(answer),
            None => std::future::pending().await,
        },
    }
}

async fn next_exit(sandbox: &dyn Sandbox) -> Exit {
    let gone = Exit { process: None, kind: ExitKind::Signal(9), out_of_memory: false };
    sandbox.next_exit().await.unwrap_or(gone)
}
