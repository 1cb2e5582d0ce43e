//! What a runtime says, whichever way it came; and what it is told.

use anyfn_types::{Failure, Invocation};
use bytes::Bytes;

/// One invocation as the guest sees it.
#[derive(Debug)]
pub(crate) struct Call {
    /// 8-4-4-4-12.
    pub(crate) id: String,
    pub(crate) body: Bytes,
    /// Milliseconds since the epoch.
    pub(crate) deadline_ms: u64,
    pub(crate) arn: String,
    /// `Root=1-…;Parent=…;Sampled=…`, or empty.
    pub(crate) trace: String,
    /// JSON, or empty.
    pub(crate) client_context: String,
}

impl Call {
    pub(crate) fn new(call: &Invocation, deadline_ms: u64) -> Self {
        let trace = call.trace.as_ref().map(|trace| {
            let (time, unique) = trace.trace_id.split_at_checked(8).unwrap_or((&trace.trace_id, ""));
            let sampled = if trace.sampled { "1" } else { "0" };
            ["Root=1-", time, "-", unique, ";Parent=", &trace.parent_id, ";Sampled=", sampled].concat()
        });
        Self {
            id: call.id.uuid(),
            body: call.body.clone(),
            deadline_ms,
            arn: call.invoked_as.clone(),
            trace: trace.unwrap_or_default(),
            client_context: call.client_context.clone().unwrap_or_default(),
        }
    }
}

/// What a runtime says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It asks for the next call.
    Next,
    InitFailed(Failure),
    Whole(Bytes),
    /// More than an answer may have; how much it was.
    TooLarge(u64),
    Failed(Failure),
    /// As `Failed`, and the process ends now.
    FailedAndLeaves(Failure),
    StreamHead {
        content_type: Option<String>,
    },
    Chunk(Bytes),
    StreamFailed(Failure),
    StreamEnd,
}
