//! Counts: per instance for billing and limits, per server for the metrics page. Handles are made once; the packet path
//! only adds to atomics.

use std::sync::atomic::{AtomicU64, Ordering};

use anyfn_base::{Counter, Gauge, Metrics};

use crate::{
    fence::Refusal,
    packet::{Junk, Protocol},
};

/// What one instance did so far. Bytes are payload, without headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the guest to the world.
    pub bytes_out: u64,
    /// From the world to the guest.
    pub bytes_in: u64,
    /// Flows that began.
    pub flows: u64,
    /// Flows that are open now.
    pub open: u64,
    /// Packets that the fence refused.
    pub refused: u64,
    /// New flows that a limit refused.
    pub limited: u64,
    /// DNS questions, whatever their answer.
    pub questions: u64,
}

/// The live form of `Usage`.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) bytes_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) flows: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) limited: AtomicU64,
    pub(crate) questions: AtomicU64,
}

impl Meter {
    pub(crate) fn usage(&self, open: usize) -> Usage {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Usage {
            bytes_out: get(&self.bytes_out),
            bytes_in: get(&self.bytes_in),
            flows: get(&self.flows),
            open: open as u64,
            refused: get(&self.refused),
            limited: get(&self.limited),
            questions: get(&self.questions),
        }
    }
}

/// The server's counters.
#[derive(Debug)]
pub(crate) struct Counts {
    metrics: Metrics,
    pub(crate) instances: Gauge,
    pub(crate) open: Gauge,
    pub(crate) bytes_out: Counter,
    pub(crate) bytes_in: Counter,
    tcp: Counter,
    udp: Counter,
    refused: [Counter; Refusal::ALL.len()],
    /// The guest's kernel did not take a packet.
    pub(crate) lost: Counter,
}

impl Counts {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let flows = |protocol| {
            let help = "Flows of guests that began";
            metrics.counter("anyfn_egress_flows_total", help, &[("protocol", protocol)])
        };
        let bytes = |direction| {
            let help = "Payload bytes of guests, without headers";
            metrics.counter("anyfn_egress_bytes_total", help, &[("direction", direction)])
        };
        Self {
            instances: metrics.gauge("anyfn_egress_instances", "Instances attached to the network", &[]),
            open: metrics.gauge("anyfn_egress_flows", "Flows of guests that are open", &[]),
            bytes_out: bytes("out"),
            bytes_in: bytes("in"),
            tcp: flows("tcp"),
            udp: flows("udp"),
            refused: Refusal::ALL.map(|why| {
                let help = "Packets of guests to destinations they may not reach";
                metrics.counter("anyfn_egress_refused_total", help, &[("reason", why.label())])
            }),
            lost: metrics.counter("anyfn_egress_lost_total", "Packets the guest's device did not take", &[]),
            metrics: metrics.clone(),
        }
    }

    pub(crate) fn began(&self, protocol: Protocol) {
        match protocol {
            Protocol::Tcp => self.tcp.add(1),
            Protocol::Udp => self.udp.add(1),
        }
    }

    pub(crate) fn refused(&self, why: Refusal) {
        if let Some(i) = Refusal::ALL.iter().position(|r| *r == why) {
            self.refused[i].add(1);
        }
    }

    /// Rare enough to look the handle up.
    pub(crate) fn limited(&self, limit: &'static str) {
        let help = "New flows and questions of guests that a limit refused";
        self.metrics.counter("anyfn_egress_limited_total", help, &[("limit", limit)]).add(1);
    }

    pub(crate) fn junk(&self, why: Junk) {
        let help = "Packets of guests that were dropped unread";
        self.metrics.counter("anyfn_egress_dropped_total", help, &[("reason", why.label())]).add(1);
    }

    pub(crate) fn dns(&self, result: &'static str) {
        let help = "DNS questions of guests by result";
        self.metrics.counter("anyfn_egress_dns_total", help, &[("result", result)]).add(1);
    }
}
