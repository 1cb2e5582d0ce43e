//! The contract with real interpreters. Root is needed: guests get mounts and a network of their own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skips"
)]
#![allow(unreachable_pub, reason = "a test has no users")]

mod bench;
mod extensions;
mod http;
mod isolation;
mod logs;
mod node;
mod python;
mod real_clients;
mod server;
mod time;
