//! CloudWatch Logs' words.

use anyfn_aws_model::logs::error;
use anyfn_types::{Error, Kind};
use anyfn_wire::ServiceError;

use crate::api::fault::Fault;

pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    error::INVALID_PARAMETER.say(message).into()
}

pub(crate) fn no_such_group() -> Fault {
    error::RESOURCE_NOT_FOUND.say(NO_GROUP).into()
}

const NO_GROUP: &str = "The specified log group does not exist.";

/// Every error of a port.
pub(crate) fn translate(error: &Error) -> ServiceError {
    match error.code {
        "log_group_not_found" => error::RESOURCE_NOT_FOUND.say(NO_GROUP),
        "log_stream_not_found" => error::RESOURCE_NOT_FOUND.say("The specified log stream does not exist."),
        "log_group_exists" => error::RESOURCE_ALREADY_EXISTS.say("The specified log group already exists"),
        "log_stream_exists" => error::RESOURCE_ALREADY_EXISTS.say("The specified log stream already exists"),
        "log_token_invalid" => error::INVALID_PARAMETER.say("The specified nextToken is invalid."),
        "log_pattern_invalid" => error::INVALID_PARAMETER.say("Invalid filter pattern"),
        _ => by_kind(error),
    }
}

fn by_kind(error: &Error) -> ServiceError {
    let text = error.public.as_str();
    match error.kind {
        Kind::Invalid | Kind::TooLarge | Kind::Precondition | Kind::Unsupported => {
            error::INVALID_PARAMETER.say(text)
        }
        Kind::NotFound => error::RESOURCE_NOT_FOUND.say(text),
        Kind::Conflict => error::OPERATION_ABORTED.say(text),
        Kind::Unauthenticated => ServiceError::unmodelled("UnrecognizedClientException", 400, text),
        Kind::Denied => ServiceError::unmodelled("AccessDeniedException", 400, text),
        Kind::Throttled => ServiceError::unmodelled("ThrottlingException", 400, text),
        Kind::Unavailable | Kind::Timeout => error::SERVICE_UNAVAILABLE.say(text),
        Kind::Internal => ServiceError::unmodelled("InternalFailure", 500, text),
    }
}
