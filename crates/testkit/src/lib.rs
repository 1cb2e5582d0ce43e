//! Fakes and conformance suites for the ports.
//!
//! - `ports`: what every engine behind the state ports must do, as cases that any engine's room can run.
//!
//! Must not know: any engine. Cases panic when they fail, as tests do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

pub mod ports;
