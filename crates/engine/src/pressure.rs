//! Pressure: when the host's memory gets short, idle instances give theirs back before anybody else has to.

use std::fmt;

use anyfn_types::Limits;

/// What the host says of its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// What this server may use at most, with everything in it.
    pub total_mib: u64,
    /// What could be taken into use at once, caches that can be dropped included.
    pub available_mib: u64,
    /// Thousandths of the last ten seconds in which somebody waited for memory; 0 where the host does not tell.
    pub stalled_permille: u32,
}

/// Reads the host's memory. Called about once a second while instances idle; must not wait.
pub trait MemoryGauge: Send + Sync + fmt::Debug {
    /// None if the host does not tell.
    fn read(&self) -> Option<MemoryReading>;
}

/// MiB that idle instances must give back now, while all instances together use `used_mib`.
pub(crate) fn to_free(limits: &Limits, reading: MemoryReading, used_mib: u64) -> u64 {
    let part = |percent: u64| reading.total_mib.saturating_mul(percent) / 100;
    let short = if reading.available_mib < part(limits.memory_low_percent) {
        let wanted = part(limits.memory_high_percent.max(limits.memory_low_percent));
        wanted.saturating_sub(reading.available_mib).max(1)
    } else {
        0
    };
    let stalled = reading.stalled_permille > limits.memory_stalled_permille;
    short.max(if stalled { (used_mib / 8).max(1) } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_freed_up_to_the_upper_mark() {
        let limits = Limits::default();
        for (available_mib, stalled_permille, used_mib, freed) in [
            (500, 0, 800, 0),
            (80, 0, 800, 0),
            (79, 0, 800, 41),
            (0, 0, 800, 120),
            (500, 100, 800, 0),
            (500, 101, 800, 100),
            (500, 900, 3, 1),
            (10, 900, 1600, 200),
        ] {
            let reading = MemoryReading { total_mib: 1000, available_mib, stalled_permille };
            assert_eq!(to_free(&limits, reading, used_mib), freed, "{reading:?}");
        }
    }
}
