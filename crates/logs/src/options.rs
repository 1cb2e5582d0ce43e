//! What an operator may tune. Sizes in bytes.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    /// How long printed lines may wait before they are written. Default 100 ms.
    pub write_every: Duration,
    /// Write at once when this much waits. Default 1 MiB.
    pub write_bytes: usize,
    /// Lines of one stream that may wait. Default 4 MiB; what is more is dropped and counted.
    pub stream_queue_bytes: usize,
    /// Lines of all streams that may wait or be in writing. Default 64 MiB. The upper half is kept for streams that
    /// have little waiting, so that one that floods takes nothing from its neighbours.
    pub queue_bytes: usize,
    /// One event. Default 256 KiB; printed lines that are longer are cut and marked, put events refused.
    pub event_bytes: usize,
    /// Groups whose state is kept in memory. Default 256.
    pub groups_cached: usize,
    /// Streams of one group whose state is kept in memory. Default 512.
    pub streams_cached: usize,
    /// Stream records that have changed are written this often. Default 5 s; the log itself is always ahead of them.
    pub checkpoint_every: Duration,
    /// How often what is too old is trimmed. Default 1 h.
    pub sweep_every: Duration,
    /// Retention of groups that come into being by printing. Default none: kept for ever.
    pub default_retention_days: Option<u16>,
    /// Live tails at once. Default 256.
    pub followers: usize,
    /// Batches that one live tail may lag behind before it loses some. Default 256.
    pub follow_queue: usize,
    /// Entries that one page may look at. Default 8,192; a page that stops there says where to go on.
    pub scan_entries: usize,
    /// Bytes of events in one page. Default 1 MiB.
    pub page_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            write_every: Duration::from_millis(100),
            write_bytes: 1 << 20,
            stream_queue_bytes: 4 << 20,
            queue_bytes: 64 << 20,
            event_bytes: 256 << 10,
            groups_cached: 256,
            streams_cached: 512,
            checkpoint_every: Duration::from_secs(5),
            sweep_every: Duration::from_secs(3600),
            default_retention_days: None,
            followers: 256,
            follow_queue: 256,
            scan_entries: 8192,
            page_bytes: 1 << 20,
        }
    }
}
