//! Running a function's process and talking with it in AWS Lambda's own words.
//!
//! The problem: functions come with runtimes that speak Lambda's Runtime API, or with none at all and just a handler's
//! name. Both must be brought up in a sandbox, be handed one call at a time, be watched for exits, deadlines and floods
//! of output, and be told from the platform's own faults.
//!
//! Parts: `Lambda` is the contract; `interpreters` and `plan` decide which process to start (`compiled` makes
//! it start faster); `environment` what it sees;
//! `machine` is the pure state machine of one guest, shared by two transports: `api` (HTTP, for real runtime interface
//! clients, custom runtimes and extensions) and `link` (frames on a socket pair, for the bootstraps that this room
//! ships); `templates` are interpreters that have started once and are forked into sandboxes, `spares` children forked
//! ahead, `forks` decides who may be forked, `specialise` tells a child whose it is, `provided` is the SDK that the
//! platform brings; `output` cuts what the guest prints into log lines, `platform_log` adds the platform's own; `live` and `guest`
//! bring these together behind the port.
//! `http` is the other contract: functions that are HTTP servers.
//! Must not know: how a sandbox is made, where code or logs are kept, who calls and why.

mod answer;
mod api;
mod compiled;
mod environment;
mod error;
mod failure;
mod forks;
mod guest;
mod http;
mod hub;
mod interpreters;
mod lambda;
mod link;
mod live;
mod machine;
mod output;
mod plan;
mod platform_log;
mod provided;
mod spares;
mod specialise;
mod templates;

pub use error::Error;
pub use forks::Forking;
pub use http::Http;
pub use interpreters::{Choice, Found, Interpreters, Language, Release, RuntimesMode};
pub use lambda::{Lambda, Options};
