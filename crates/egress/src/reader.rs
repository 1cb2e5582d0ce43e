//! One task per instance reads its device and sorts packets to flows; it opens flows, and answers what it refuses.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    bucket::Bucket,
    dns,
    egress::Guest,
    packet::{self, Content, Protocol, Seen, Unreachable},
    table::Full,
    tcp, udp,
};

/// Packets read before other tasks get their turn.
const TURN: usize = 64;
/// Larger than any packet of a device with the largest MTU; what is longer than the configured MTU is dropped.
const PACKET_MAX: usize = 9216;
/// Datagrams that may wait for a UDP flow's task.
const DATAGRAMS: usize = 32;

/// Ends when the device is gone; then everything of the instance ends.
pub(crate) async fn run(guest: Arc<Guest>) {
    guest.shared.counts.instances.add(1);
    let _leaving = Leaving(guest.clone());
    let clock = guest.shared.base.clock.clone();
    let limits = &guest.shared.options.limits;
    let mut packets = Bucket::new(limits.packets_per_s, (limits.packets_per_s / 10).max(64), clock.now());
    let mut opener =
        Opener { flows: Bucket::new(limits.flows_per_s, limits.flows_burst, clock.now()), guest: &guest };
    let mut buffer = vec![0; PACKET_MAX];
    for count in 1_usize.. {
        let len = match guest.tun.read(&mut buffer).await {
            Ok(0) => return,
            Ok(len) => len,
            Err(error) => {
                tracing::debug!(instance = %guest.id, %error, "the guest's network device is gone");
                return;
            }
        };
        opener.take(&buffer[..len]);
        if let Err(wait) = packets.take(clock.now()) {
            // not reading makes the guest's own queue fill up: it waits, not this server
            clock.sleep(wait).await;
        } else if count % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// However the reader ends (device gone, cancelled, shutdown), the instance's other tasks end too.
struct Leaving(Arc<Guest>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.ended.cancel();
        self.0.shared.counts.instances.add(-1);
    }
}

struct Opener<'a> {
    flows: Bucket,
    guest: &'a Arc<Guest>,
}

impl Opener<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let shared = &self.guest.shared;
        let seen = match packet::parse(bytes, shared.options.guest) {
            Ok(seen) => seen,
            Err(junk) => return shared.counts.junk(junk),
        };
        if bytes.len() > usize::from(shared.options.mtu) {
            return shared.counts.junk(packet::Junk::Malformed);
        }
        let to_gateway = *seen.key.to.ip() == shared.options.gateway && seen.key.to.port() == 53;
        match seen.content {
            Content::Udp(question) if to_gateway => dns::ask_udp(self.guest, seen.key, question),
            _ if self.guest.table.deliver(&seen.key, payload(&seen)) => {}
            Content::Tcp { syn: true, ack: false, reset: false } => self.open(&seen, to_gateway),
            Content::Tcp { .. } => self.reset(&seen),
            Content::Udp(_) => self.open(&seen, false),
        }
    }

    fn open(&mut self, seen: &Seen<'_>, to_gateway: bool) {
        let (guest, shared) = (self.guest, &self.guest.shared);
        // before anything that costs: asking the kernel for a route costs a socket
        if self.flows.take(shared.base.clock.now()).is_err() {
            // no answer: the guest's own TCP tries again after a second
            return self.limited("flows_per_s");
        }
        if !to_gateway && let Err(why) = shared.check(SocketAddr::V4(seen.key.to)) {
            guest.meter.refused.fetch_add(1, Ordering::Relaxed);
            shared.counts.refused(why);
            return self.refuse(seen);
        }
        let depth = match seen.key.protocol {
            Protocol::Tcp => tcp::inbox_depth(&shared.options),
            Protocol::Udp => DATAGRAMS,
        };
        let (place, inbox) = match guest.table.open(seen.key, depth) {
            Ok(opened) => opened,
            Err(full) => {
                self.limited(match full {
                    Full::Instance => "flows",
                    Full::Host => "flows_on_host",
                });
                return self.refuse(seen);
            }
        };
        guest.table.deliver(&seen.key, payload(seen));
        guest.meter.flows.fetch_add(1, Ordering::Relaxed);
        shared.counts.began(seen.key.protocol);
        match seen.key.protocol {
            Protocol::Tcp => guest.spawn("egress-tcp", tcp::run(guest.clone(), place, inbox)),
            Protocol::Udp => guest.spawn("egress-udp", udp::run(guest.clone(), place, inbox)),
        }
    }

    fn limited(&self, limit: &'static str) {
        self.guest.meter.limited.fetch_add(1, Ordering::Relaxed);
        self.guest.shared.counts.limited(limit);
    }

    fn refuse(&self, seen: &Seen<'_>) {
        match seen.key.protocol {
            Protocol::Tcp => self.reset(seen),
            Protocol::Udp => {
                let gateway = self.guest.shared.options.gateway;
                if let Some(answer) = packet::unreachable(seen.bytes, gateway, Unreachable::Prohibited) {
                    self.guest.send(&answer);
                }
            }
        }
    }

    fn reset(&self, seen: &Seen<'_>) {
        if let Some(answer) = packet::reset(seen.bytes) {
            self.guest.send(&answer);
        }
    }
}

/// TCP flows run their own stack and want the whole packet; UDP flows only want the datagram.
fn payload<'a>(seen: &Seen<'a>) -> &'a [u8] {
    match seen.content {
        Content::Tcp { .. } => seen.bytes,
        Content::Udp(datagram) => datagram,
    }
}
