//! What goes wrong, in AWS's words. Handlers say some things themselves; what comes from a port is translated here, in one
//! place per service, by its code where AWS has words of its own and else by its kind.

use anyfn_types::{Error, Kind};
use anyfn_wire::{ServiceError, schema::Protocol};

pub(crate) mod lambda;
pub(crate) mod logs;

#[cfg(test)]
mod tests;

/// An error on its way to the wire.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Ready to be sent.
    Said(ServiceError),
    /// A port's, not yet in the service's words.
    Core(Error),
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        Self::Said(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// Why a signature was not believed, under the code that tells a client what to do: sign at all, sign again, or set its
/// clock. The services with paths and those of the query protocol say 403, the others 400.
pub(crate) fn unsigned(error: &Error, protocol: Protocol) -> Option<ServiceError> {
    let (json, query) = match error.code {
        "signature_missing" => ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
        "signature_incomplete" => ("IncompleteSignatureException", "IncompleteSignature"),
        "key_unknown" => ("UnrecognizedClientException", "InvalidClientTokenId"),
        "signature_mismatch" | "signature_expired" => ("InvalidSignatureException", "SignatureDoesNotMatch"),
        "token_expired" => ("ExpiredTokenException", "ExpiredToken"),
        _ => return None,
    };
    let (code, status) = match protocol {
        Protocol::Query => (query, 403),
        Protocol::Json11 => (json, 400),
        _ => (json, 403),
    };
    Some(ServiceError::unmodelled(code, status, error.public.as_str()))
}

impl Fault {
    /// In Lambda's words.
    pub(crate) fn said(self) -> ServiceError {
        self.in_words_of(lambda::translate)
    }

    pub(crate) fn in_words_of(self, translate: fn(&Error) -> ServiceError) -> ServiceError {
        match self {
            Self::Said(said) => said,
            Self::Core(error) => {
                match error.kind {
                    Kind::Internal => tracing::error!(?error, "request failed"),
                    _ => tracing::debug!(?error, "request refused"),
                }
                translate(&error)
            }
        }
    }

    /// What is said of something that does not exist, said otherwise; other errors stay.
    pub(crate) fn if_not_found(self, say: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Said(error) if error.code == "ResourceNotFoundException" => say(),
            Self::Core(error) if error.kind == Kind::NotFound => say(),
            other => other,
        }
    }

    /// The error if its code at the port is this one, said otherwise.
    pub(crate) fn instead(self, code: &str, say: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Core(error) if error.code == code => say(),
            other => other,
        }
    }
}
