//! The guest's side of one TCP connection on a user-space stack, spliced to a stream. One owner, no locks: each flow has
//! an interface with one socket, so packets are never searched through other flows' sockets, and flows run on all cores.
//!
//! Memory of a flow: two buffers of `buffer_bytes`, the inbox, and one packet.

#[cfg(test)]
mod tests;
mod wire;

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use anyfn_base::Instant;
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::tcp::{Socket, SocketBuffer, State},
    time::Instant as StackInstant,
    wire::{HardwareAddress, IpCidr},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    egress::Guest,
    table::{Inbox, Place},
    tcp::count,
};
use wire::Wire;

/// Rounds before other tasks get their turn.
const TURN: usize = 16;
/// Packets taken from the inbox per round.
const BATCH: usize = 32;
/// The guest's kernel acknowledges nothing for so long: it is gone.
const UNACKNOWLEDGED: smoltcp::time::Duration = smoltcp::time::Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides said that they were done, and everything was passed on.
    Cleanly,
    /// Reset, broken, idle for too long, or cancelled.
    Abruptly,
}

pub(crate) struct Pump<'a> {
    guest: &'a Guest,
    wire: Wire<'a>,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    began: Instant,
    last_byte: Instant,
    /// The stream has nothing more for the guest.
    outside_done: bool,
    /// The guest has nothing more for the stream, and the stream knows.
    inside_done: bool,
    alarm: Option<Alarm>,
}

struct Alarm {
    at: Instant,
    rings: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<'a> Pump<'a> {
    /// `syn` is the packet that opened the flow; it is answered once `run` is polled.
    pub(crate) fn new(guest: &'a Guest, place: &Place, syn: Vec<u8>) -> Self {
        let (options, base) = (&guest.shared.options, &guest.shared.base);
        let mut wire = Wire::new(guest, usize::from(options.mtu));
        wire.push(syn);
        let mut config = Config::new(HardwareAddress::Ip);
        // initial sequence numbers come from this; the guest must not guess those of other instances
        config.random_seed = base.random.u64();
        let mut interface = Interface::new(config, &mut wire, StackInstant::ZERO);
        let here = *place.key.to.ip();
        interface.update_ip_addrs(|addresses| {
            let _ = addresses.push(IpCidr::new(here.into(), 32));
        });
        let _ = interface.routes_mut().add_default_ipv4_route(options.gateway);
        let buffer = || SocketBuffer::new(vec![0; options.limits.buffer_bytes.max(4096)]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false); // whoever wrote the bytes has decided on their pieces
        let _ = socket.listen((here, place.key.to.port()));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        let now = base.clock.now();
        Self {
            guest,
            wire,
            interface,
            sockets,
            handle,
            began: now,
            last_byte: now,
            outside_done: false,
            inside_done: false,
            alarm: None,
        }
    }

    /// Runs until both directions are done or one breaks.
    pub(crate) async fn run<S>(&mut self, inbox: &mut Inbox, outside: &mut S) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ended = poll_fn(|cx| self.poll(cx, inbox, outside)).await;
        if ended == Ended::Abruptly {
            self.socket().abort();
            self.stack(); // sends the reset
        }
        ended
    }

