//! The one port: listeners, strict HTTP heads, host and path to dialect, who calls, limits, shedding.
//!
//! The problem: every dialect is served on the same address, so what a request means must be decided once, from one
//! table, before any dialect sees it; and a stranger's bytes meet us here first, so whatever is malformed, oversized,
//! slow or ambiguous must end here.
//!
//! Parts: `listen` (accept within bounds, drain), `strict` (request heads that two servers could read differently are
//! refused), `body` (bounded reading), `route` (the table), `authn` (who calls), `doors` (when the addresses close), `serve` (one request's way).
//! Must not know: how functions run, what any operation means.

mod authn;
mod body;
mod doors;
mod listen;
mod route;
mod serve;
mod strict;

pub use authn::{Keys, Trust};
pub use listen::{Bound, Options, bind};
pub use route::{Route, routes};
pub use serve::Gateway;
