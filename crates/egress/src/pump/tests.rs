use std::{os::unix::net::UnixDatagram, time::Duration};

use anyfn_base::Base;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

use super::*;
use crate::{
    Egress, Options,
    packet::{Key, Protocol},
};

/// A guest's kernel played by hand: its device is a socket, its packets are written here.
struct Played {
    device: UnixDatagram,
    packets: mpsc::Sender<Vec<u8>>,
    key: Key,
    /// The stack's next sequence number, as far as the guest knows.
    theirs: TcpSeqNumber,
}

impl Played {
    fn packet(&self, control: TcpControl, ack: bool, payload: &[u8]) -> Vec<u8> {
        let (guest, far) = (Options::default().guest, *self.key.to.ip());
        let repr = TcpRepr {
            src_port: self.key.guest_port,
            dst_port: self.key.to.port(),
            control,
            seq_number: TcpSeqNumber(if ack { 1001 } else { 1000 }),
            ack_number: ack.then_some(self.theirs),
            window_len: 60_000,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        };
        let header = Ipv4Repr {
            src_addr: guest,
            dst_addr: far,
            next_header: IpProtocol::Tcp,
            payload_len: repr.buffer_len(),
            hop_limit: 64,
        };
        let mut out = vec![0; 20 + repr.buffer_len()];
        let sums = ChecksumCapabilities::default();
        header.emit(&mut Ipv4Packet::new_unchecked(&mut out[..]), &sums);
        repr.emit(&mut TcpPacket::new_unchecked(&mut out[20..]), &guest.into(), &far.into(), &sums);
        out
    }

    fn receive(&self) -> Option<(TcpRepr<'static>, usize)> {
        let mut buffer = [0; 2000];
        let len = self.device.recv(&mut buffer).ok()?;
        let ip = Ipv4Packet::new_checked(&buffer[..len]).unwrap();
        let tcp = TcpPacket::new_checked(ip.payload()).unwrap();
        let sums = ChecksumCapabilities::default();
        let repr = TcpRepr::parse(&tcp, &ip.src_addr().into(), &ip.dst_addr().into(), &sums).unwrap();
        let len = repr.payload.len();
        Some((TcpRepr { payload: &[], ..repr }, len))
    }
}

/// Runs `test` with a pump whose handshake is done.
async fn with_pump<F, T>(
    test: impl FnOnce(Played, Pump<'static>, Inbox, DuplexStream, DuplexStream) -> F,
) -> T
where
    F: Future<Output = T>,
{
    let (ours, device) = UnixDatagram::pair().unwrap();
    device.set_nonblocking(true).unwrap();
    let egress = Egress::new(Base::simulated(0, 7), Options::default());
    let guest = egress.guest(anyfn_types::InstanceId(1), ours.into()).unwrap();
    let guest: &'static Guest = Box::leak(Box::new(guest));
    let key = Key { protocol: Protocol::Tcp, guest_port: 4000, to: "8.8.4.4:80".parse().unwrap() };
    let (place, _unused) = guest.table.open(key, 1).unwrap();
    let (packets, mut inbox) = mpsc::channel(8);
    let mut played = Played { device, packets, key, theirs: TcpSeqNumber(0) };
    let mut pump = Pump::new(guest, &place, played.packet(TcpControl::Syn, false, &[]));
    let (mut near, far) = tokio::io::duplex(1 << 16);
    assert_eq!(during(Duration::from_millis(1), &mut pump, &mut inbox, &mut near).await, None);
    let (synack, _) = played.receive().unwrap();
    assert_eq!((synack.control, synack.ack_number), (TcpControl::Syn, Some(TcpSeqNumber(1001))));
    played.theirs = synack.seq_number + 1;
    played.packets.send(played.packet(TcpControl::None, true, &[])).await.unwrap();
    test(played, pump, inbox, near, far).await
}

async fn during(
    time: Duration,
    pump: &mut Pump<'_>,
    inbox: &mut Inbox,
    near: &mut DuplexStream,
) -> Option<Ended> {
    tokio::time::timeout(time, pump.run(inbox, near)).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_lives_until_its_idle_time() {
    with_pump(async |_played, mut pump, mut inbox, mut near, _far| {
        assert_eq!(during(Duration::from_secs(349), &mut pump, &mut inbox, &mut near).await, None);
        assert_eq!(
            during(Duration::from_secs(2), &mut pump, &mut inbox, &mut near).await,
            Some(Ended::Abruptly)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_acknowledges_nothing_is_given_up() {
    with_pump(async |played, mut pump, mut inbox, mut near, mut far| {
        assert_eq!(during(Duration::from_secs(200), &mut pump, &mut inbox, &mut near).await, None);
        far.write_all(b"hello").await.unwrap();
        assert_eq!(during(Duration::from_secs(59), &mut pump, &mut inbox, &mut near).await, None);
        let (first, len) = std::iter::from_fn(|| played.receive()).find(|(_, len)| *len > 0).unwrap();
        assert_eq!((first.seq_number, len), (played.theirs, 5));
        let repeats = std::iter::from_fn(|| played.receive()).filter(|(_, len)| *len == 5).count();
        assert!(repeats >= 2, "{repeats}");
        assert_eq!(
            during(Duration::from_secs(3), &mut pump, &mut inbox, &mut near).await,
            Some(Ended::Abruptly)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bytes_and_the_end_pass() {
    with_pump(async |played, mut pump, mut inbox, mut near, mut far| {
        played.packets.send(played.packet(TcpControl::Psh, true, b"hello")).await.unwrap();
        assert_eq!(during(Duration::from_secs(1), &mut pump, &mut inbox, &mut near).await, None);
        let mut got = [0; 5];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"hello");
        let acks = std::iter::from_fn(|| played.receive()).filter_map(|(tcp, _)| tcp.ack_number);
        assert_eq!(acks.last(), Some(TcpSeqNumber(1006)));
        drop(far);
        assert_eq!(during(Duration::from_secs(1), &mut pump, &mut inbox, &mut near).await, None);
        let fins = std::iter::from_fn(|| played.receive()).filter(|(tcp, _)| tcp.control == TcpControl::Fin);
        assert!(fins.count() >= 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_the_guest_ends_the_flow_at_once() {
    with_pump(async |played, mut pump, mut inbox, mut near, _far| {
        played.packets.send(played.packet(TcpControl::Rst, true, &[])).await.unwrap();
        let ended = during(Duration::from_millis(1), &mut pump, &mut inbox, &mut near).await;
        assert_eq!(ended, Some(Ended::Abruptly));
    })
    .await;
}
