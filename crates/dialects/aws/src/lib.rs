//! AWS's dialect.
//!
//! The problem: AWS's own clients, pointed here, must find Lambda, CloudWatch Logs and STS as they know them, to the letter:
//! names, shapes, codes, messages, pages. And a function's own address must speak HTTP as AWS's function URLs do.
//!
//! Parts (`api/`): `service` finds out which service a request means; `lambda`, `logs` and `sts` have a table of operations
//! each, one file per group; `url` is the edge of functions' own addresses; `code` hands packages out; `fault` is the one
//! place where errors become AWS's; `arn`, `trace`, `permissions`, `page` are pure.
//!
//! Must not know: any store, process or socket; how functions run; who checked the caller.

mod api;

pub use api::{Aws, Route, Services, routes};
