//! What a guest can reach.

use std::{
    fs::File,
    io::Read as _,
    net::TcpListener,
    os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr, unix::net::UnixListener},
    sync::{Arc, Mutex},
};

use anyfn_core::ports::Network;
use anyfn_sandbox::{GUEST_V4, PEER_V4, TUN_MTU};

use crate::house::{House, python, root};

/// Tries to connect to each address; prints the error's name.
pub(crate) fn reach(addresses: &[String]) -> String {
    format!(
        r"
import errno, socket
for family, address in [{}]:
    s = socket.socket(family, socket.SOCK_STREAM); s.settimeout(5)
    try: s.connect(address); print('reached', address)
    except OSError as e: print(errno.errorcode.get(e.errno, e))
",
        addresses.join(", ")
    )
}

#[tokio::test]
async fn e1_e2_without_a_network_nothing_but_the_own_loopback_is_there() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let own: Vec<String> = ["127.0.0.1", "0.0.0.0", "2130706433", "0177.0.0.1"]
        .iter()
        .map(|a| format!("(socket.AF_INET, ('{a}', {port}))"))
        .chain(
            ["::1", "::ffff:127.0.0.1", "::"].iter().map(|a| format!("(socket.AF_INET6, ('{a}', {port}))")),
        )
        .collect();
    assert_eq!(python(&*sandbox, &reach(&own)).await, "ECONNREFUSED\n".repeat(own.len()));
    let far: Vec<String> = ["169.254.169.254", "100.100.100.200", "10.200.0.1", "8.8.8.8"]
        .iter()
        .map(|a| format!("(socket.AF_INET, ('{a}', 80))"))
        .chain(
            ["fd00:ec2::254", "2001:4860:4860::8888"]
                .iter()
                .map(|a| format!("(socket.AF_INET6, ('{a}', 80))")),
        )
        .collect();
    let said = python(&*sandbox, &reach(&far)).await;
    assert!(!said.contains("reached"), "{said}");
    assert_eq!(said.matches("UNREACH").count() + said.matches("EADDRNOTAVAIL").count(), far.len(), "{said}");
    sandbox.destroy().await.unwrap();
    host.set_nonblocking(true).unwrap();
    assert!(host.accept().is_err(), "nobody may have connected");
    house.close().await;
}

#[tokio::test]
async fn c11_sockets_of_the_host_are_unreachable() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let path = house.scratch.path().join("platform.sock");
    let _by_path = UnixListener::bind(&path).unwrap();
    let name = SocketAddr::from_abstract_name(house.name.as_bytes()).unwrap();
    let _by_name = UnixListener::bind_addr(&name).unwrap();
    let sandbox = house.sandbox().await;
    let addresses = [
        format!("(socket.AF_UNIX, '{}')", path.display()),
        format!("(socket.AF_UNIX, b'\\0{}')", house.name),
    ];
    assert_eq!(python(&*sandbox, &reach(&addresses)).await, "ENOENT\nECONNREFUSED\n");
    let script = r"
import socket
for family, kind, protocol in [(16, 3, 9), (16, 3, 15), (16, 3, 4), (40, 1, 0), (38, 5, 0), (31, 3, 1), (17, 3, 0)]:
    try: socket.socket(family, kind, protocol); print('made', family, protocol)
    except PermissionError: print('denied')
socket.socket(16, 3, 0)
import socket; print([name for _, name in socket.if_nameindex()])
";
    assert_eq!(python(&*sandbox, script).await, "denied\n".repeat(7) + "['lo']\n");
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn e5_raw_packet_and_icmp_sockets_are_denied_with_and_without_a_network() {
    if !root() {
        return;
    }
    let tuns = Arc::new(Mutex::new(Vec::new()));
    let keep = tuns.clone();
    let on_tun = Arc::new(move |_, fd| keep.lock().unwrap().push(fd));
    let house = House::with(|options| options.on_tun = Some(on_tun)).await;
    let script = r"
import socket
for family, kind, protocol in [(2, 3, 1), (2, 3, 255), (10, 3, 58), (17, 3, 768), (17, 2, 768), (2, 10, 768), (2, 2, 1), (10, 2, 58)]:
    try: socket.socket(family, kind, protocol); print('made', family, kind, protocol)
    except PermissionError: print('denied')
";
    for network in [Network::None, Network::Internet] {
        let sandbox = house.sandbox_with(|spec| spec.network = network).await;
        assert_eq!(python(&*sandbox, script).await, "denied\n".repeat(8));
        sandbox.destroy().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn e1_with_a_network_every_packet_goes_to_the_platform_s_end_of_the_tun() {
    if !root() {
        return;
    }
    let tuns = Arc::new(Mutex::new(Vec::new()));
    let gone = Arc::new(Mutex::new(Vec::new()));
    let (keep, note) = (tuns.clone(), gone.clone());
    let house = House::with(move |options| {
        options.on_tun = Some(Arc::new(move |id, fd| keep.lock().unwrap().push((id, fd))));
        options.on_gone = Some(Arc::new(move |id| note.lock().unwrap().push(id)));
    })
    .await;
    let sandbox = house.sandbox_with(|spec| spec.network = Network::Internet).await;
    let (id, tun) = tuns.lock().unwrap().pop().unwrap();
    let script = r"
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b'metadata?', ('169.254.169.254', 80))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.sendto(b'metadata?', ('fd00:ec2::254', 80))
print(open('/etc/resolv.conf').read().strip())
print(open('/sys/class/net/tun0/mtu').read() if False else socket.if_nameindex())
";
    let said = python(&*sandbox, script).await;
    assert_eq!(said, format!("nameserver {PEER_V4}\n[(1, 'lo'), (2, 'tun0')]\n"));
    let mut packets = File::from(tun);
    let mut buffer = vec![0; usize::from(TUN_MTU)];
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let len = packets.read(&mut buffer).unwrap();
        // Router solicitations and the like are the kernel's own.
        if buffer[..len].ends_with(b"metadata?") {
            seen.push(buffer[0] >> 4);
            if buffer[0] >> 4 == 4 {
                assert_eq!(buffer[12..16], GUEST_V4.octets());
                assert_eq!(buffer[16..20], [169, 254, 169, 254]);
            }
        }
    }
    assert_eq!(seen, [4, 6]);
    sandbox.destroy().await.unwrap();
    assert_eq!(*gone.lock().unwrap(), [id]);
    house.close().await;
}

#[tokio::test]
async fn a_network_that_nobody_serves_is_refused() {
    if !root() {
        return;
    }
    use anyfn_core::ports::Isolation as _;
    let house = House::open().await;
    let mut spec = house.spec();
    spec.network = Network::Internet;
    assert_eq!(house.processes.create(spec).await.err().unwrap().code, "sandbox_refused");
    house.close().await;
}
