//! The one port: listeners, strict HTTP heads, host and path to dialect, who calls, limits, shedding.
//!
//! The problem: every dialect is served on the same address, so what a request means must be decided once, from one
//! table, before any dialect sees it; and a stranger's bytes meet us here first, so whatever is malformed, oversized,
//! slow or ambiguous must end here.
//!
//! Parts: `listen` (accept within bounds, drain), `connection` (one connection's life), `quick` (the short way of
//! plain requests), `strict` (messages that two
//! servers could read differently are refused, and what keeps us waiting), `watch` (what a connection's parts know of
//! each other), `headers` (what a caller may not say), `doors` (when the addresses close), `body` (bounded reading), `route` (the table), `authn` (who
//! calls), `serve` (one request's way), `meters`.
//!
//! Request bodies are never decoded: one with a `Content-Encoding` goes to its dialect byte for byte, header included,
//! so there is no decoder to bomb and every limit counts the bytes that are held.
//! Must not know: how functions run, what any operation means.

mod authn;
mod body;
mod connection;
mod doors;
mod headers;
mod listen;
mod meters;
mod quick;
mod route;
mod serve;
mod strict;
mod watch;

pub use authn::{Keys, Trust};
pub use body::Body;
pub use connection::Handler;
pub use listen::{Bound, Options, bind};
pub use route::{Route, routes};
pub use serve::Gateway;
