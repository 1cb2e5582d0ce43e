//! Bytes pass, ends pass, refusals of the world pass.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream, UdpSocket},
    sync::mpsc,
    time::Duration,
};

use anyfn_base::Clock;

use crate::{
    far,
    world::{FAR, Served, World, eventually, joined, options},
};

fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /7 HTTP/1.1\r\nhost: far\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn http_and_udp_reach_a_public_address_and_are_counted() {
    let Some(world) = World::new("http_and_udp_reach_a_public_address_and_are_counted") else { return };
    far::tcp(&world, "far", "8.8.4.4:80", far::http);
    far::udp_echo(&world, "8.8.4.4:7");
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let page = get("8.8.4.4:80").unwrap();
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("8.8.4.4:7").unwrap();
        let echoes = [1, 700, 1472].map(|len| {
            socket.send(&vec![9; len]).unwrap();
            socket.recv(&mut [0; 2000]).unwrap()
        });
        (page, echoes)
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        let (page, echoes) = joined(guest).await;
        assert!(page.ends_with("\r\n\r\nyou asked for /7"), "{page}");
        assert_eq!(echoes, [1, 700, 1472]);
        eventually(|| served.attached.usage().open == 1).await; // UDP has no end, only an idle time
        let usage = served.attached.usage();
        assert_eq!((usage.flows, usage.refused, usage.limited), (2, 0, 0));
        assert_eq!(usage.bytes_out, 30 + 1 + 700 + 1472);
        assert_eq!(usage.bytes_in, page.len() as u64 + 1 + 700 + 1472);
        assert_eq!(served.metric("anyfn_egress_flows_total{protocol=\"tcp\"}"), 1);
        assert_eq!(served.metric("anyfn_egress_bytes_total{direction=\"out\"}"), usage.bytes_out as i64);
    });
}

#[test]
fn each_side_may_end_its_direction_first() {
    let Some(world) = World::new("each_side_may_end_its_direction_first") else { return };
    far::tcp(&world, "far", "8.8.4.4:81", far::echo_after_end);
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let mut stream = TcpStream::connect("8.8.4.4:81").unwrap();
        let sent: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut writer = stream.try_clone().unwrap();
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        (got == sent, got.len())
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        assert_eq!(joined(guest).await, (true, 1_200_000));
        eventually(|| served.attached.usage().open == 0).await;
        assert_eq!(served.attached.usage().bytes_in, 1_200_000);
    });
}

#[test]
fn a_refusal_of_the_world_is_seen_as_one() {
    let Some(world) = World::new("a_refusal_of_the_world_is_seen_as_one") else { return };
    let tun = world.open_tun();
    let guest = world.on("guest", || TcpStream::connect("8.8.4.4:9").unwrap_err().kind());
    world.serve(move || async move {
        let served = Served::new(tun, options());
        assert_eq!(joined(guest).await, ErrorKind::ConnectionRefused);
        eventually(|| served.attached.usage().open == 0).await;
        assert_eq!(served.attached.usage().refused, 0);
    });
}

#[test]
fn a_reset_of_the_world_is_a_reset_for_the_guest() {
    let Some(world) = World::new("a_reset_of_the_world_is_a_reset_for_the_guest") else { return };
    // to close with unread bytes resets the connection
    far::tcp(&world, "far", "8.8.4.4:82", |mut stream| stream.read_exact(&mut [0; 1]).unwrap());
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let mut stream = TcpStream::connect("8.8.4.4:82").unwrap();
        stream.write_all(&[0; 1000]).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap_err().kind()
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        assert_eq!(joined(guest).await, ErrorKind::ConnectionReset);
        eventually(|| served.attached.usage().open == 0).await;
    });
}

