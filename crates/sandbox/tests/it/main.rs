//! Attacks and accidents from inside of real sandboxes. They need root; what cannot run says so by name.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod accidents;
mod basics;
mod exhaustion;
mod hidden;
mod house;
mod network;
mod syscalls;
mod tmp;
mod unprivileged;
