//! What can go wrong here, and what it becomes at the port.

use std::io;

#[derive(Debug, thiserror::Error)]
#[allow(clippy::error_impl_error, reason = "every room has its `Error`")]
pub enum Error {
    #[error("the package has no WebAssembly file: {0}")]
    NotFound(String),
    #[error("`{0}` is a precompiled artefact; deploy the component or module itself, the server compiles it")]
    Precompiled(String),
    #[error("`{0}` is neither a WebAssembly component nor a module")]
    Invalid(String),
    #[error("the WebAssembly file cannot be compiled: {0}")]
    Compile(String),
    #[error("the WebAssembly file cannot be linked: {0}")]
    Link(String),
    #[error("the code package cannot be read")]
    Package(#[source] io::Error),
    #[error("the compiled artefact cannot be kept")]
    Keep(#[source] io::Error),
    #[error("the host process could not be started: {what}")]
    Host { what: &'static str, source: Option<io::Error> },
}

impl Error {
    pub(crate) fn host(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Host { what, source: Some(source) }
    }
}

impl From<Error> for anyfn_types::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match &error {
            Error::NotFound(_) => Self::invalid("wasm_not_found", text),
            Error::Precompiled(_) => Self::invalid("wasm_precompiled", text),
            Error::Invalid(_) => Self::invalid("wasm_invalid", text),
            Error::Compile(_) => Self::invalid("wasm_compile_failed", text),
            Error::Link(_) => Self::invalid("wasm_link_failed", text),
            Error::Package(_) | Error::Keep(_) | Error::Host { .. } => {
                Self::internal("wasm_host_failed", error)
            }
        }
    }
}
