//! Numbers that owners tune.

use std::sync::Arc;

use anyfn_core::ports::Network;
use anyfn_types::Limits;

use crate::MemoryGauge;

/// When a failed asynchronous call is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Milliseconds before the second, third, … attempt after the function failed. Default 60,000 and 120,000.
    pub function_ms: Vec<u64>,
    /// Milliseconds before the first retry after the platform could not run it (throttled, for example); doubles up to
    /// 300,000. Default 1,000.
    pub platform_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { function_ms: vec![60_000, 120_000], platform_ms: 1_000 }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    pub network: Network,
    pub backoff: Backoff,
    /// Asynchronous calls that run at once, over all functions. Default 256.
    pub events_at_once: usize,
    /// Reads the host's memory, so that idle instances go before it gets short. Default: none.
    pub memory: Option<Arc<dyn MemoryGauge>>,
    /// Seconds. An asynchronous call older than this is set aside. Default 21,600.
    pub event_age_s: u32,
    /// Names and values that every guest gets.
    pub platform_env: Vec<(String, String)>,
    /// Milliseconds between two looks at idle instances at least; without anything due there is none. Default 250.
    pub sweep_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            network: Network::Internet,
            backoff: Backoff::default(),
            events_at_once: 256,
            memory: None,
            event_age_s: 21_600,
            platform_env: Vec::new(),
            sweep_ms: 250,
        }
    }
}
