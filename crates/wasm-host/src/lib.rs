//! What runs inside the sandboxes of WebAssembly functions: the process that holds one namespace's functions and gives each
//! call a fresh instance (`serve`), and the one that compiles a stranger's bytes (`compile`).
//!
//! Parts: `engine` has the settings that both must share; `serve` reads the control socket and starts one `worker` per
//! socket for calls, a thread each; `functions` is what was loaded; `call` runs one call: `http` and `command` are the two
//! shapes of functions; `state` is what a guest can reach, with its limits; `output` takes what it prints; `epoch` is the
//! thread that makes loops yield.
//!
//! Must not know: the server's data, other namespaces, or what a call was made for. It has no descriptors but the sockets
//! and the files that it is given, and whoever breaks out of a guest has no more.

mod call;
mod command;
mod compile;
mod engine;
mod epoch;
mod functions;
mod http;
mod output;
mod serve;
mod state;
mod worker;

use std::process::ExitCode;

pub use engine::ENGINE;

/// Runs as `compile component|module` or `serve WORKERS CALLS`; returns when the server's end of the sockets is closed.
pub fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["compile", kind] => compile::run(kind),
        ["serve", workers, calls] => match (workers.parse(), calls.parse()) {
            (Ok(workers), Ok(calls)) => serve::run(workers, calls),
            _ => return ExitCode::from(2),
        },
        _ => return ExitCode::from(2),
    };
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
