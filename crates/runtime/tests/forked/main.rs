//! The same tests over real sandboxes with instances that are forked from templates, and what only those can show.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it skips"
)]
#![allow(unreachable_pub, reason = "a test has no users")]

#[path = "../lambda/bench.rs"]
mod bench;
#[path = "../lambda/extensions.rs"]
mod extensions;
#[path = "../lambda/http.rs"]
mod http;
mod isolation;
#[path = "../lambda/logs.rs"]
mod logs;
#[path = "../sandboxed/memory.rs"]
mod memory;
#[path = "../lambda/node.rs"]
mod node;
#[path = "../lambda/python.rs"]
mod python;
#[path = "../lambda/real_clients.rs"]
mod real_clients;
mod siblings;
mod starts;
#[path = "../lambda/time.rs"]
mod time;
