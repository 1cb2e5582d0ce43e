//! A real listener on a port of its own, and clients that speak in bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's own helpers fail the test")]

mod ambiguous;
mod flood;
mod frames;
mod kept;
mod slow;
mod support;