#[test]
fn nothing_is_left_when_the_instance_goes() {
    let Some(world) = World::new("nothing_is_left_when_the_instance_goes") else { return };
    let (saw, seen) = mpsc::sync_channel(20);
    let (ready, listening) = mpsc::sync_channel(1);
    world.on("far", move || {
        let listener = std::net::TcpListener::bind("8.8.4.4:83").unwrap();
        ready.send(()).unwrap();
        for mut stream in listener.incoming().flatten() {
            let saw = saw.clone();
            std::thread::spawn(move || {
                saw.send(stream.read(&mut [0; 9]).map_err(|e| e.kind())).unwrap(); // "half", then the end
                saw.send(stream.read(&mut [0; 9]).map_err(|e| e.kind())).unwrap();
            });
        }
    });
    listening.recv().unwrap();
    let tun = world.open_tun();
    let (opened, all_open) = mpsc::sync_channel(1);
    let (finish, finished) = mpsc::sync_channel::<()>(1);
    let guest = world.on("guest", move || {
        let streams: Vec<_> = (0..10).map(|_| TcpStream::connect(format!("{FAR}:83")).unwrap()).collect();
        streams.iter().for_each(|mut stream| stream.write_all(b"half").unwrap());
        opened.send(()).unwrap();
        let _ = finished.recv();
    });
    world.serve(move || async move {
        let Served { base, egress, attached } = Served::new(tun, options());
        tokio::task::spawn_blocking(move || all_open.recv()).await.unwrap().unwrap();
        let seen = tokio::task::spawn_blocking(move || {
            let halves = (0..10).filter(|_| seen.recv().unwrap() == Ok(4)).count();
            (halves, seen)
        });
        let (halves, seen) = seen.await.unwrap();
        assert_eq!((halves, attached.usage().open), (10, 10));
        assert_eq!(base.tasks.alive().get("egress-tcp"), Some(&10));
        drop(attached);
        eventually(|| base.tasks.alive().keys().eq(["egress-refresh"].iter())).await;
        let metric = |series| crate::world::metric(&base, series);
        assert_eq!((metric("anyfn_egress_flows"), metric("anyfn_egress_instances")), (0, 0));
        // half a message is never followed by a polite end
        let resets = tokio::task::spawn_blocking(move || {
            (0..10).filter(|_| seen.recv().unwrap() == Err(ErrorKind::ConnectionReset)).count()
        });
        assert_eq!(resets.await.unwrap(), 10);
        drop(egress);
        eventually(|| base.tasks.alive().is_empty()).await;
        finish.send(()).unwrap();
        joined(guest).await;
    });
}

#[test]
fn everything_ends_when_the_device_goes() {
    let Some(world) = World::new("everything_ends_when_the_device_goes") else { return };
    far::tcp(&world, "far", "8.8.4.4:84", far::hold);
    let tun = world.open_tun();
    let guest = world.on("guest", || TcpStream::connect("8.8.4.4:84").unwrap());
    let world = std::sync::Arc::new(world);
    let inner = world.clone();
    world.serve(move || async move {
        let served = Served::new(tun, options());
        let _stream = joined(guest).await;
        assert_eq!((served.attached.usage().open, served.attached.is_open()), (1, true));
        inner.remove_device();
        eventually(|| served.base.tasks.alive().keys().eq(["egress-refresh"].iter())).await;
        assert_eq!((served.attached.usage().open, served.attached.is_open()), (0, false));
        assert!(!served.base.tasks.is_stopping());
    });
}

#[test]
fn flows_without_a_byte_end() {
    let Some(world) = World::new("flows_without_a_byte_end") else { return };
    far::tcp(&world, "far", "8.8.4.4:85", far::hold);
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let mut stream = TcpStream::connect("8.8.4.4:85").unwrap();
        UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", "8.8.4.4:9").unwrap();
        stream.read(&mut [0]).unwrap_err().kind()
    });
    world.serve(move || async move {
        let mut options = options();
        options.timeouts.tcp_idle = Duration::from_millis(50);
        options.timeouts.udp_idle = Duration::from_millis(50);
        let served = Served::new(tun, options);
        assert_eq!(joined(guest).await, ErrorKind::ConnectionReset);
        eventually(|| served.attached.usage().flows == 2 && served.attached.usage().open == 0).await;
    });
}

/// Printed, not asserted: `cargo test -p anyfn-egress --release --test network throughput -- --nocapture`.
#[test]
fn throughput() {
    const BYTES: usize = 64 << 20;
    let Some(world) = World::new("throughput") else { return };
    far::tcp(&world, "far", "8.8.4.4:90", |mut stream| {
        std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        let _ = stream.write_all(b"k"); // the connect loop does not wait for it
    });
    far::tcp(&world, "far", "8.8.4.4:91", |mut stream| stream.write_all(&vec![7; BYTES]).unwrap());
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let clock = Clock::system();
        let began = clock.now();
        let mut up = TcpStream::connect("8.8.4.4:90").unwrap();
        up.write_all(&vec![7; BYTES]).unwrap();
        up.shutdown(Shutdown::Write).unwrap();
        up.read_exact(&mut [0]).unwrap();
        let half = clock.now();
        let down =
            std::io::copy(&mut TcpStream::connect("8.8.4.4:91").unwrap(), &mut std::io::sink()).unwrap();
        let rounds = clock.now();
        let mut connects = 0;
        while connects < 200 {
            drop(TcpStream::connect("8.8.4.4:90").unwrap());
            connects += 1;
        }
        (down, half - began, rounds - half, (clock.now() - rounds) / connects)
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        let (down, up_time, down_time, connect) = joined(guest).await;
        assert_eq!(down, BYTES as u64);
        let usage = served.attached.usage();
        assert_eq!((usage.bytes_out, usage.flows), (BYTES as u64, 202));
        let rate = |time: Duration| (BYTES >> 20) as f64 / time.as_secs_f64();
        println!("up {:.0} MiB/s, down {:.0} MiB/s, connect {connect:?}", rate(up_time), rate(down_time));
        println!("lost packets: {}", served.metric("anyfn_egress_lost_total"));
    });
}
