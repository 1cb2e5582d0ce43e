//! What can go wrong here, and how it looks at the port.

use std::io;

use anyfn_types::Kind;

/// Faults of this room.
#[derive(Debug, thiserror::Error)]
#[allow(clippy::error_impl_error, reason = "a room's error is called so throughout the workspace")]
pub(crate) enum Error {
    /// The helper could not be started or reached.
    #[error("the sandbox helper did not start: {0}")]
    HelperStart(#[source] io::Error),
    /// The helper ended while it was needed; the next call starts it again.
    #[error("the sandbox helper is gone")]
    HelperGone,
    /// The helper refused what it was asked for.
    #[error("the sandbox helper refused: {0}")]
    Refused(String),
    /// A step of the set-up failed.
    #[error("step `{step}` failed: {source}")]
    Step { step: String, source: io::Error },
    /// The sandbox ended.
    #[error("the sandbox is gone")]
    Gone,
    /// The template ended.
    #[error("the template is gone")]
    TemplateGone,
    /// The host or its set-up cannot do it.
    #[error("not supported here: {0}")]
    Unsupported(String),
    /// No answer in time.
    #[error("no answer from the {0} in time")]
    Late(&'static str),
    /// The program could not be executed.
    #[error("{program} cannot be executed: {source}")]
    Exec { program: String, source: io::Error },
    /// Nobody listens inside, or the kernel said something else.
    #[error("no connection into the sandbox: {0}")]
    NotConnected(#[source] io::Error),
    /// A frame is too large or cannot be read.
    #[error("a malformed frame: {0}")]
    Frame(String),
    /// A socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Error> for anyfn_types::Error {
    fn from(error: Error) -> Self {
        let (kind, code, public) = match &error {
            Error::HelperStart(_) => {
                (Kind::Unavailable, "sandbox_unavailable", "sandboxes cannot be started".to_owned())
            }
            Error::HelperGone => {
                (Kind::Unavailable, "sandbox_helper_gone", "the sandbox helper is starting again".to_owned())
            }
            Error::Refused(text) => {
                (Kind::Invalid, "sandbox_refused", format!("the sandbox was refused: {text}"))
            }
            Error::Gone => (Kind::Unavailable, "sandbox_gone", "the sandbox ended".to_owned()),
            Error::TemplateGone => {
                (Kind::Unavailable, "template_gone", "the template that was to be forked ended".to_owned())
            }
            Error::Unsupported(text) => (Kind::Unsupported, "sandbox_unsupported", text.clone()),
            Error::Late(_) => {
                (Kind::Timeout, "sandbox_late", "the sandbox did not answer in time".to_owned())
            }
            Error::Exec { program, source } => {
                (Kind::Invalid, "sandbox_exec_failed", format!("{program} cannot be executed: {source}"))
            }
            Error::NotConnected(source) => {
                (Kind::Unavailable, "sandbox_refused", format!("nobody answers inside the sandbox: {source}"))
            }
            Error::Step { .. } | Error::Frame(_) | Error::Io(_) => {
                return Self::internal("sandbox_failed", error);
            }
        };
        Self::new(kind, code, public).caused_by(error)
    }
}
