//! DNS at the gateway: forwarded, refused by name, cut, limited.

use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
};

use crate::{
    far,
    world::{Served, World, joined, options},
};

fn query(id: u8, name: &str) -> Vec<u8> {
    let mut message = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// Answers everything with 8.8.4.4; a name that begins with `b` gets 2,000 bytes more.
fn resolve(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 8, 8, 4, 4]);
    if question[13] == b'b' {
        answer.extend([0; 2000]);
    }
    answer
}

fn ask_udp(socket: &UdpSocket, id: u8, name: &str) -> Vec<u8> {
    socket.send(&query(id, name)).unwrap();
    let mut answer = vec![0; 9000];
    let len = socket.recv(&mut answer).unwrap();
    answer.truncate(len);
    answer
}

fn ask_tcp(id: u8, name: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect("10.200.0.1:53").unwrap();
    let question = query(id, name);
    stream.write_all(&(question.len() as u16).to_be_bytes()).unwrap();
    stream.write_all(&question).unwrap();
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut answer).unwrap();
    answer
}

fn serve_names(world: &World) {
    far::udp(world, "8.8.4.4:53", resolve);
    far::tcp(world, "far", "8.8.4.4:53", |mut stream| {
        let mut len = [0; 2];
        stream.read_exact(&mut len).unwrap();
        let mut question = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut question).unwrap();
        let answer = resolve(&question);
        stream.write_all(&(answer.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(&answer).unwrap();
    });
}

#[test]
fn e1_names_resolve_and_metadata_names_do_not_exist() {
    let Some(world) = World::new("e1_names_resolve_and_metadata_names_do_not_exist") else { return };
    serve_names(&world);
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("10.200.0.1:53").unwrap();
        let udp = ask_udp(&socket, 1, "example.com");
        let denied =
            [ask_udp(&socket, 2, "Metadata.Google.internal"), ask_tcp(3, "metadata.google.internal")];
        let big = (ask_udp(&socket, 4, "big.example.com"), ask_tcp(5, "big.example.com"));
        (udp, denied, big)
    });
    world.serve(move || async move {
        let served = Served::new(tun, options());
        let (udp, denied, (cut, whole)) = joined(guest).await;
        assert_eq!((udp[1], &udp[udp.len() - 4..]), (1, &[8, 8, 4, 4][..]));
        assert_eq!(denied.map(|answer| answer[3] & 15), [3, 3]);
        assert_eq!((cut[2] & 2, cut[7], cut.len()), (2, 0, query(4, "big.example.com").len()));
        assert_eq!((whole[2] & 2, whole.len() > 2000), (0, true));
        assert_eq!(served.attached.usage().questions, 5);
        let counted = |result| served.metric(&format!("anyfn_egress_dns_total{{result=\"{result}\"}}"));
        assert_eq!(["answered", "denied", "failed"].map(counted), [3, 2, 0]);
    });
}

#[test]
fn questions_past_the_rate_are_refused_and_silent_resolvers_are_said_so() {
    let name = "questions_past_the_rate_are_refused_and_silent_resolvers_are_said_so";
    let Some(world) = World::new(name) else { return };
    let tun = world.open_tun();
    let guest = world.on("guest", || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("10.200.0.1:53").unwrap();
        (0..20).map(|id| ask_udp(&socket, id, "example.com")[3] & 15).collect::<Vec<_>>()
    });
    world.serve(move || async move {
        let mut options = options();
        options.limits.dns_per_s = 1;
        // nobody listens there: the far kernel says so at once
        options.resolvers = Some(vec!["8.8.4.4:53".parse().unwrap()]);
        let served = Served::new(tun, options);
        let codes = joined(guest).await;
        assert_eq!(codes[..2], [2, 2]);
        assert!(codes.contains(&5), "{codes:?}");
        let usage = served.attached.usage();
        assert_eq!(usage.limited, codes.iter().filter(|code| **code == 5).count() as u64);
    });
}
