//! Every limit has a name, a default and a place to set it (`anyfn up --set NAME=VALUE`).

use serde::{Deserialize, Serialize};

/// 2^20 bytes.
pub const MIB: u64 = 1 << 20;

/// Sizes in bytes unless the name says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Body of a synchronous call and of its buffered answer. Default 6 MiB + 100 B.
    pub payload_bytes: u64,
    /// Body of an asynchronous call. Default 1 MiB.
    pub event_payload_bytes: u64,
    /// A streamed answer. Default 200 MiB.
    pub stream_bytes: u64,
    /// A code package as sent. Default 50 MiB.
    pub package_bytes: u64,
    /// A code package and its layers when unpacked. Default 262,144,000 B.
    pub unpacked_bytes: u64,
    /// Entries of a code package. Default 100,000.
    pub package_entries: u64,
    /// Names and values of the environment together. Default 4 KiB.
    pub env_bytes: u64,
    pub layers: usize,
    /// Instances of one namespace that run at once. Default 1,000.
    pub account_concurrency: u32,
    /// What reserved concurrency must leave over. Default 100.
    pub unreserved_min: u32,
    /// Milliseconds. Default 900,000; 0 means no upper bound.
    pub timeout_ms_max: u64,
    /// Milliseconds of the init phase before it is started again under the call's own timeout. Default 10,000.
    pub init_ms: u64,
    /// Milliseconds an instance may idle before it is paused. Default 2,000.
    pub pause_after_ms: u64,
    /// Milliseconds an instance may idle before it is retired. Default 300,000.
    pub retire_after_ms: u64,
    /// One log line. Default 256 KiB; what is longer is cut and marked.
    pub log_line_bytes: usize,
    /// Log bytes of one instance per second before lines are dropped and counted. Default 8 MiB.
    pub log_bytes_per_s: u64,
    /// Thousandths of a core that even the smallest function may use. Default 1,000: on a machine of one's own an idle
    /// core helps nobody, and a start at Lambda's 72 thousandths for 128 MiB takes ten times as long. 0: Lambda's share.
    pub cpu_millis_min: u32,
    /// Processes and threads of one instance. Default 1,024.
    pub pids: u32,
    /// Open files of one process. Default 1,024.
    pub open_files: u64,
    /// Instances of one version that may be started for waiting calls within 10 seconds. Default 1,000.
    pub scale_up_per_10s: u32,
    /// Starts of instances that may run at once. Default 64.
    pub starts_at_once: usize,
    /// Of these, starts in their first second: they compute, and more of them only make each other late. 0: two per core.
    /// Default 0.
    pub starts_computing: usize,
    /// Instances that may live at once; past it the idle one that is missed least makes room: idle longest, cheapest to
    /// start again, largest. Default 1,000.
    pub instances_max: usize,
    /// MiB that all instances together may use, as far as their calls have told; past it idle ones make room as above,
    /// and with none idle a start is refused (`no_room`). 0 means no bound. Default 0.
    pub instances_memory_mib: u64,
    /// Per cent of the server's memory: with less of it available, idle instances go. 0: never. Default 8.
    pub memory_low_percent: u64,
    /// Per cent of the server's memory that is then made available. Default 12.
    pub memory_high_percent: u64,
    /// Thousandths of ten seconds in which somebody waited for memory: past it an eighth of what instances use goes, once a
    /// second. Default 100.
    pub memory_stalled_permille: u32,
    /// Calls of one function that may wait for an instance. Default 4,096.
    pub waiting_calls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: 6 * MIB + 100,
            event_payload_bytes: MIB,
            stream_bytes: 200 * MIB,
            package_bytes: 50 * MIB,
            unpacked_bytes: 262_144_000,
            package_entries: 100_000,
            env_bytes: 4096,
            layers: 5,
            account_concurrency: 1000,
            unreserved_min: 100,
            timeout_ms_max: 900_000,
            init_ms: 10_000,
            pause_after_ms: 2_000,
            retire_after_ms: 300_000,
            log_line_bytes: 256 * 1024,
            log_bytes_per_s: 8 * MIB,
            cpu_millis_min: 1000,
            pids: 1024,
            open_files: 1024,
            scale_up_per_10s: 1000,
            starts_at_once: 64,
            starts_computing: 0,
            instances_max: 1_000,
            instances_memory_mib: 0,
            memory_low_percent: 8,
            memory_high_percent: 12,
            memory_stalled_permille: 100,
            waiting_calls: 4096,
        }
    }
}
