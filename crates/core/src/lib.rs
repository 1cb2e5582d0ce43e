//! Pure rules and the ports.
//!
//! Parts: the ports that engines stand behind (`Records`, `Queue`, `Log`, `Blobs` for state; `Isolation` and `Contract`
//! for running code; `Artifacts` for code; `LogSink` for what functions print; `Invoke` for whoever wants a function
//! run), and the registry, which turns commands into changes of `Function` records.
//! Must not know: any platform's wire format, any file, any process, any socket.

pub mod ports;
mod registry;
mod reply;

pub use registry::{
    Changed, Changes, LayerName, LayerRecord, NewFunction, NewLayerVersion, Page, Publish, Registry,
    Resolved, Turn, function_not_found, revision_mismatch, version_not_found,
};
pub use reply::{Frame, Outcome, Reply, ReplyBody, ReplyHead};
