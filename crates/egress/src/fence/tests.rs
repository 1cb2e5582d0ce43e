use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn check(text: &str, port: u16) -> Result<(), Refusal> {
    let own = OwnAddresses::from_iter(["93.184.216.34".parse().unwrap(), "2606:2800::34".parse().unwrap()]);
    Fence::new(Vec::new(), vec![25]).check(text.parse().unwrap(), port, &own)
}

#[track_caller]
fn table(rows: &[(&str, Option<Refusal>)]) {
    for (ip, wanted) in rows {
        assert_eq!(check(ip, 443).err(), *wanted, "{ip}");
    }
}

#[test]
fn e1_metadata_addresses_are_refused() {
    table(&[
        ("169.254.169.254", Some(Refusal::LinkLocal)),
        ("169.254.170.2", Some(Refusal::LinkLocal)),
        ("fd00:ec2::254", Some(Refusal::Private)),
        ("fd20:ce::254", Some(Refusal::Private)),
        ("100.100.100.200", Some(Refusal::Metadata)),
        ("168.63.129.16", Some(Refusal::Metadata)),
        ("192.0.0.192", Some(Refusal::Special)),
        ("::ffff:169.254.169.254", Some(Refusal::LinkLocal)),
        ("::169.254.169.254", Some(Refusal::LinkLocal)),
        ("::ffff:0:169.254.169.254", Some(Refusal::LinkLocal)),
        ("64:ff9b::169.254.169.254", Some(Refusal::LinkLocal)),
        ("2002:a9fe:a9fe::1", Some(Refusal::Special)),
    ]);
}

/// `0x7f.1`, `2130706433` and `0177.0.0.1` become plain addresses in the guest, by the same rule as here.
#[test]
fn e2_loopback_in_every_spelling_is_refused() {
    for value in [2_130_706_433_u32, 0x7f00_0001, 0o17_700_000_001, 0x7fff_ffff] {
        let ip = IpAddr::V4(Ipv4Addr::from_bits(value));
        assert_eq!(check(&ip.to_string(), 80).err(), Some(Refusal::Loopback), "{ip}");
    }
    table(&[
        ("127.0.0.1", Some(Refusal::Loopback)),
        ("127.255.255.255", Some(Refusal::Loopback)),
        ("0.0.0.0", Some(Refusal::Unspecified)),
        ("0.255.0.1", Some(Refusal::Unspecified)),
        ("::", Some(Refusal::Unspecified)),
        ("::1", Some(Refusal::Loopback)),
        ("::ffff:127.0.0.1", Some(Refusal::Loopback)),
        ("::ffff:0.0.0.0", Some(Refusal::Unspecified)),
        ("::127.0.0.1", Some(Refusal::Loopback)),
        ("64:ff9b::7f00:1", Some(Refusal::Loopback)),
        ("64:ff9b:1::7f00:1", Some(Refusal::Special)),
        ("2002:7f00:1::", Some(Refusal::Special)),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", Some(Refusal::Special)),
    ]);
}

#[test]
fn e2_own_addresses_are_refused_though_public() {
    table(&[
        ("93.184.216.34", Some(Refusal::OwnAddress)),
        ("::ffff:93.184.216.34", Some(Refusal::OwnAddress)),
        ("64:ff9b::93.184.216.34", Some(Refusal::OwnAddress)),
        ("2606:2800::34", Some(Refusal::OwnAddress)),
        ("93.184.216.35", None),
        ("2606:2800::35", None),
    ]);
}

