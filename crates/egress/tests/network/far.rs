//! Servers of the far side: blocking, a thread per connection.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
};

use crate::world::World;

/// Serves every connection to `address` with `each`, on the named side, from now on.
pub(crate) fn tcp(world: &World, side: &str, address: &'static str, each: fn(TcpStream)) {
    let (ready, listening) = mpsc::sync_channel(1);
    world.on(side, move || {
        let listener = TcpListener::bind(address).unwrap();
        ready.send(()).unwrap();
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || each(stream));
        }
    });
    listening.recv().unwrap();
}

/// Sends back what comes, datagram by datagram.
pub(crate) fn udp_echo(world: &World, address: &'static str) {
    udp(world, address, |question| question.to_vec());
}

pub(crate) fn udp(world: &World, address: &'static str, answer: fn(&[u8]) -> Vec<u8>) {
    let (ready, listening) = mpsc::sync_channel(1);
    world.on("far", move || {
        let socket = UdpSocket::bind(address).unwrap();
        ready.send(()).unwrap();
        let mut buffer = vec![0; 65536];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&answer(&buffer[..len]), from).unwrap();
        }
    });
    listening.recv().unwrap();
}

/// Sends back everything, once the other side has ended.
pub(crate) fn echo_after_end(mut stream: TcpStream) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    stream.write_all(&all).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

/// One request, one response, and the end.
pub(crate) fn http(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
    }
    let path = String::from_utf8_lossy(head.get(4..6).unwrap_or_default());
    let body = format!("you asked for {path}");
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// Keeps the connection until the other side ends it.
pub(crate) fn hold(mut stream: TcpStream) {
    let _ = stream.read(&mut [0]);
}
