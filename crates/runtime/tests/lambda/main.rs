//! The contract with real interpreters. Root is needed: guests get mounts and a network of their own.

mod bench;
mod extensions;
mod http;
mod logs;
mod node;
mod python;
mod time;