#[test]
fn ranges_end_where_the_registries_say() {
    table(&[
        ("1.0.0.0", None),
        ("9.255.255.255", None),
        ("10.0.0.0", Some(Refusal::Private)),
        ("10.255.255.255", Some(Refusal::Private)),
        ("11.0.0.0", None),
        ("100.63.255.255", None),
        ("100.64.0.0", Some(Refusal::Private)),
        ("100.127.255.255", Some(Refusal::Private)),
        ("100.128.0.0", None),
        ("126.255.255.255", None),
        ("128.0.0.0", None),
        ("169.253.255.255", None),
        ("169.255.0.0", None),
        ("172.15.255.255", None),
        ("172.16.0.0", Some(Refusal::Private)),
        ("172.31.255.255", Some(Refusal::Private)),
        ("172.32.0.0", None),
        ("192.0.0.255", Some(Refusal::Special)),
        ("192.0.1.0", None),
        ("192.0.2.1", Some(Refusal::Special)),
        ("192.0.3.0", None),
        ("192.88.99.1", Some(Refusal::Special)),
        ("192.167.255.255", None),
        ("192.168.0.0", Some(Refusal::Private)),
        ("192.169.0.0", None),
        ("198.17.255.255", None),
        ("198.18.0.0", Some(Refusal::Special)),
        ("198.19.255.255", Some(Refusal::Special)),
        ("198.20.0.0", None),
        ("198.51.100.7", Some(Refusal::Special)),
        ("203.0.113.7", Some(Refusal::Special)),
        ("223.255.255.255", None),
        ("224.0.0.1", Some(Refusal::Multicast)),
        ("240.0.0.1", Some(Refusal::Multicast)),
        ("255.255.255.255", Some(Refusal::Multicast)),
        ("1fff::1", Some(Refusal::Special)),
        ("2000::1", None),
        ("2001:1ff::1", Some(Refusal::Special)),
        ("2001:200::1", None),
        ("2001:db8::1", Some(Refusal::Special)),
        ("2001:db9::1", None),
        ("2606:4700::1111", None),
        ("3fff:fff::1", Some(Refusal::Special)),
        ("3fff:1000::1", None),
        ("4000::1", Some(Refusal::Special)),
        ("fbff::1", Some(Refusal::Special)),
        ("fc00::1", Some(Refusal::Private)),
        ("fdff::1", Some(Refusal::Private)),
        ("fe80::1", Some(Refusal::LinkLocal)),
        ("febf::1", Some(Refusal::LinkLocal)),
        ("fec0::1", Some(Refusal::Special)),
        ("ff02::1", Some(Refusal::Multicast)),
        ("::ffff:8.8.8.8", None),
        ("64:ff9b::8.8.8.8", None),
    ]);
}

#[test]
fn mail_and_port_zero_are_refused() {
    assert_eq!(check("8.8.8.8", 25), Err(Refusal::Port));
    assert_eq!(check("8.8.8.8", 0), Err(Refusal::Port));
    assert_eq!(check("8.8.8.8", 587), Ok(()));
}

#[test]
fn the_allow_list_opens_what_it_names_and_no_more() {
    let allow = ["10.1.0.0/16:5432", "192.168.7.7:*", "[fd00::/8]:443", "8.8.8.8:25"];
    let fence = Fence::new(allow.iter().map(|a| a.parse().unwrap()).collect(), vec![25]);
    let own = OwnAddresses::from_iter(["10.1.0.1".parse().unwrap()]);
    let passes = |ip: &str, port| fence.check(ip.parse().unwrap(), port, &own).is_ok();
    assert!(passes("10.1.0.1", 5432) && passes("10.1.255.255", 5432));
    assert!(!passes("10.1.0.1", 5433) && !passes("10.2.0.1", 5432));
    assert!(passes("192.168.7.7", 1) && passes("192.168.7.7", 25) && !passes("192.168.7.8", 1));
    assert!(passes("fd12::1", 443) && !passes("fd12::1", 80));
    assert!(passes("8.8.8.8", 25) && !passes("8.8.4.4", 25));
    assert!(!passes("::ffff:10.1.0.1", 5432));
}

#[test]
fn a_wrong_allow_list_is_an_error() {
    for text in [
        "",
        "10.0.0.0/8",
        "10.0.0.0/33:1",
        "10.0.0.0/8:",
        "10.0.0.0/8:65536",
        "fd00::1:443",
        "[10.0.0.1]:1",
        "*:*",
    ] {
        assert!(text.parse::<Allow>().is_err(), "{text}");
    }
    assert!("0.0.0.0/0:*".parse::<Allow>().unwrap().matches("1.2.3.4".parse().unwrap(), 9));
}

proptest! {
    /// An IPv6 form never gets what the IPv4 address inside it does not.
    #[test]
    fn e2_no_embedding_widens_the_fence(bits: u32, prefix in 0usize..4) {
        let v4 = Ipv4Addr::from_bits(bits);
        let base = [0, 0xffff_u128 << 32, 0xffff_u128 << 48, 0x0064_ff9b_u128 << 96][prefix];
        let v6 = Ipv6Addr::from_bits(base | u128::from(bits));
        if public_v4(v4).is_err() {
            prop_assert!(public_v6(v6).is_err());
        }
    }

    #[test]
    fn own_addresses_are_refused_whatever_they_are(bits: u128, v4: bool) {
        let ip = if v4 { IpAddr::V4(Ipv4Addr::from_bits(bits as u32)) } else { IpAddr::V6(bits.into()) };
        let own = OwnAddresses::from_iter([ip]);
        prop_assert!(Fence::new(Vec::new(), Vec::new()).check(ip, 443, &own).is_err());
    }
}
