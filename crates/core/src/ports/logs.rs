//! Where the lines go that functions print.

use anyfn_types::{Millis, Namespace};
use bytes::Bytes;

/// One event of a log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Millis,
    /// UTF-8 (what was not is replaced), without the line's end.
    pub text: Bytes,
}

/// Names a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogTarget {
    pub namespace: Namespace,
    /// `/aws/lambda/hello`
    pub group: String,
    /// `2026/11/21/[$LATEST]<32 hex>`
    pub stream: String,
}

/// Takes lines without ever making a function wait.
pub trait LogSink: Send + Sync {
    /// Queues the lines; what does not fit is dropped and counted, and the count is written to the stream later.
    fn write(&self, target: &LogTarget, lines: Vec<LogLine>);
}
