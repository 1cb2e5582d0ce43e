//! Failures in Lambda's own words.

use std::time::Duration;

use anyfn_core::ports::{Exit, ExitKind};
use anyfn_types::Failure;
use bytes::Bytes;
use serde_json::json;

/// One that the platform found, with the payload that Lambda would give. `id` is the call's, if there is one.
pub(crate) fn found(error_type: &str, id: Option<&str>, text: &str) -> Failure {
    let message = id.map_or_else(|| format!("Error: {text}"), |id| format!("RequestId: {id} Error: {text}"));
    Failure {
        handled_by_runtime: false,
        error_type: error_type.to_owned(),
        payload: json!({"errorType": error_type, "errorMessage": message}).to_string().into(),
    }
}

/// A failure that was worded before the call was known, in the words for this call. What the function's own code
/// reported stays as it is.
pub(crate) fn addressed(failure: Failure, id: &str) -> Failure {
    if failure.handled_by_runtime {
        return failure;
    }
    let payload = serde_json::from_slice::<serde_json::Value>(&failure.payload).ok();
    let text =
        payload.as_ref().and_then(|p| p["errorMessage"].as_str()?.strip_prefix("Error: ").map(str::to_owned));
    match text {
        Some(text) => found(&failure.error_type, Some(id), &text),
        None => failure,
    }
}

/// One that the function's own runtime reported; the body goes to the caller as it is.
pub(crate) fn reported(error_type: &str, payload: Bytes) -> Failure {
    Failure { handled_by_runtime: true, error_type: error_type.to_owned(), payload }
}

pub(crate) fn timed_out(id: &str, after: Duration) -> Failure {
    found("Sandbox.Timedout", Some(id), &timed_out_text(after))
}

pub(crate) fn timed_out_text(after: Duration) -> String {
    format!("Task timed out after {:.2} seconds", after.as_secs_f64())
}

pub(crate) fn too_large(size: u64, limit: u64) -> Failure {
    let error_type = "Function.ResponseSizeTooLarge";
    let message = format!(
        "Response payload size ({size} bytes) exceeded maximum allowed payload size ({limit} bytes)."
    );
    Failure {
        handled_by_runtime: false,
        error_type: error_type.to_owned(),
        payload: json!({"errorType": error_type, "errorMessage": message}).to_string().into(),
    }
}

/// The runtime's process ended before it answered.
pub(crate) fn exited(id: Option<&str>, exit: &Exit) -> Failure {
    if exit.out_of_memory {
        return found("Runtime.OutOfMemory", id, "Runtime exited with error: signal: killed");
    }
    found("Runtime.ExitError", id, &exit_text(exit))
}

/// An extension ended that should not have.
pub(crate) fn extension_exited(error_type: &str, id: Option<&str>, exit: &Exit) -> Failure {
    found(error_type, id, &status(exit.kind))
}

pub(crate) fn exit_text(exit: &Exit) -> String {
    match exit.kind {
        ExitKind::Code(0) => "Runtime exited without providing a reason".to_owned(),
        kind => format!("Runtime exited with error: {}", status(kind)),
    }
}

fn status(kind: ExitKind) -> String {
    match kind {
        ExitKind::Code(code) => format!("exit status {code}"),
        ExitKind::Signal(signal) => format!("signal: {}", signal_name(signal)),
    }
}

/// The names that Go prints, because Lambda's own host is written in it.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// A type that a runtime gave in a header, made safe for logs and headers. Lambda replaces what it does not know;
/// we keep what is printable, because SDK users read it.
pub(crate) fn clean_type(given: Option<&str>) -> String {
    let clean: String =
        given.unwrap_or_default().chars().filter(|c| c.is_ascii_graphic()).take(256).collect();
    if clean.is_empty() { "Runtime.Unknown".to_owned() } else { clean }
}
