//! Fakes and conformance suites for the ports.
//!
//! - `ports`: what every engine behind the state ports must do, as cases that any engine's room can run.
//! - `PlainProcesses`: the isolation port over plain processes, for tests of what runs inside.
//!
//! Must not know: any engine. Cases panic when they fail, as tests do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

mod plain;
pub mod ports;

pub use plain::PlainProcesses;