    fn poll<S>(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox, outside: &mut S) -> Poll<Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for _ in 0..TURN {
            let mut moved = self.take_packets(cx, inbox);
            self.stack();
            for direction in [self.guest_to_outside(cx, outside), self.outside_to_guest(cx, outside)] {
                match direction {
                    Poll::Ready(Ok(bytes)) => moved |= bytes,
                    Poll::Ready(Err(_)) => return Poll::Ready(Ended::Abruptly),
                    Poll::Pending => {}
                }
            }
            self.stack();
            if let Some(ended) = self.ended() {
                return Poll::Ready(ended);
            }
            if !moved && self.alarm(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn take_packets(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox) -> bool {
        let mut taken = 0;
        while taken < BATCH {
            // the table holds the sender for as long as this flow has its place, so the channel does not close
            let Poll::Ready(Some(packet)) = inbox.poll_recv(cx) else { break };
            self.wire.push(packet);
            taken += 1;
        }
        taken > 0
    }

    fn stack(&mut self) {
        let now = self.guest.shared.base.clock.now();
        let stamp = self.stamp(now);
        let socket = self.socket();
        // the stack counts this time from the last packet it got, so it may only run while an answer is due:
        // a connection on which nobody speaks is not broken
        let due = socket.send_queue() > 0 || socket.state() == State::SynReceived;
        socket.set_timeout(due.then_some(UNACKNOWLEDGED));
        self.interface.poll(stamp, &mut self.wire, &mut self.sockets);
    }

    fn stamp(&self, now: Instant) -> StackInstant {
        let micros = now.saturating_duration_since(self.began).as_micros();
        StackInstant::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// True if bytes moved.
    fn guest_to_outside<S>(&mut self, cx: &mut Context<'_>, outside: &mut S) -> Poll<io::Result<bool>>
    where
        S: AsyncWrite + Unpin,
    {
        let mut moved = 0;
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let mut stuck = false;
        while socket.can_recv() && !stuck {
            let written = socket.recv(|bytes| match Pin::new(&mut *outside).poll_write(cx, bytes) {
                Poll::Ready(Ok(n)) => (n, Ok(n)),
                Poll::Ready(Err(error)) => (0, Err(error)),
                Poll::Pending => (0, Ok(0)),
            });
            let written = written.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))??;
            stuck = written == 0;
            moved += written;
        }
        let guest_said_fin =
            matches!(socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        let drained = !socket.can_recv();
        self.passed(moved, 0);
        if guest_said_fin && drained && !self.inside_done {
            ready!(Pin::new(outside).poll_shutdown(cx))?;
            self.inside_done = true;
            return Poll::Ready(Ok(true));
        }
        Poll::Ready(Ok(moved > 0))
    }

    /// True if bytes moved.
    fn outside_to_guest<S>(&mut self, cx: &mut Context<'_>, outside: &mut S) -> Poll<io::Result<bool>>
    where
        S: AsyncRead + Unpin,
    {
        let mut moved = 0;
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        while !self.outside_done && socket.can_send() {
            let read = socket.send(|space| {
                let mut space = ReadBuf::new(space);
                match Pin::new(&mut *outside).poll_read(cx, &mut space) {
                    Poll::Ready(Ok(())) => (space.filled().len(), Poll::Ready(Ok(space.filled().len()))),
                    Poll::Ready(Err(error)) => (0, Poll::Ready(Err(error))),
                    Poll::Pending => (0, Poll::Pending),
                }
            });
            match read.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))? {
                Poll::Ready(Ok(0)) => {
                    self.outside_done = true;
                    socket.close(); // sends what is buffered, then FIN
                }
                Poll::Ready(Ok(n)) => moved += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        self.passed(0, moved);
        Poll::Ready(Ok(moved > 0))
    }

    fn passed(&mut self, out: usize, back: usize) {
        if out + back > 0 {
            self.last_byte = self.guest.shared.base.clock.now();
            count(self.guest, out, back);
        }
    }

    fn ended(&mut self) -> Option<Ended> {
        let both = self.outside_done && self.inside_done;
        match self.socket().state() {
            // nothing is left to say; waiting for stray packets would only hold memory
            State::TimeWait | State::Closed if both => return Some(Ended::Cleanly),
            // back to listening: the guest took its handshake back, or never made a sound one
            State::Closed | State::Listen => return Some(Ended::Abruptly),
            _ => {}
        }
        (self.guest.shared.base.clock.now() >= self.idle_end()).then_some(Ended::Abruptly)
    }

    fn idle_end(&self) -> Instant {
        let timeouts = &self.guest.shared.options.timeouts;
        let half = self.outside_done || self.inside_done;
        self.last_byte + if half { timeouts.half_closed } else { timeouts.tcp_idle }
    }

    /// Ready when a timer of the stack or the idle time has passed. An alarm that is early is kept: it only costs a look.
    fn alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let clock = &self.guest.shared.base.clock;
        let now = clock.now();
        let stamp = self.stamp(now);
        let stack = self.interface.poll_delay(stamp, &self.sockets);
        // at least a millisecond, whatever the stack says: it was asked just now
        let stack =
            stack.map(|d| now + Duration::from_micros(d.total_micros()).max(Duration::from_millis(1)));
        let idle = self.idle_end();
        let at = stack.map_or(idle, |stack| stack.min(idle));
        if self.alarm.as_ref().is_none_or(|alarm| at < alarm.at) {
            let clock = clock.clone();
            self.alarm = Some(Alarm { at, rings: Box::pin(async move { clock.sleep_until(at).await }) });
        }
        if let Some(alarm) = &mut self.alarm {
            ready!(alarm.rings.as_mut().poll(cx));
        }
        self.alarm = None;
        Poll::Ready(())
    }
}
