//! The words that every room shares.
//!
//! A dialect translates its platform's words into these, the core decides on these, and nothing here does I/O, waits,
//! or reads a setting. Must not know: any platform's wire format, any storage, any process.

mod error;
mod function;
mod ids;
mod invocation;
mod limits;
mod names;

pub use error::{Blame, Error, Kind, Result};
pub use function::{
    Alias, AsyncConfig, Code, Config, Contract, Ephemeral, Function, FunctionUrl, Layer, LayerVersion,
    LogFormat, Logging, Placement, PolicyStatement, Share, Tier, UrlAuth, Version, VersionState,
};
pub use ids::{Digest, InstanceId, InvocationId, MessageId, VersionId};
pub use invocation::{Billing, Failure, HttpHead, Invocation, Mode, TraceContext};
pub use limits::{Limits, MIB};
pub use names::{FunctionName, Namespace, Qualifier};

/// Milliseconds since the Unix epoch (UTC). Range 0..=253402300799999 (year 9999).
pub type Millis = u64;
