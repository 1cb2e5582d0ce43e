//! Attacks and accidents from inside of real sandboxes. They need root; what cannot run says so by name.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod accidents;
mod basics;
mod connect;
mod exhaustion;
mod forks;
mod forks_end;
mod forks_hidden;
mod hidden;
mod house;
mod network;
mod service;
mod stock;
#[cfg(target_arch = "x86_64")]
mod syscalls;
mod tmp;
mod unprivileged;
