//! What a guest sent, looked at once and strictly, and the short answers this room writes itself: a TCP reset, an ICMP
//! refusal, a UDP datagram. IPv4 is RFC 791, ICMP RFC 792, UDP RFC 768, TCP RFC 9293.

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv4DstUnreachable, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl,
        TcpPacket, TcpRepr, UdpPacket, UdpRepr,
    },
};

const IP_HEADER: usize = 20;
/// IPv4 and UDP headers without options.
pub(crate) const UDP_HEADERS: usize = 28;
const TTL: u8 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// Names a flow within one instance; the guest's address is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) protocol: Protocol,
    pub(crate) guest_port: u16,
    pub(crate) to: SocketAddrV4,
}

/// Why a packet was not looked at further; the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Junk {
    /// IPv6, or no IP at all.
    NotIpv4,
    Malformed,
    /// A source other than the guest's address.
    Spoofed,
    Fragment,
    /// Neither TCP nor UDP.
    Protocol,
}

impl Junk {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NotIpv4 => "not_ipv4",
            Self::Malformed => "malformed",
            Self::Spoofed => "spoofed",
            Self::Fragment => "fragment",
            Self::Protocol => "protocol",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Tcp { syn: bool, ack: bool, reset: bool },
    Udp(&'a [u8]),
}

/// A sound packet: lengths agree, nothing is a fragment, the source is the guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen<'a> {
    pub(crate) key: Key,
    pub(crate) content: Content<'a>,
    /// The packet without what may follow its stated length.
    pub(crate) bytes: &'a [u8],
}

pub(crate) fn parse(bytes: &[u8], guest: Ipv4Addr) -> Result<Seen<'_>, Junk> {
    if bytes.first().is_none_or(|b| b >> 4 != 4) {
        return Err(Junk::NotIpv4);
    }
    let ip = Ipv4Packet::new_checked(bytes).map_err(|_| Junk::Malformed)?;
    if ip.src_addr() != guest {
        return Err(Junk::Spoofed);
    }
    if ip.more_frags() || ip.frag_offset() != 0 {
        return Err(Junk::Fragment);
    }
    let (start, end) = (usize::from(ip.header_len()), usize::from(ip.total_len()));
    let (whole, body) = (&bytes[..end], &bytes[start..end]);
    let (protocol, ports, content) = match ip.next_header() {
        IpProtocol::Tcp => {
            let tcp = TcpPacket::new_checked(body).map_err(|_| Junk::Malformed)?;
            let content = Content::Tcp { syn: tcp.syn(), ack: tcp.ack(), reset: tcp.rst() };
            (Protocol::Tcp, (tcp.src_port(), tcp.dst_port()), content)
        }
        IpProtocol::Udp => {
            let udp = UdpPacket::new_checked(body).map_err(|_| Junk::Malformed)?;
            let payload = body.get(8..usize::from(udp.len())).ok_or(Junk::Malformed)?;
            (Protocol::Udp, (udp.src_port(), udp.dst_port()), Content::Udp(payload))
        }
        _ => return Err(Junk::Protocol),
    };
    if ports.0 == 0 {
        return Err(Junk::Malformed);
    }
    let key = Key { protocol, guest_port: ports.0, to: SocketAddrV4::new(ip.dst_addr(), ports.1) };
    Ok(Seen { key, content, bytes: whole })
}

/// The reset that answers `packet`, a sound TCP packet of the guest (RFC 9293, 3.10.7.1). None if it is itself a reset.
pub(crate) fn reset(packet: &[u8]) -> Option<Vec<u8>> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
    if tcp.rst() {
        return None;
    }
    let answers_ack = tcp.ack();
    let answer = TcpRepr {
        src_port: tcp.dst_port(),
        dst_port: tcp.src_port(),
        control: TcpControl::Rst,
        seq_number: if answers_ack { tcp.ack_number() } else { Default::default() },
        ack_number: (!answers_ack).then(|| tcp.seq_number() + tcp.segment_len()),
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let (from, to) = (ip.dst_addr(), ip.src_addr());
    let mut out = with_header(from, to, IpProtocol::Tcp, answer.buffer_len());
    let checksums = ChecksumCapabilities::default();
    answer.emit(&mut TcpPacket::new_unchecked(&mut out[IP_HEADER..]), &from.into(), &to.into(), &checksums);
    Some(out)
}

/// Why a destination cannot be had, in ICMP's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreachable {
    Host,
    Prohibited,
}

/// The ICMP message from `gateway` that answers `packet`, a sound packet of the guest.
pub(crate) fn unreachable(packet: &[u8], gateway: Ipv4Addr, why: Unreachable) -> Option<Vec<u8>> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let payload = ip.payload();
    let reason = match why {
        Unreachable::Host => Icmpv4DstUnreachable::HostUnreachable,
        Unreachable::Prohibited => Icmpv4DstUnreachable::CommProhibited,
    };
    let header = Ipv4Repr {
        src_addr: ip.src_addr(),
        dst_addr: ip.dst_addr(),
        next_header: ip.next_header(),
        payload_len: payload.len(),
        hop_limit: ip.hop_limit(),
    };
    let answer = Icmpv4Repr::DstUnreachable { reason, header, data: payload.get(..8)? };
    let mut out = with_header(gateway, ip.src_addr(), IpProtocol::Icmp, answer.buffer_len());
    answer.emit(&mut Icmpv4Packet::new_unchecked(&mut out[IP_HEADER..]), &ChecksumCapabilities::default());
    Some(out)
}

/// A datagram to the guest. None if it does not fit into `mtu`: this room does not fragment.
pub(crate) fn datagram(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8], mtu: usize) -> Option<Vec<u8>> {
    if UDP_HEADERS + payload.len() > mtu {
        return None;
    }
    let repr = UdpRepr { src_port: from.port(), dst_port: to.port() };
    let mut out = with_header(*from.ip(), *to.ip(), IpProtocol::Udp, 8 + payload.len());
    repr.emit(
        &mut UdpPacket::new_unchecked(&mut out[IP_HEADER..]),
        &(*from.ip()).into(),
        &(*to.ip()).into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    Some(out)
}

fn with_header(from: Ipv4Addr, to: Ipv4Addr, next_header: IpProtocol, payload_len: usize) -> Vec<u8> {
    let repr = Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len, hop_limit: TTL };
    let mut out = vec![0; IP_HEADER + payload_len];
    repr.emit(&mut Ipv4Packet::new_unchecked(&mut out[..]), &ChecksumCapabilities::default());
    out
}
