//! Which addresses and ports a guest may reach: the public Internet, minus this host, minus a few ports, plus what the
//! owner allowed. Pure; the one place that decides.
//!
//! Ranges: IANA's special-purpose registries (RFC 6890 and its successors). What is not globally reachable there is refused.

mod cidr;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use cidr::{Allow, Cidr, ParseError};

use crate::OwnAddresses;

/// Why a destination was refused; the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 127/8, ::1.
    Loopback,
    /// 0/8, ::.
    Unspecified,
    /// RFC 1918, carrier NAT (100.64/10), unique local IPv6.
    Private,
    /// 169.254/16, fe80::/10: where clouds put their metadata.
    LinkLocal,
    /// A metadata or host service that a cloud put on an address of another range.
    Metadata,
    /// Multicast, broadcast and reserved ranges.
    Multicast,
    /// Documentation, benchmarks, protocol assignments, deprecated transition ranges: nothing public is there.
    Special,
    /// An address of this host.
    OwnAddress,
    /// A port nobody may reach.
    Port,
}

impl Refusal {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::Private => "private",
            Self::LinkLocal => "link_local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Special => "special",
            Self::OwnAddress => "own_address",
            Self::Port => "port",
        }
    }

    pub(crate) const ALL: [Self; 9] = [
        Self::Loopback,
        Self::Unspecified,
        Self::Private,
        Self::LinkLocal,
        Self::Metadata,
        Self::Multicast,
        Self::Special,
        Self::OwnAddress,
        Self::Port,
    ];
}

/// The rules of one server.
#[derive(Clone, Debug)]
pub struct Fence {
    allow: Vec<Allow>,
    denied_ports: Vec<u16>,
}

impl Fence {
    pub fn new(allow: Vec<Allow>, denied_ports: Vec<u16>) -> Self {
        Self { allow, denied_ports }
    }

    /// `ip` and `port` are what the server would connect to. The allow-list wins over everything else.
    pub fn check(&self, ip: IpAddr, port: u16, own: &OwnAddresses) -> Result<(), Refusal> {
        if self.allows(ip, port) {
            return Ok(());
        }
        if self.denied_ports.contains(&port) || port == 0 {
            return Err(Refusal::Port);
        }
        public(ip)?;
        // an embedded IPv4 address reaches the same host by another name
        let embedded = embedded_v4(ip).map(IpAddr::V4);
        if own.contains(ip) || embedded.is_some_and(|v4| own.contains(v4)) {
            return Err(Refusal::OwnAddress);
        }
        Ok(())
    }

    /// The owner opened this by name.
    pub(crate) fn allows(&self, ip: IpAddr, port: u16) -> bool {
        self.allow.iter().any(|allow| allow.matches(ip, port))
    }
}

fn public(ip: IpAddr) -> Result<(), Refusal> {
    match ip {
        IpAddr::V4(v4) => public_v4(v4),
        IpAddr::V6(v6) => public_v6(v6),
    }
}

fn public_v4(ip: Ipv4Addr) -> Result<(), Refusal> {
    Err(match ip.octets() {
        [127, ..] => Refusal::Loopback,
        [0, ..] => Refusal::Unspecified,
        // Alibaba's metadata is inside carrier NAT; named on its own only for the metric
        [100, 100, 100, 200] => Refusal::Metadata,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Refusal::Private,
        [169, 254, ..] => Refusal::LinkLocal,
        // Azure's host agent answers on a public address
        [168, 63, 129, 16] => Refusal::Metadata,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Refusal::Special
        }
        [224..=255, ..] => Refusal::Multicast,
        _ => return Ok(()),
    })
}

fn public_v6(ip: Ipv6Addr) -> Result<(), Refusal> {
    if ip.is_unspecified() {
        return Err(Refusal::Unspecified);
    }
    if ip.is_loopback() {
        return Err(Refusal::Loopback);
    }
    if let Some(v4) = embedded_v4(IpAddr::V6(ip)) {
        return public_v4(v4);
    }
    Err(match ip.segments() {
        [0xfc00..=0xfdff, ..] => Refusal::Private,
        [0xfe80..=0xfebf, ..] => Refusal::LinkLocal,
        [0xff00..=0xffff, ..] => Refusal::Multicast,
        // 2001::/23 (Teredo, ORCHID, …), documentation, 6to4: the last embeds IPv4 addresses and has no honest use left
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => Refusal::Special,
        [0x2000..=0x3fff, ..] => return Ok(()),
        _ => Refusal::Special,
    })
}

/// The IPv4 address that an IPv6 form stands for: mapped, compatible, translated, NAT64.
fn embedded_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = ip else { return None };
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let embeds = matches!(
        [a, b, c, d, e, f],
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0]
    );
    embeds.then(|| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
}
