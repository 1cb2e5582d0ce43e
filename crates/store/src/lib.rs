//! The state ports on embedded storage: what the server acknowledged must be there after a power cut, and what the disk
//! damaged must never be served.
//!
//! One folder, one writer, one log. Every change of records, queues and logs is a checksummed frame in preallocated segment
//! files; all changes that wait at the same time share one fdatasync. Memory holds keys and places, never values.
//! Why not an engine from elsewhere: `docs/adr/0001-embedded-store.md`.
//!
//! - `disk`: the seam to the file system, behind which tests put a disk that fails.
//! - `frame`, `op`, `scan`, `segments`, `mark`: how changes lie on disk.
//! - `batch`, `commit`, `writer`, `compact`: how they get there, and how space is given back.
//! - `recover`: how the store starts after any end.
//! - `records`, `queues`, `logs`, `blobs`: the four ports. `sealed`: records that are encrypted on disk.
//!
//! Must not know: functions, versions, invocations, or any platform.

mod batch;
mod blobs;
mod commit;
mod compact;
mod disk;
mod error;
mod frame;
mod logs;
mod mark;
mod names;
mod op;
mod queues;
mod records;
mod recover;
mod scan;
mod sealed;
mod segments;
mod shared;
mod store;
mod writer;

#[cfg(test)]
mod tests;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use sealed::Sealed;
pub use store::{Options, Store};
