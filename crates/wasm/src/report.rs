//! The platform's words: log lines around a call, and failures as callers see them.

use std::time::Duration;

use anyfn_core::ports::{Exit, ExitKind};
use anyfn_types::{Billing, Failure};
use bytes::Bytes;
use serde_json::json;

use crate::wire::{Fault, Why};

pub(crate) fn start(id: &str, version: &str) -> String {
    format!("START RequestId: {id} Version: {version}")
}

pub(crate) fn end(id: &str) -> String {
    format!("END RequestId: {id}")
}

pub(crate) fn report(id: &str, billing: &Billing) -> String {
    let Billing { duration_us, billed_ms, memory_mib, max_memory_mib, .. } = billing;
    let (ms, hundredths) = (duration_us / 1000, duration_us % 1000 / 10);
    format!(
        "REPORT RequestId: {id}\tDuration: {ms}.{hundredths:02} ms\tBilled Duration: {billed_ms} ms\t\
         Memory Size: {memory_mib} MB\tMax Memory Used: {max_memory_mib} MB\t"
    )
}

fn failure(error_type: &str, text: &str) -> Failure {
    let payload = json!({ "errorType": error_type, "errorMessage": text }).to_string();
    Failure { handled_by_runtime: false, error_type: error_type.to_owned(), payload: Bytes::from(payload) }
}

/// What a call's failure is called.
pub(crate) fn fault(id: &str, fault: &Fault, timeout: Duration, memory_mib: u32) -> Failure {
    let text = &fault.text;
    match fault.why {
        Why::Trap => failure("Wasm.Trap", &format!("RequestId: {id} Error: {text}")),
        Why::Exit => failure("Runtime.ExitError", &format!("RequestId: {id} Error: {text}")),
        Why::Late => late(id, timeout),
        Why::Memory => {
            let text =
                format!("RequestId: {id} Error: the memory limit of {memory_mib} MB was reached: {text}");
            failure("Runtime.OutOfMemory", &text)
        }
        Why::TooLarge => failure("Function.ResponseSizeTooLarge", text),
        Why::NoAnswer => failure("Wasm.NoAnswer", &format!("RequestId: {id} Error: {text}")),
        Why::Unknown | Why::Busy => failure("Sandbox.Failure", &format!("RequestId: {id} Error: {text}")),
    }
}

pub(crate) fn late(id: &str, timeout: Duration) -> Failure {
    let text = format!("RequestId: {id} Error: Task timed out after {:.2} seconds", timeout.as_secs_f64());
    failure("Sandbox.Timedout", &text)
}

/// The host process ended under a call.
pub(crate) fn died(id: &str, exit: Option<Exit>) -> Failure {
    match exit {
        Some(Exit { out_of_memory: true, .. }) => failure(
            "Runtime.OutOfMemory",
            &format!("RequestId: {id} Error: the namespace's WebAssembly process ran out of memory"),
        ),
        Some(Exit { kind: ExitKind::Signal(signal), .. }) => failure(
            "Sandbox.Failure",
            &format!("RequestId: {id} Error: the WebAssembly process was ended by signal {signal}"),
        ),
        Some(Exit { kind: ExitKind::Code(code), .. }) => failure(
            "Sandbox.Failure",
            &format!("RequestId: {id} Error: the WebAssembly process ended with code {code}"),
        ),
        None => {
            failure("Sandbox.Failure", &format!("RequestId: {id} Error: the WebAssembly process is gone"))
        }
    }
}
