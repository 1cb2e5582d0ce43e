//! Attacks on the server as it is shipped, and crashes of it. Every test runs the real binary over HTTP.
//!
//! `world` starts, kills and restarts servers and counts what they leave behind; `http`, `sign` and `zips` speak to them.
//! A test that measures its neighbours takes the machine for itself (`world::alone`); all others share it.
#![allow(
    clippy::disallowed_methods,
    reason = "these tests stand outside of the server, with threads of their own"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a skipped test says so, a measurement is shown"
)]

mod access;
mod crash;
mod ending;
mod exhaustion;
mod http;
mod isolation;
mod logs;
mod network;
mod packages;
mod sign;
mod syscalls;
mod world;
mod zips;
