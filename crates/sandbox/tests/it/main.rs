//! Attacks and accidents from inside of real sandboxes. They need root; what cannot run says so by name.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod basics;
mod house;
mod tmp;
