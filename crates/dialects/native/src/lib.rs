//! anyfn's own HTTP API under `/_anyfn/v1`, the one that its command line calls.
//!
//! | method and path | what it does |
//! |---|---|
//! | `GET /functions?after=&limit=` | `Listing`, in order of names |
//! | `PUT /functions/{name}` | body `Deploy`; creates or replaces; answers `Described` |
//! | `GET /functions/{name}` | `Described` |
//! | `DELETE /functions/{name}` | 204 |
//! | `POST /functions/{name}/invoke?qualifier=&mode=wait\|queue&tail=1` | the event in, the answer out; see `headers` |
//! | `GET /functions/{name}/logs?since=&limit=&follow=1` | newline-delimited `LogEvent`s |
//! | `GET /server` | `ServerInfo` |
//!
//! Every call takes `?namespace=`; a key opens only its own account's. Errors are `Problem` with the status that fits their kind.
//! Must not know: AWS's or any other platform's words; how functions run.

mod access;
mod api;
mod describe;
mod handle;
mod logs;

pub use api::{
    Deploy, DeployConfig, Described, FunctionSummary, Listing, LogEvent, Problem, ServerInfo, VersionInfo,
    headers,
};
pub use handle::{Native, ROUTES, Services, problem, status};
