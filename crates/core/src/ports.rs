//! The traits that engines stand behind. Callers own the port: each is as small as its users need.

mod artifacts;
mod guest;
mod isolation;
mod logs;
mod state;

pub use artifacts::{Artifacts, Package, Root};
pub use guest::{BringUp, Contract, Died, Guest, GuestEvent, InvokeError, Prepare, StartError};
pub use isolation::{
    Bind, Capabilities, Exit, ExitKind, Furnish, Inside, Isolation, Network, ProcessId, ProcessSpec, Sandbox,
    SandboxSpec, Template, TemplateId, TemplateSpec, Usage,
};
pub use logs::{LogLine, LogSink, LogTarget};
pub use state::{
    Append, Blobs, Change, Depth, Durability, Expect, Lease, Leased, Log, LogEntry, Queue, Record, Records,
};

use anyfn_types::{Error, Invocation};
use async_trait::async_trait;

use crate::Outcome;

/// Whoever wants a function run: dialects and triggers.
#[async_trait]
pub trait Invoke: Send + Sync {
    /// `Wait`, `Stream`: ends when the answer (or its head) is there. `Queue`: ends when the call is on disk.
    /// An `Err` means that the function never ran: not found, throttled, too large, draining, …
    async fn invoke(&self, call: Invocation) -> Result<Outcome, Error>;
}
