//! The contract `wasm`: functions that are WebAssembly components (`wasi:http/incoming-handler`, `wasi:cli/run`) or
//! modules (WASI preview 1 commands), each call in a fresh instance.
//!
//! A namespace has one host process, in a sandbox of its own, that holds all of its functions compiled; a `Guest` of this
//! contract is a light handle on (host process, function). So ten thousand idle functions cost ten thousand handles, and
//! what one tenant breaks out of is a process that knows nothing of another's.
//!
//! Parts: `source` finds the file in a package; `compile` has it made into machine code by a process in a sandbox and keeps
//! that; `host` starts and watches host processes; `link` multiplexes calls over their sockets in the frames of `wire`,
//! `control` says the rest; `guest` is the port, `lines` and `report` write the log.
//!
//! Must not know: the engine that runs WebAssembly (the room `wasm-host` does), or any platform's dialect.

mod compile;
mod contract;
pub mod control;
mod error;
mod guest;
mod host;
mod lines;
mod link;
mod options;
mod report;
mod source;
pub mod wire;

pub use contract::Wasm;
pub use error::Error;
pub use options::Options;
pub use source::is_wasm;
