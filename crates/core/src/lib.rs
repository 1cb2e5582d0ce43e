//! Pure rules and the ports.
//!
//! Parts: the ports that engines stand behind (`Records`, `Queue`, `Log`, `Blobs` for state; `Isolation` and `Contract`
//! for running code; `Artifacts` for code; `LogSink` for what functions print; `Invoke` for whoever wants a function
//! run), the registry, which turns commands into changes of `Function` records, and two words for dialects: `Documents`
//! (what they keep beside functions) and `Journal` (what calls leave behind for their users).
//! Must not know: any platform's wire format, any file, any process, any socket.

mod documents;
mod journal;
pub mod ports;
mod registry;
mod reply;

pub use documents::Documents;
pub use journal::{Entry, Journal};
pub use registry::{
    Changed, Changes, LayerName, LayerRecord, NewFunction, NewLayerVersion, Page, Publish, Registry,
    Resolved, Turn, function_not_found, revision_mismatch, version_not_found,
};
pub use reply::{Frame, Outcome, Reply, ReplyBody, ReplyHead};
