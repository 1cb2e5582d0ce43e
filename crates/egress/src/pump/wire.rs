//! The stack's network device: packets of one flow in, packets to the guest out.

use std::collections::VecDeque;

use smoltcp::{
    phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken},
    time::Instant,
};

use crate::egress::Guest;

pub(super) struct Wire<'a> {
    guest: &'a Guest,
    waiting: VecDeque<Vec<u8>>,
    scratch: Vec<u8>,
    mtu: usize,
}

impl<'a> Wire<'a> {
    pub(super) fn new(guest: &'a Guest, mtu: usize) -> Self {
        Self { guest, waiting: VecDeque::new(), scratch: Vec::new(), mtu }
    }

    pub(super) fn push(&mut self, packet: Vec<u8>) {
        self.waiting.push_back(packet);
    }
}

impl Device for Wire<'_> {
    type RxToken<'t>
        = Incoming
    where
        Self: 't;
    type TxToken<'t>
        = Outgoing<'t>
    where
        Self: 't;

    fn receive(&mut self, _at: Instant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.waiting.pop_front()?;
        Some((Incoming(packet), Outgoing { guest: self.guest, scratch: &mut self.scratch }))
    }

    fn transmit(&mut self, _at: Instant) -> Option<Outgoing<'_>> {
        Some(Outgoing { guest: self.guest, scratch: &mut self.scratch })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // what comes was summed by this machine's own kernel and never saw a cable; what goes it will verify
        let mut checksum = ChecksumCapabilities::default();
        checksum.ipv4 = Checksum::Tx;
        checksum.tcp = Checksum::Tx;
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities.checksum = checksum;
        capabilities
    }
}

pub(super) struct Incoming(Vec<u8>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(super) struct Outgoing<'t> {
    guest: &'t Guest,
    scratch: &'t mut Vec<u8>,
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.scratch.resize(len, 0);
        let result = f(&mut self.scratch[..len]);
        self.guest.send(&self.scratch[..len]);
        result
    }
}
