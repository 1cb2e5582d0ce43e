//! Log groups, streams and events without a wire format.
//!
//! The problem: functions print without end and must never wait for it; people read a little of it, later, by time, by
//! stream or by a pattern. So what functions print is taken in memory within bounds, written behind in batches, and read
//! back from disk in pages; no event stays in memory.
//!
//! Parts:
//! - `sink`: takes lines without blocking, counts what it drops, and writes behind.
//! - `group`: one log per group. Entries name their stream and point at the stream's entry before, so the log alone can
//!   rebuild every stream's record; the records are a checkpoint of it.
//! - `read`, `search`: pages of one stream, pages of a whole group. `pattern`: the language of what to look for, pure.
//! - `follow`: live tail with bounded queues. `retention`: forgetting.
//!
//! What must stay true: a group has one writer at a time (its lock); the ingestion times of a log never descend, and no
//! event lies more than two hours after its ingestion, so a time can be found in a log by halving; every key and every
//! log's name begins with the namespace, so that no name a stranger chooses can reach another's events.
//!
//! Must not know: CloudWatch's or anyone's wire format, functions, HTTP, files.

mod entry;
mod error;
mod follow;
mod group;
mod groups;
mod logs;
mod names;
mod options;
mod pattern;
mod pending;
mod position;
mod put;
mod read;
mod retention;
mod search;
mod sink;
mod streams;
#[cfg(test)]
mod tests;

pub use entry::Event;
pub use follow::{Follow, FollowRequest, Followed};
pub use groups::{GroupInfo, GroupPage, ListGroups};
pub use logs::Logs;
pub use options::Options;
pub use pattern::Pattern;
pub use position::Position;
pub use put::{PutEvent, PutResult};
pub use read::{EventPage, GetEvents};
pub use retention::{RETENTION_DAYS, Swept};
pub use search::{FilterEvents, FilterPage, Streams};
pub use streams::{ListStreams, OrderBy, StreamInfo, StreamPage};
