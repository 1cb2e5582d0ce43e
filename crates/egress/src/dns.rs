//! DNS at the gateway's address: questions are looked at, refused by name where they must be, and otherwise asked of the
//! host's resolvers. Answers are not judged: whatever address a name gives, the fence judges the address.

mod ask;
mod message;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddrV4,
    sync::{Arc, atomic::Ordering},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::{
    egress::Guest,
    packet::{self, Key, UDP_HEADERS},
};
use message::{Code, Question};

/// Bytes of a question. Real ones have one name of at most 255 bytes and a few options.
const QUESTION_MAX: usize = 1232;
/// Bytes of an answer over UDP that is asked for and passed on if it fits the guest's device.
const ANSWER_MAX: usize = 4096;

/// Answers one question in a task of its own.
pub(crate) fn ask_udp(guest: &Arc<Guest>, key: Key, question: &[u8]) {
    let Ok(permit) = guest.questions.clone().try_acquire_owned() else {
        // no answer: the guest's resolver asks again later
        guest.meter.limited.fetch_add(1, Ordering::Relaxed);
        return guest.shared.counts.limited("dns_at_once");
    };
    let (task_guest, question) = (guest.clone(), question.to_vec());
    guest.spawn("egress-dns", async move {
        let _permit = permit;
        let Some(answer) = answer(&task_guest, &question, Transport::Udp).await else { return };
        let options = &task_guest.shared.options;
        let mtu = usize::from(options.mtu);
        let from = SocketAddrV4::new(options.gateway, 53);
        let to = SocketAddrV4::new(options.guest, key.guest_port);
        let fits = answer.len() + UDP_HEADERS <= mtu;
        let answer = if fits { Some(answer) } else { message::truncated(&answer) };
        if let Some(out) = answer.and_then(|a| packet::datagram(from, to, &a, mtu)) {
            task_guest.send(&out);
        }
    });
}

/// Serves questions with a length in front (RFC 1035, 4.2.2) until the guest ends or pauses for too long.
pub(crate) async fn serve_tcp(guest: &Guest, mut stream: DuplexStream) {
    let clock = &guest.shared.base.clock;
    loop {
        let question = tokio::select! {
            question = read_message(&mut stream, QUESTION_MAX) => question,
            () = clock.sleep(guest.shared.options.timeouts.dns * 2) => return,
        };
        let Some(question) = question else { return };
        let Some(answer) = answer(guest, &question, Transport::Tcp).await else { return };
        let Ok(len) = u16::try_from(answer.len()) else { return };
        if stream.write_u16(len).await.is_err() || stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn read_message<S: tokio::io::AsyncRead + Unpin>(stream: &mut S, most: usize) -> Option<Vec<u8>> {
    let len = usize::from(stream.read_u16().await.ok()?);
    if len > most {
        return None;
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await.ok()?;
    Some(message)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// None: what came is no question, and gets no answer.
async fn answer(guest: &Guest, message: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let counts = &guest.shared.counts;
    guest.meter.questions.fetch_add(1, Ordering::Relaxed);
    let question = Question::parse(message).filter(|_| message.len() <= QUESTION_MAX);
    let Some(question) = question else {
        counts.dns("malformed");
        return None;
    };
    if question.is_below(&guest.shared.options.denied_names) {
        counts.dns("denied");
        return Some(question.refuse(Code::NoSuchName));
    }
    if !guest.may_ask() {
        guest.meter.limited.fetch_add(1, Ordering::Relaxed);
        counts.limited("dns_per_s");
        return Some(question.refuse(Code::Refused));
    }
    match ask::ask(guest, message, &question, transport).await {
        Some(answer) => {
            counts.dns("answered");
            Some(answer)
        }
        None => {
            counts.dns("failed");
            Some(question.refuse(Code::ServerFailure))
        }
    }
}
