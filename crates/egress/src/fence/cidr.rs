//! A range of addresses, and a range with a port for the allow-list.

use std::{fmt, net::IpAddr, str::FromStr};

/// `192.0.2.0/24` or `2001:db8::/32`; a single address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address range (expected for example 10.1.0.0/16:5432, 10.1.2.3:* or [2001:db8::/32]:443)"
)]
pub struct ParseError(pub String);

impl Cidr {
    /// None if `bits` is more than the address has. Bits of `base` past `bits` are ignored.
    pub fn new(base: IpAddr, bits: u8) -> Option<Self> {
        let most = if base.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { base, bits })
    }

    /// An IPv4 range holds no IPv6 address, not even a mapped one.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (base.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl From<IpAddr> for Cidr {
    fn from(ip: IpAddr) -> Self {
        Self { base: ip, bits: if ip.is_ipv4() { 32 } else { 128 } }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl FromStr for Cidr {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError(text.to_owned());
        let Some((ip, bits)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| wrong());
        };
        let ip = ip.parse().map_err(|_| wrong())?;
        bits.parse().ok().and_then(|bits| Self::new(ip, bits)).ok_or_else(wrong)
    }
}

/// One line of the allow-list: a range and one port, or all ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Allow {
    pub net: Cidr,
    /// None: every port.
    pub port: Option<u16>,
}

impl Allow {
    pub fn matches(&self, ip: IpAddr, port: u16) -> bool {
        self.net.contains(ip) && self.port.is_none_or(|allowed| allowed == port)
    }
}

/// `RANGE:PORT` or `RANGE:*`; an IPv6 range stands in brackets. The port may not be left out, so that nobody opens all
/// ports by forgetting one.
impl FromStr for Allow {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError(text.to_owned());
        let (net, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            digits => Some(digits.parse().map_err(|_| wrong())?),
        };
        let bare = net.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        let net: Cidr = bare.unwrap_or(net).parse().map_err(|_| wrong())?;
        if net.base.is_ipv6() != bare.is_some() {
            return Err(wrong());
        }
        Ok(Self { net, port })
    }
}
