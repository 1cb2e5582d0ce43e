//! Lambda's words.

use anyfn_aws_model::lambda::error;
use anyfn_types::{Error, Kind};
use anyfn_wire::ServiceError;

use super::Fault;

pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    error::INVALID_PARAMETER_VALUE.say(message).into()
}

pub(crate) fn not_found(message: impl Into<String>) -> Fault {
    error::RESOURCE_NOT_FOUND.say(message).into()
}

/// The text for what has no words of its own.
pub(crate) fn no_such_resource() -> Fault {
    not_found("The resource you requested does not exist.")
}

pub(crate) fn function_not_found(arn: &str) -> Fault {
    not_found(format!("Function not found: {arn}"))
}

pub(crate) fn conflict(message: impl Into<String>) -> Fault {
    error::RESOURCE_CONFLICT.say(message).into()
}

/// A `RevisionId` that is not the newest; `read_with` is the operation that tells the newest.
pub(crate) fn stale_revision(read_with: &str) -> Fault {
    let text = format!(
        "The Revision Id provided does not match the latest Revision Id. Call the {read_with} API to retrieve the latest Revision Id"
    );
    error::PRECONDITION_FAILED.say(text).into()
}

pub(crate) fn validation(message: impl Into<String>) -> Fault {
    ServiceError::validation(message).into()
}

pub(crate) fn access_denied(message: impl Into<String>) -> Fault {
    ServiceError::unmodelled("AccessDeniedException", 403, message).into()
}

pub(crate) fn bad_content(message: impl Into<String>) -> Fault {
    error::INVALID_REQUEST_CONTENT.say(message).into()
}

fn throttled(reason: &'static str) -> ServiceError {
    error::TOO_MANY_REQUESTS.say("Rate Exceeded.").with("Reason", reason).with("retryAfterSeconds", "1")
}

/// Every error of a port.
pub(crate) fn translate(error: &Error) -> ServiceError {
    match error.code {
        "revision_mismatch" => stale_revision("GetFunction/GetAlias").said(),
        "package_invalid" => error::INVALID_PARAMETER_VALUE
            .say("Could not unzip uploaded file. Please check your file, then try to upload again."),
        "runtime_unknown" => error::INVALID_RUNTIME.say(&error.public),
        "package_too_large" => error::INVALID_PARAMETER_VALUE.say(&error.public),
        "reserved_concurrency_exceeded" => throttled("ReservedFunctionConcurrentInvocationLimitExceeded"),
        "account_concurrency_exceeded" => throttled("ConcurrentInvocationLimitExceeded"),
        _ => by_kind(error),
    }
}

fn by_kind(error: &Error) -> ServiceError {
    let text = error.public.as_str();
    match error.kind {
        Kind::Invalid => error::INVALID_PARAMETER_VALUE.say(text),
        Kind::NotFound => error::RESOURCE_NOT_FOUND.say(text),
        Kind::Conflict => error::RESOURCE_CONFLICT.say(text),
        Kind::Precondition => error::PRECONDITION_FAILED.say(text),
        Kind::Unauthenticated => ServiceError::unmodelled("UnrecognizedClientException", 403, text),
        Kind::Denied => ServiceError::unmodelled("AccessDeniedException", 403, text),
        Kind::TooLarge => error::REQUEST_TOO_LARGE.say(text),
        Kind::Throttled => throttled("CallerRateLimitExceeded"),
        Kind::Unavailable => ServiceError::unmodelled("ServiceUnavailableException", 503, text),
        Kind::Unsupported => error::INVALID_RUNTIME.say(text),
        Kind::Timeout | Kind::Internal => error::SERVICE.say(text),
    }
}
