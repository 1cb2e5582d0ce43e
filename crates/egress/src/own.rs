//! The host's own addresses: whatever the kernel would deliver to this host itself is not for guests, on any port.
//!
//! Read from the kernel's local routing table (`fib_trie`, which also shows whole ranges routed to the host) and from
//! `if_inet6`, both of the network namespace of the calling thread.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use crate::Cidr;

const FIB_TRIE: &str = "/proc/thread-self/net/fib_trie";
const IF_INET6: &str = "/proc/thread-self/net/if_inet6";
const RESOLV_CONF: &str = "/etc/resolv.conf";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    exact: HashSet<IpAddr>,
    /// Ranges longer than one address; few.
    ranges: Vec<Cidr>,
}

impl OwnAddresses {
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.exact.contains(&ip) || self.ranges.iter().any(|range| range.contains(ip))
    }

    /// None if the kernel's tables cannot be read; the caller keeps what it had.
    pub(crate) fn read(more: &[IpAddr]) -> Option<Self> {
        let mut own = Self::from_fib_trie(&std::fs::read_to_string(FIB_TRIE).ok()?);
        // absent where the kernel has no IPv6
        own.add_if_inet6(&std::fs::read_to_string(IF_INET6).unwrap_or_default());
        own.exact.extend(more);
        Some(own)
    }

    /// The text has a line `|-- ADDRESS` and below it a line `/BITS SCOPE TYPE` per route.
    fn from_fib_trie(text: &str) -> Self {
        let mut own = Self::default();
        let mut address = None;
        for line in text.lines().map(str::trim) {
            if let Some(leaf) = line.strip_prefix("|-- ") {
                address = leaf.parse::<Ipv4Addr>().ok();
                continue;
            }
            let mut words = line.split_whitespace();
            let bits = words.next().and_then(|w| w.strip_prefix('/')).and_then(|b| b.parse::<u8>().ok());
            let (Some(ip), Some(bits)) = (address, bits) else { continue };
            if !words.any(|word| matches!(word, "LOCAL" | "BROADCAST")) {
                continue;
            }
            if bits == 32 {
                own.exact.insert(ip.into());
            } else {
                own.ranges.extend(Cidr::new(ip.into(), bits));
            }
        }
        own
    }

    /// Each line begins with 32 hex digits.
    fn add_if_inet6(&mut self, text: &str) {
        let addresses = text.lines().filter_map(|line| line.split_whitespace().next());
        let parsed = addresses.filter(|w| w.len() == 32).filter_map(|w| u128::from_str_radix(w, 16).ok());
        self.exact.extend(parsed.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
    }
}

impl FromIterator<IpAddr> for OwnAddresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        Self { exact: addresses.into_iter().collect(), ranges: Vec::new() }
    }
}

/// Asks the kernel's routing right now, without a packet: it answers with the destination itself as source (or with
/// loopback) when the destination is this host. Closes the gap between two refreshes.
pub(crate) fn routes_to_self(to: SocketAddr) -> bool {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(to)?;
        socket.local_addr()
    });
    source.is_ok_and(|from| from.ip() == to.ip() || from.ip().is_loopback())
}

/// The `nameserver` lines of resolv.conf(5), at most the three that the C library reads.
pub(crate) fn read_resolvers() -> Option<Vec<SocketAddr>> {
    std::fs::read_to_string(RESOLV_CONF).ok().map(|text| parse_resolvers(&text))
}

fn parse_resolvers(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(ip) = words.next().and_then(|w| w.parse::<IpAddr>().ok())
        {
            servers.push(SocketAddr::new(ip, 53));
        }
    }
    servers.truncate(3);
    servers
}
