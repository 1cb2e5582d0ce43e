//! What guests may not: addresses behind the fence, and more than their share.

use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    time::Duration,
};

use crate::{
    far,
    world::{SERVER, Served, World, eventually, joined, options},
};

fn refused(address: &str) -> bool {
    TcpStream::connect(address).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn e1_metadata_and_private_addresses_are_refused_and_counted() {
    let Some(world) = World::new("e1_metadata_and_private_addresses_are_refused_and_counted") else { return };
    far::tcp(&world, "far", "192.168.77.1:80", far::hold);
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let tried = [
            "169.254.169.254:80",
            "100.100.100.200:80",
            "192.168.77.1:80",
            "10.0.0.1:443",
            "168.63.129.16:80",
        ];
        let tcp = tried.iter().filter(|address| refused(address)).count();
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("169.254.169.254:123").unwrap();
        socket.send(b"x").unwrap();
        let udp = socket.recv(&mut [0]).unwrap_err().kind();
        // no route at all: the device has no IPv6
        let v6 = TcpStream::connect("[fd00:ec2::254]:80").is_err();
        (tcp, udp, v6, refused("8.8.4.4:25"))
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        assert_eq!(joined(guest).await, (5, ErrorKind::HostUnreachable, true, true));
        let usage = served.attached.usage();
        assert_eq!((usage.refused, usage.flows, usage.open), (7, 0, 0));
        let counted = |reason| served.metric(&format!("anyfn_egress_refused_total{{reason=\"{reason}\"}}"));
        assert_eq!(["link_local", "metadata", "private", "port"].map(counted), [2, 2, 2, 1]);
    });
}

#[test]
fn e2_the_servers_own_ports_are_out_of_reach_also_on_public_and_new_addresses() {
    let name = "e2_the_servers_own_ports_are_out_of_reach_also_on_public_and_new_addresses";
    let Some(world) = World::new(name) else { return };
    let tun = world.open_tun();
    let (start, started) = mpsc::sync_channel::<()>(1);
    let guest = world.on("guest", move || {
        started.recv().unwrap();
        [format!("{SERVER}:8080"), "9.9.9.9:8080".into(), "10.200.0.1:8080".into(), "11.0.0.255:8080".into()]
            .iter()
            .filter(|address| refused(address))
            .count()
    });
    let world = std::sync::Arc::new(world);
    let inner = world.clone();
    world.serve(move || async move {
        let platform = TcpListener::bind("0.0.0.0:8080").unwrap();
        platform.set_nonblocking(true).unwrap();
        let mut options = options();
        options.timeouts.refresh = Duration::from_secs(3600);
        let served = Served::new(tun, options);
        // comes after the only look at the tables
        inner.add_server_address("9.9.9.9/32");
        start.send(()).unwrap();
        assert_eq!(joined(guest).await, 4);
        assert_eq!(platform.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(served.metric("anyfn_egress_refused_total{reason=\"own_address\"}"), 3);
        assert_eq!(served.attached.usage().flows, 0);
    });
}

#[test]
fn the_allow_list_opens_one_port_of_a_private_address() {
    let Some(world) = World::new("the_allow_list_opens_one_port_of_a_private_address") else { return };
    far::tcp(&world, "far", "192.168.77.1:5432", far::http);
    far::tcp(&world, "far", "192.168.77.1:5433", far::http);
    let tun = world.open_tun();
    let guest =
        world.on("guest", || (TcpStream::connect("192.168.77.1:5432").is_ok(), refused("192.168.77.1:5433")));
    world.serve(move || async move {
        let mut options = options();
        options.allow = vec!["192.168.77.0/24:5432".parse().unwrap()];
        let served = Served::new(tun, options);
        assert_eq!(joined(guest).await, (true, true));
        assert_eq!((served.attached.usage().flows, served.attached.usage().refused), (1, 1));
    });
}

#[test]
fn d15_connections_past_the_limit_are_refused_and_places_come_back() {
    let Some(world) = World::new("d15_connections_past_the_limit_are_refused_and_places_come_back") else {
        return;
    };
    far::tcp(&world, "far", "8.8.4.4:80", far::hold);
    let tun = world.open_tun();
    let (release, released) = mpsc::sync_channel::<()>(1);
    let (report, reported) = mpsc::sync_channel(1);
    let guest = world.on("guest", move || {
        let held: Vec<_> = (0..300).filter_map(|_| TcpStream::connect("8.8.4.4:80").ok()).collect();
        report.send(held.len()).unwrap();
        drop(held);
        released.recv().unwrap();
        (0..100).map(|_| TcpStream::connect("8.8.4.4:80")).filter(Result::is_ok).count()
    });
    world.serve(move || async move {
        let mut options = options();
        options.limits.flows = 100;
        let served = Served::new(tun, options);
        let held = tokio::task::spawn_blocking(move || reported.recv().unwrap()).await.unwrap();
        assert_eq!((held, served.attached.usage().limited), (100, 200));
        assert_eq!(served.metric("anyfn_egress_limited_total{limit=\"flows\"}"), 200);
        eventually(|| served.attached.usage().open == 0).await;
        release.send(()).unwrap();
        assert_eq!(joined(guest).await, 100);
        assert_eq!(served.attached.usage().flows, 200);
    });
}

#[test]
fn e6_a_guest_without_a_device_reaches_nothing() {
    let Some(world) = World::new("e6_a_guest_without_a_device_reaches_nothing") else { return };
    let guest = world.on("guest", || {
        let names = UdpSocket::bind("0.0.0.0:0").and_then(|s| s.send_to(b"x", "10.200.0.1:53"));
        (TcpStream::connect("8.8.4.4:80").unwrap_err().kind(), names.unwrap_err().kind())
    });
    assert_eq!(guest.join().unwrap(), (ErrorKind::NetworkUnreachable, ErrorKind::NetworkUnreachable));
}
