//! One TCP flow: first the connection to the world, then the guest's handshake, then bytes in both directions. So a guest
//! sees a refusal of the world as a refusal, and no handshake is kept for a connection that never was.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
};

use tokio::net::{TcpSocket, TcpStream};

use crate::{
    Options, dns,
    egress::Guest,
    packet::{self, Unreachable},
    pump::{Ended, Pump},
    table::{Inbox, Place},
};

/// Bytes between the flow and the DNS server in this room.
const DNS_PIPE: usize = 8 * 1024;

/// As many packets as fill the flow's buffer twice: more cannot be on their way from an honest stack.
pub(crate) fn inbox_depth(options: &Options) -> usize {
    (2 * options.limits.buffer_bytes / usize::from(options.mtu).max(1)).clamp(8, 256)
}

pub(crate) async fn run(guest: Arc<Guest>, place: Place, mut inbox: Inbox) {
    let Some(syn) = inbox.recv().await else { return };
    if *place.key.to.ip() == guest.shared.options.gateway {
        let (mut near, far) = tokio::io::duplex(DNS_PIPE);
        let pumped = async {
            Pump::new(&guest, &place, syn).run(&mut inbox, &mut near).await;
            drop(near);
        };
        // boxed: it is far larger than what a flow needs otherwise
        tokio::join!(pumped, Box::pin(dns::serve_tcp(&guest, far)));
        return;
    }
    match connect(&guest, &place).await {
        Ok(stream) => {
            let mut outside = Outside(Some(stream));
            if let Some(stream) = &mut outside.0
                && Pump::new(&guest, &place, syn).run(&mut inbox, stream).await == Ended::Cleanly
            {
                outside.0 = None;
            }
        }
        Err(error) => refuse(&guest, &syn, &error),
    }
}

async fn connect(guest: &Guest, place: &Place) -> io::Result<TcpStream> {
    let shared = &guest.shared;
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    tokio::select! {
        made = socket.connect(place.key.to.into()) => made,
        () = shared.base.clock.sleep(shared.options.timeouts.connect) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn refuse(guest: &Guest, syn: &[u8], error: &io::Error) {
    let answer = if error.kind() == io::ErrorKind::ConnectionRefused {
        packet::reset(syn)
    } else {
        packet::unreachable(syn, guest.shared.options.gateway, Unreachable::Host)
    };
    if let Some(answer) = answer {
        guest.send(&answer);
    }
}

/// A connection that ends in the middle (the instance is gone, the guest reset it) is reset: the other side must not
/// take half a message for a whole one. A flow that ended well takes the stream out first.
struct Outside(Option<TcpStream>);

impl Drop for Outside {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            let _ = stream.set_zero_linger();
        }
    }
}

/// Counts bytes that passed.
pub(crate) fn count(guest: &Guest, out: usize, back: usize) {
    if out > 0 {
        guest.meter.bytes_out.fetch_add(out as u64, Ordering::Relaxed);
        guest.shared.counts.bytes_out.add(out as u64);
    }
    if back > 0 {
        guest.meter.bytes_in.fetch_add(back as u64, Ordering::Relaxed);
        guest.shared.counts.bytes_in.add(back as u64);
    }
}
