//! One call of a function and what became of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{FunctionName, InvocationId, Millis, Namespace, Qualifier};

/// How the caller wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Wait for the answer.
    Wait,
    /// Wait, and take the answer as it comes.
    Stream,
    /// Keep it durably, answer at once, run it later and retry.
    Queue,
    /// Only check that it could run.
    DryRun,
}

/// Where a call stands in a trace that began elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// 32 hex digits (W3C trace-id).
    pub trace_id: String,
    /// 16 hex digits (W3C parent-id).
    pub parent_id: String,
    pub sampled: bool,
}

/// The head of an HTTP request, for contracts that speak HTTP with the function. The request's body is `Invocation::body`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHead {
    pub method: String,
    /// Path and query as the function shall see them; begins with `/`.
    pub target: String,
    /// Names in lower case, in the order they came, without those of the connection (`connection`, `transfer-encoding`, …).
    pub headers: Vec<(String, Bytes)>,
}

/// What a dialect hands to the engine.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub id: InvocationId,
    pub namespace: Namespace,
    pub function: FunctionName,
    pub qualifier: Option<Qualifier>,
    pub mode: Mode,
    pub body: Bytes,
    /// The ARN or name the caller used, for the guest's context object.
    pub invoked_as: String,
    /// Decoded JSON text, at most 3,583 bytes.
    pub client_context: Option<String>,
    pub trace: Option<TraceContext>,
    /// Whether the last 4 KiB of the call's log are wanted with the answer.
    pub want_log_tail: bool,
    /// When it was accepted.
    pub accepted: Millis,
    /// There if the caller spoke HTTP with the function itself. A contract that does not speak HTTP leaves it alone; one that
    /// does takes a call without it as `POST /` with the body.
    pub http: Option<Box<HttpHead>>,
}

/// The function said no, or broke: the caller's or the function's matter, not the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// True when the function's own code reported it; false when its process ended, ran out of time or of memory.
    pub handled_by_runtime: bool,
    /// For example `Runtime.ExitError`, `Sandbox.Timedout`, `ValueError`.
    pub error_type: String,
    /// What the caller gets, verbatim: JSON with `errorMessage`, `errorType`, … .
    pub payload: Bytes,
}

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Billing {
    /// Microseconds from the hand-over to the guest to its answer.
    pub duration_us: u64,
    /// Milliseconds, rounded up, the init phase included where it is billed.
    pub billed_ms: u64,
    /// Microseconds of the init phase, when this call began an instance.
    pub init_us: Option<u64>,
    pub memory_mib: u32,
    /// The most the instance has used so far, in MiB.
    pub max_memory_mib: u32,
    pub cold: bool,
}
