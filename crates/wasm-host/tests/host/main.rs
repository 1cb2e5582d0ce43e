//! The contract over real host processes in real sandboxes: what functions can do, and what they cannot.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skips"
)]
#![allow(unreachable_pub, reason = "a test has no users")]

mod attacks;
mod bench;
mod command;
mod example;
mod figures;
mod http;
mod lifecycle;
mod python;
