//! Asks the host's resolvers, one after the other, each for at most `timeouts.dns`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
};

use super::{ANSWER_MAX, Transport, message::Question, read_message};
use crate::egress::Guest;

pub(super) async fn ask(
    guest: &Guest,
    message: &[u8],
    question: &Question<'_>,
    transport: Transport,
) -> Option<Vec<u8>> {
    let (clock, limit) = (&guest.shared.base.clock, guest.shared.options.timeouts.dns);
    for resolver in guest.shared.resolvers() {
        let answer = async {
            match transport {
                Transport::Udp => over_udp(resolver, message, question).await,
                Transport::Tcp => over_tcp(resolver, message, question).await,
            }
        };
        let answer = tokio::select! {
            answer = answer => answer.ok(),
            () = clock.sleep(limit) => None,
        };
        if answer.is_some() {
            return answer;
        }
    }
    None
}

/// A socket per question: the kernel picks the port at random, and takes answers of this resolver only.
async fn over_udp(resolver: SocketAddr, message: &[u8], question: &Question<'_>) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(message).await?;
    let mut buffer = vec![0; ANSWER_MAX];
    loop {
        let len = socket.recv(&mut buffer).await?;
        if question.is_answered_by(&buffer[..len]) {
            buffer.truncate(len);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(resolver: SocketAddr, message: &[u8], question: &Question<'_>) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let len = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let framed = [&len.to_be_bytes()[..], message].concat();
    stream.write_all(&framed).await?;
    let answer = read_message(&mut stream, usize::from(u16::MAX)).await;
    answer.filter(|a| question.is_answered_by(a)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
