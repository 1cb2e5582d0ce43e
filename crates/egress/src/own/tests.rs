use super::*;

const TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.0.2.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.0.2.0/24 2 0 1
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 93.184.216.0
        /24 host LOCAL
";

fn holds(own: &OwnAddresses, ip: &str) -> bool {
    own.contains(ip.parse().unwrap())
}

#[test]
fn local_routes_are_own_and_others_are_not() {
    let own = OwnAddresses::from_fib_trie(TRIE);
    for ip in ["127.0.0.1", "127.9.9.9", "192.0.2.2", "192.0.2.255", "93.184.216.77"] {
        assert!(holds(&own, ip), "{ip}");
    }
    for ip in ["192.0.2.3", "8.8.8.8", "93.184.217.1", "0.0.0.0"] {
        assert!(!holds(&own, ip), "{ip}");
    }
}

#[test]
fn ipv6_addresses_are_read() {
    let mut own = OwnAddresses::default();
    own.add_if_inet6("fd000000000000000000000000000002 04 40 00 80     eth0\nnonsense\n\n00000000000000000000000000000001 01 80 10 80 lo\n");
    assert!(holds(&own, "fd00::2") && holds(&own, "::1") && !holds(&own, "fd00::3"));
}

#[test]
fn this_host_has_loopback_and_named_addresses() {
    let own = OwnAddresses::read(&["8.8.8.8".parse().unwrap()]).unwrap();
    assert!(holds(&own, "127.0.0.1") && holds(&own, "8.8.8.8") && !holds(&own, "8.8.4.4"));
}

#[test]
fn the_kernel_says_that_loopback_is_this_host() {
    assert!(routes_to_self("127.0.0.1:9".parse().unwrap()));
    assert!(routes_to_self("127.77.0.1:9".parse().unwrap()));
}

#[test]
fn resolvers_are_the_first_three_nameserver_lines() {
    let text = "# nameserver 1.1.1.1\nsearch x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver bad\n nameserver 9.9.9.9 x\nnameserver 8.8.8.8\n";
    let wanted: Vec<SocketAddr> =
        ["127.0.0.53:53", "[::1]:53", "9.9.9.9:53"].iter().map(|s| s.parse().unwrap()).collect();
    assert_eq!(parse_resolvers(text), wanted);
}
