//! What can go wrong here, and what it becomes at the port.

use std::{io, path::PathBuf};

use anyfn_types::{Blame, Kind};

#[derive(Debug, thiserror::Error)]
#[allow(clippy::error_impl_error, reason = "every room has its `Error`")]
pub enum Error {
    #[error("the bootstraps cannot be written to {path}")]
    Bootstraps { path: PathBuf, source: io::Error },
    #[error("no interpreter on this host can serve `{runtime}`; {install}")]
    NoInterpreter { runtime: String, install: String },
    #[error("`{runtime}` is no runtime that this contract knows")]
    UnknownRuntime { runtime: String },
    #[error("the guest's {what} could not be set up")]
    Setup { what: &'static str, source: io::Error },
    #[error("the sandbox has no listener for the Runtime API")]
    NoListener,
}

impl From<Error> for anyfn_types::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NoInterpreter { .. } => Self::new(Kind::Unsupported, "runtime_missing", text),
            Error::UnknownRuntime { .. } => {
                Self::new(Kind::Invalid, "runtime_unknown", text).blame(Blame::Caller)
            }
            Error::Bootstraps { .. } | Error::Setup { .. } | Error::NoListener => {
                Self::internal("guest_setup_failed", error)
            }
        }
    }
}
