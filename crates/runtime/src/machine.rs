//! The state machine of one guest: pure, shared by both transports. It says what a runtime and its extensions may do now
//! and when all of them are at rest. States and refusals follow the Runtime API 2018-06-01 and the Extensions API
//! 2020-01-01.

use std::sync::Arc;

use crate::answer::Call;

mod extensions;

pub(crate) use extensions::{EXTENSIONS_MAX, Event, Extensions};

/// Where the runtime is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has not asked for a call yet.
    Init,
    /// It reported that its init phase failed.
    InitError,
    /// It waits for a call.
    Ready,
    /// It has a call and owes the answer.
    Invoking,
    /// It is sending a streamed answer.
    Answering,
    /// It answered and has not asked for the next call.
    Answered,
}

impl Phase {
    /// The names that refusals carry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "Started",
            Self::InitError => "InitError",
            Self::Ready => "Ready",
            Self::Invoking => "Running",
            Self::Answering => "InvocationResponse",
            Self::Answered => "ResponseSent",
        }
    }
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400
    InvalidRequestId,
    /// 403, with the phase it is in and the one it wanted.
    InvalidState { from: &'static str, to: &'static str },
    /// 403, with the type and the text of the Extensions API.
    Extension { error_type: &'static str, message: String },
}

#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    call: Option<Arc<Call>>,
    /// Whether a runtime took the call already.
    taken: bool,
    pub(crate) extensions: Extensions,
}

impl Machine {
    /// `external` are the names of the executables in `/opt/extensions`.
    pub(crate) fn new(external: Vec<String>) -> Self {
        Self { phase: Phase::Init, call: None, taken: false, extensions: Extensions::new(external) }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// The runtime asks for a call. Asking twice is allowed, because clients retry.
    pub(crate) fn next(&mut self) -> Result<(), Refusal> {
        match self.phase {
            Phase::Init | Phase::Ready | Phase::Answered => {
                self.phase = Phase::Ready;
                self.extensions.close_registration();
                Ok(())
            }
            Phase::InitError | Phase::Invoking | Phase::Answering => self.refuse(Phase::Ready),
        }
    }

    /// The platform has a call. The runtime must be `Ready`.
    pub(crate) fn begin(&mut self, call: Arc<Call>) {
        self.phase = Phase::Invoking;
        self.taken = false;
        self.extensions.invoke(&call);
        self.call = Some(call);
    }

    /// The call for a runtime that asked, once.
    pub(crate) fn take(&mut self) -> Option<Arc<Call>> {
        if self.phase != Phase::Invoking || self.taken {
            return None;
        }
        self.taken = true;
        self.call.clone()
    }

    /// An answer begins. The id is checked before the state, as on Lambda.
    pub(crate) fn answer(&mut self, id: &str) -> Result<(), Refusal> {
        if self.call.as_ref().is_none_or(|call| call.id != id) {
            return Err(Refusal::InvalidRequestId);
        }
        if self.phase != Phase::Invoking {
            return self.refuse(Phase::Answering);
        }
        self.phase = Phase::Answering;
        Ok(())
    }

    /// As `answer`, for a transport without ids. False if no answer is due.
    pub(crate) fn answer_current(&mut self) -> bool {
        let due = self.phase == Phase::Invoking;
        if due {
            self.phase = Phase::Answering;
        }
        due
    }

    /// The answer is whole.
    pub(crate) fn answered(&mut self) {
        if self.phase == Phase::Answering {
            self.phase = Phase::Answered;
        }
    }

    pub(crate) fn init_error(&mut self) -> Result<(), Refusal> {
        if self.phase != Phase::Init {
            return self.refuse(Phase::InitError);
        }
        self.phase = Phase::InitError;
        Ok(())
    }

    /// Everybody waits for the platform.
    pub(crate) fn at_rest(&self) -> bool {
        self.phase == Phase::Ready && self.extensions.at_rest()
    }

    fn refuse<T>(&self, to: Phase) -> Result<T, Refusal> {
        Err(Refusal::InvalidState { from: self.phase.name(), to: to.name() })
    }
}

#[cfg(test)]
mod tests;
