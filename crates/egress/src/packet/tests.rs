use proptest::prelude::*;

use super::*;

type Spoil = fn(&mut Vec<u8>);

const GUEST: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);

fn udp(payload: &[u8]) -> Vec<u8> {
    datagram(SocketAddrV4::new(GUEST, 4000), SocketAddrV4::new(FAR, 53), payload, 1500).unwrap()
}

fn syn() -> Vec<u8> {
    let repr = TcpRepr {
        src_port: 4000,
        dst_port: 443,
        control: TcpControl::Syn,
        seq_number: Default::default(),
        ack_number: None,
        window_len: 1000,
        window_scale: None,
        max_seg_size: Some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let mut out = with_header(GUEST, FAR, IpProtocol::Tcp, repr.buffer_len());
    let checksums = ChecksumCapabilities::default();
    repr.emit(&mut TcpPacket::new_unchecked(&mut out[20..]), &GUEST.into(), &FAR.into(), &checksums);
    out
}

#[test]
fn a_datagram_is_read_back() {
    let mut bytes = udp(b"hello");
    bytes.extend([0; 9]); // what follows the stated length is not the packet's
    let seen = parse(&bytes, GUEST).unwrap();
    assert_eq!(seen.content, Content::Udp(b"hello"));
    assert_eq!(seen.key.to, SocketAddrV4::new(FAR, 53));
    assert_eq!(seen.bytes.len(), 33);
}

#[test]
fn junk_has_a_name() {
    let table: [(&str, Spoil, Junk); 8] = [
        ("empty", |p| p.clear(), Junk::NotIpv4),
        ("version 6", |p| p[0] = 0x65, Junk::NotIpv4),
        ("header of 16 bytes", |p| p[0] = 0x44, Junk::Malformed),
        ("longer than it is", |p| p[3] = 200, Junk::Malformed),
        ("another source", |p| p[15] = 3, Junk::Spoofed),
        ("more fragments", |p| p[6] = 0x20, Junk::Fragment),
        ("ICMP", |p| p[9] = 1, Junk::Protocol),
        ("UDP length past the packet", |p| p[25] = 99, Junk::Malformed),
    ];
    for (name, spoil, wanted) in table {
        let mut bytes = udp(b"hello");
        spoil(&mut bytes);
        assert_eq!(parse(&bytes, GUEST).unwrap_err(), wanted, "{name}");
    }
}

#[test]
fn a_reset_answers_a_syn_and_never_a_reset() {
    let answer = reset(&syn()).unwrap();
    let ip = Ipv4Packet::new_checked(&answer[..]).unwrap();
    let tcp = TcpPacket::new_checked(ip.payload()).unwrap();
    assert!(tcp.rst() && tcp.ack() && ip.verify_checksum());
    assert!(tcp.verify_checksum(&FAR.into(), &GUEST.into()));
    assert_eq!((tcp.src_port(), tcp.dst_port(), tcp.ack_number().0), (443, 4000, 1));
    assert_eq!(reset(&answer), None);
}

#[test]
fn a_refusal_quotes_the_packet() {
    let answer = unreachable(&udp(b"hello"), GATEWAY, Unreachable::Prohibited).unwrap();
    let ip = Ipv4Packet::new_checked(&answer[..]).unwrap();
    let icmp = Icmpv4Packet::new_checked(ip.payload()).unwrap();
    assert_eq!((ip.src_addr(), ip.dst_addr(), icmp.msg_code()), (GATEWAY, GUEST, 13));
    assert_eq!(&icmp.data()[20..28], &udp(b"hello")[20..28]);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let (from, to) = (SocketAddrV4::new(FAR, 1), SocketAddrV4::new(GUEST, 1));
    assert!(datagram(from, to, &[0; 1472], 1500).is_some());
    assert!(datagram(from, to, &[0; 1473], 1500).is_none());
}

proptest! {
    #[test]
    fn strange_bytes_are_answered_or_dropped_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if bytes.len() >= 20 {
            bytes[0] = 0x45;
            bytes[6] = 0;
            bytes[7] = 0;
            bytes[2] = 0;
            bytes[9] = if bytes[9] & 1 == 0 { 6 } else { 17 };
            bytes[12..16].copy_from_slice(&GUEST.octets());
        }
        if let Ok(seen) = parse(&bytes, GUEST) {
            let _ = reset(seen.bytes);
            let _ = unreachable(seen.bytes, GATEWAY, Unreachable::Host);
        }
    }
}
