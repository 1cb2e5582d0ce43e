//! One UDP flow: a connected socket of the server, so that only the asked address can answer.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::net::UdpSocket;

use crate::{
    egress::Guest,
    packet::{self, UDP_HEADERS},
    table::{Inbox, Place},
};

/// Ends after `udp_idle` without a datagram.
pub(crate) async fn run(guest: Arc<Guest>, place: Place, mut inbox: Inbox) {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await else { return };
    if socket.connect(place.key.to).await.is_err() {
        return;
    }
    let clock = guest.shared.base.clock.clone();
    let idle = idle(&guest, place.key.to.port());
    let mtu = usize::from(guest.shared.options.mtu);
    // one byte more than fits, to tell what was cut
    let mut buffer = vec![0; mtu - UDP_HEADERS + 1];
    let to = SocketAddrV4::new(guest.shared.options.guest, place.key.guest_port);
    loop {
        tokio::select! {
            datagram = inbox.recv() => {
                let Some(datagram) = datagram else { return };
                // a full or refusing network loses datagrams; that is what UDP is
                if let Ok(sent) = socket.send(&datagram).await {
                    guest.meter.bytes_out.fetch_add(sent as u64, Ordering::Relaxed);
                    guest.shared.counts.bytes_out.add(sent as u64);
                }
            }
            received = socket.recv(&mut buffer) => {
                let Ok(len) = received else { continue };
                if let Some(out) = packet::datagram(place.key.to, to, &buffer[..len], mtu) {
                    guest.meter.bytes_in.fetch_add(len as u64, Ordering::Relaxed);
                    guest.shared.counts.bytes_in.add(len as u64);
                    guest.send(&out);
                }
            }
            () = clock.sleep(idle) => return,
        }
    }
}

/// Questions to a public resolver use a fresh port each; they must not hold a place for a minute.
fn idle(guest: &Guest, port: u16) -> Duration {
    let timeouts = &guest.shared.options.timeouts;
    if port == 53 { timeouts.dns.min(timeouts.udp_idle) } else { timeouts.udp_idle }
}
