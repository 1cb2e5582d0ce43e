//! Where a function can connect to.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use serde_json::json;

use crate::{
    isolation::{PROBE, probe, server, strings},
    world::{Server, root, shared, until},
};

/// Connects, over every protocol a program would use, to what only the platform and its machine should reach.
#[test]
fn e1_e2_neither_metadata_nor_the_host_nor_private_addresses_are_reachable() {
    let _machine = shared();
    if !root("e1_e2_neither_metadata_nor_the_host_nor_private_addresses_are_reachable") {
        return;
    }
    let server = server();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let six = TcpListener::bind("[::]:0").ok();
    let port = everywhere.local_addr().unwrap().port();
    let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let host =
        UdpSocket::bind("0.0.0.0:0").and_then(|s| s.connect("192.0.2.1:9").and_then(|()| s.local_addr()));
    let host = host.map_or_else(|_| "127.0.0.1".to_owned(), |a: SocketAddr| a.ip().to_string());
    let (admin, six) = (server.address.port(), six.map_or(0, |l| l.local_addr().unwrap().port()));
    let code = format!(
        r"
from concurrent.futures import ThreadPoolExecutor
socket.setdefaulttimeout(3)
def tcp(where):
    host, port = where
    with socket.create_connection((host, port), 3) as s:
        s.sendall(b'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
        if not s.recv(1): raise ConnectionResetError(errno.ECONNRESET, 'closed')
import errno
hosts = ['127.0.0.1', '127.1', '0', '0.0.0.0', '2130706433', '0x7f.1', '0177.0.0.1', '127.0.0.2', '::1', '::', '::ffff:127.0.0.1', '{host}', '::ffff:{host}', 'localhost', 'ip6-localhost', 'host.docker.internal']
places = [(h, p) for h in hosts for p in ({admin}, {port})] + [('::1', {six}), ('fd00::2', {six})]
places += [('169.254.169.254', 80), ('169.254.170.2', 80), ('100.100.100.200', 80), ('fd00:ec2::254', 80), ('metadata.google.internal', 80), ('metadata', 80), ('::ffff:169.254.169.254', 80), ('64:ff9b::a9fe:a9fe', 80)]
places += [('10.0.0.1', 80), ('172.16.0.1', 80), ('172.17.0.1', {admin}), ('192.168.0.1', 80), ('192.168.1.1', 80), ('192.0.2.1', 80), ('100.64.0.1', 80), ('fe80::1', 80), ('fc00::1', 80), ('224.0.0.1', 80), ('255.255.255.255', 80)]
with ThreadPoolExecutor(16) as pool: said = list(pool.map(lambda p: err(tcp, p)[0], places))
out = [f'{{p[0]}}:{{p[1]}} {{s}}' for p, s in zip(places, said)]
for target in ('127.0.0.1', '{host}', '255.255.255.255'):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    err(s.sendto, b'x', (target, {udp_port}))
",
        udp_port = udp.local_addr().unwrap().port()
    );
    let said = strings(&probe(&server, &code));
    let reached: Vec<_> = said.iter().filter(|s| s.ends_with(" ok")).collect();
    assert_eq!(reached, Vec::<&String>::new());
    assert!(said.len() > 40);
    assert_eq!(
        udp.recv(&mut [0; 8]).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "a datagram came through"
    );
}

#[test]
fn e5_raw_and_packet_sockets_are_denied() {
    let _machine = shared();
    if !root("e5_raw_and_packet_sockets_are_denied") {
        return;
    }
    let server = server();
    let code = r"
out = [err(socket.socket, f, t, p)[0] for f, t, p in [(2, 3, 1), (2, 3, 255), (10, 3, 58), (17, 3, 768), (17, 2, 768), (2, 2, 1), (2, 3, 6), (2, 10, 0)]]
";
    for one in strings(&probe(&server, code)) {
        assert!(
            ["EPERM", "EACCES", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EINVAL"]
                .contains(&one.as_str()),
            "{one}"
        );
    }
}

/// With no way out, not even a question to a name server leaves the guest.
#[test]
fn e6_without_egress_nothing_leaves() {
    let _machine = shared();
    if !root("e6_without_egress_nothing_leaves") {
        return;
    }
    let server = Server::fresh(&["--egress", "none"]);
    server.deploy("closed", PROBE);
    let code = r"
socket.setdefaulttimeout(2)
def udp(host, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b'\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x01\x00\x01', (host, port))
    return s.recv(512)
out = {'interfaces': [n for _, n in socket.if_nameindex()], 'routes': open('/proc/net/route').read().count('\n') - 1}
out['said'] = [err(socket.create_connection, ('9.9.9.9', 53), 2)[0], err(udp, '9.9.9.9', 53)[0], err(udp, '169.254.0.1', 53)[0], err(socket.getaddrinfo, 'example.com', 80)[0], err(socket.create_connection, ('2620:fe::fe', 53), 2)[0]]
";
    let said = server.returned("closed", &json!({ "code": code }));
    assert_eq!((&said["interfaces"], &said["routes"]), (&json!(["lo"]), &json!(0)), "{said}");
    assert!(strings(&said["said"]).iter().all(|s| s != "ok"), "{said}");
}

/// One instance listens on everything it has; the other, at the same moment, finds nobody at any address of either.
#[test]
fn e7_two_instances_cannot_find_each_other() {
    let _machine = shared();
    if !root("e7_two_instances_cannot_find_each_other") {
        return;
    }
    let server = server();
    server.deploy("listener", PROBE);
    server.deploy("seeker", PROBE);
    let listen = r"
socket.setdefaulttimeout(4)
s = socket.socket(socket.AF_INET6); s.setsockopt(41, 26, 0); s.bind(('::', 4242)); s.listen(8)
print('listening', flush=True)
out = err(s.accept)[0]
";
    let seek = r"
import errno
own = {open('/proc/net/fib_trie').read()} if os.path.exists('/proc/net/fib_trie') else set()
import re
found = set(re.findall(r'\d+\.\d+\.\d+\.\d+', ' '.join(own)))
out = []
for host in sorted(found | {'169.254.0.1', '169.254.0.2', '10.0.0.2', '192.168.0.2'}) + ['fe80::1', 'ff02::1']:
    out.append(f'{host} ' + err(socket.create_connection, (host, 4242), 0.5)[0])
";
    let (accepted, said) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| server.returned("listener", &json!({ "code": listen })));
        until("the listener listens", || {
            server.lines("listener").iter().any(|l| l.starts_with("listening")).then_some(())
        });
        (server.returned("seeker", &json!({ "code": seek })), listener.join().unwrap())
    });
    let (said, accepted) = (accepted, said);
    assert!(strings(&said).iter().all(|s| !s.ends_with(" ok")), "{said}");
    assert_eq!(accepted, "timed out", "nobody came");
}
