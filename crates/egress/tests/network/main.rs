//! The room against real kernels: a guest's kernel on one side of the TUN device, a far host's on the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test and its helpers")]

mod dns;
mod far;
mod flows;
mod limits;
mod world;
