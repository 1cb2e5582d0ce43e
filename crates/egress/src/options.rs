//! The numbers an owner may tune. Components (clock, tasks, metrics) come with `Base`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::Allow;

/// Bytes of one IP packet on the guest's device; the sandbox must give the device the same value.
pub const MTU: u16 = 1500;

#[derive(Clone, Debug)]
pub struct Options {
    /// The guest's address on its device. Packets from any other source are dropped. Default 10.200.0.2.
    pub guest: Ipv4Addr,
    /// The other end of the device, which serves DNS on port 53 and nothing else. Default 10.200.0.1.
    pub gateway: Ipv4Addr,
    /// Bytes, 576 to 9,216. Default [`MTU`].
    pub mtu: u16,
    /// What guests may reach although the fence would refuse it. Default empty.
    pub allow: Vec<Allow>,
    /// Ports nobody may reach, TCP and UDP. Default 25 (mail between servers).
    pub denied_ports: Vec<u16>,
    /// Addresses under which the world reaches this host although no interface has them (a cloud's one-to-one NAT, a
    /// load balancer). The addresses of the interfaces are found without being named.
    pub own_addresses: Vec<IpAddr>,
    /// Where DNS questions go. `None`: the `nameserver` lines of `/etc/resolv.conf`, read again every `refresh`.
    pub resolvers: Option<Vec<SocketAddr>>,
    /// Names, each with all names below it, that are answered NXDOMAIN. Lower case, without a final dot.
    pub denied_names: Vec<String>,
    pub limits: Limits,
    pub timeouts: Timeouts,
}

#[derive(Clone, Debug)]
pub struct Limits {
    /// Flows of one instance at once, TCP and UDP together. Default 1,000.
    pub flows: usize,
    /// Flows of all instances at once, which bounds the server's descriptors and local ports. Default 16,384.
    pub flows_on_host: usize,
    /// New flows of one instance per second. Default 200.
    pub flows_per_s: u32,
    /// New flows of one instance at once after a rest. Default 500.
    pub flows_burst: u32,
    /// Packets of one instance per second; past it its device is read later, so that the guest slows down. Default 100,000.
    pub packets_per_s: u32,
    /// DNS questions of one instance per second. Default 100, after a rest 200 at once.
    pub dns_per_s: u32,
    /// DNS questions of one instance that wait for an answer. Default 64.
    pub dns_at_once: usize,
    /// Bytes of one TCP flow buffered in each direction, at least 4,096. Default 64 KiB.
    pub buffer_bytes: usize,
}

#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For a TCP connection to be made. Default 30 s.
    pub connect: Duration,
    /// Without a byte in either direction. Default 350 s.
    pub tcp_idle: Duration,
    /// The same once one side has ended its direction. Default 60 s.
    pub half_closed: Duration,
    /// Default 60 s.
    pub udp_idle: Duration,
    /// For UDP to port 53 of a public resolver, and for one DNS resolver's answer. Default 5 s.
    pub dns: Duration,
    /// Between two looks at the host's addresses and resolvers. Default 10 s.
    pub refresh: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let denied = [
            "metadata.google.internal",
            "metadata.goog",
            "metadata",
            "instance-data",
            "instance-data.ec2.internal",
            "metadata.azure.internal",
            "metadata.tencentyun.com",
            "metadata.packet.net",
            "metadata.platformequinix.com",
            "host.docker.internal",
            "gateway.docker.internal",
            "kubernetes.default.svc",
            "cluster.local",
            "localhost",
        ];
        Self {
            guest: Ipv4Addr::new(10, 200, 0, 2),
            gateway: Ipv4Addr::new(10, 200, 0, 1),
            mtu: MTU,
            allow: Vec::new(),
            denied_ports: vec![25],
            own_addresses: Vec::new(),
            resolvers: None,
            denied_names: denied.map(str::to_owned).to_vec(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 1000,
            flows_on_host: 16_384,
            flows_per_s: 200,
            flows_burst: 500,
            packets_per_s: 100_000,
            dns_per_s: 100,
            dns_at_once: 64,
            buffer_bytes: 64 * 1024,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            tcp_idle: Duration::from_secs(350),
            half_closed: Duration::from_secs(60),
            udp_idle: Duration::from_secs(60),
            dns: Duration::from_secs(5),
            refresh: Duration::from_secs(10),
        }
    }
}
