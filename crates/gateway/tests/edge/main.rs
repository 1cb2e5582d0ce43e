//! A real listener on a port of its own, and clients that speak in bytes.

mod ambiguous;
mod flood;
mod frames;
mod kept;
mod slow;
mod support;
