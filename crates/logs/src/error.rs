//! What can go wrong in this room, and what it is called at the port.

use anyfn_types::Kind;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the log group does not exist")]
    NoGroup,
    #[error("the log group exists already")]
    GroupExists,
    #[error("the log stream does not exist")]
    NoStream,
    #[error("the log stream exists already")]
    StreamExists,
    #[error("a log group's name has 1 to 512 characters of A-Z a-z 0-9 . - _ / #")]
    GroupName,
    #[error("a log stream's name has 1 to 512 bytes without `:`, `*` and control characters")]
    StreamName,
    #[error("the events cannot be taken: {0}")]
    Events(&'static str),
    #[error("the batch is too large: {0}")]
    EventsTooLarge(&'static str),
    #[error("the filter pattern is invalid: {0}")]
    Pattern(String),
    #[error("the token does not come from this call")]
    Token,
    #[error("{0} is not a number of days that a group may keep its events")]
    Retention(u16),
    #[error("tags: at most 50, keys of 1 to 128 characters, values of at most 256")]
    Tags,
    #[error("too many live tails are open")]
    Followers,
    #[error("an entry of a log is damaged: {0}")]
    Corrupt(&'static str),
    #[error("a stored record cannot be read")]
    Record(#[source] serde_json::Error),
    #[error("a log group changed again and again while it was read")]
    Contended,
}

impl From<Fault> for anyfn_types::Error {
    fn from(error: Fault) -> Self {
        let (kind, code) = match &error {
            Fault::NoGroup => (Kind::NotFound, "log_group_not_found"),
            Fault::GroupExists => (Kind::Conflict, "log_group_exists"),
            Fault::NoStream => (Kind::NotFound, "log_stream_not_found"),
            Fault::StreamExists => (Kind::Conflict, "log_stream_exists"),
            Fault::GroupName => (Kind::Invalid, "log_group_name_invalid"),
            Fault::StreamName => (Kind::Invalid, "log_stream_name_invalid"),
            Fault::Events(_) => (Kind::Invalid, "log_events_invalid"),
            Fault::EventsTooLarge(_) => (Kind::TooLarge, "log_events_too_large"),
            Fault::Pattern(_) => (Kind::Invalid, "log_pattern_invalid"),
            Fault::Token => (Kind::Invalid, "log_token_invalid"),
            Fault::Retention(_) => (Kind::Invalid, "log_retention_invalid"),
            Fault::Tags => (Kind::Invalid, "log_tags_invalid"),
            Fault::Followers => (Kind::Throttled, "log_followers_too_many"),
            Fault::Corrupt(_) | Fault::Record(_) => return Self::internal("log_damaged", error),
            Fault::Contended => (Kind::Unavailable, "log_group_busy"),
        };
        Self::new(kind, code, error.to_string())
    }
}
