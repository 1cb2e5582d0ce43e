//! The descriptor of the guest's network device: one read or write is one IP packet.

use std::{io, os::fd::OwnedFd};

use rustix::fs::OFlags;
use tokio::io::{Interest, unix::AsyncFd};

use crate::AttachError;

/// A device that goes away with its namespace is only an error to wait for, never readable.
const WAKE: Interest = Interest::READABLE.add(Interest::ERROR);

#[derive(Debug)]
pub(crate) struct Tun(AsyncFd<OwnedFd>);

impl Tun {
    /// `fd` is a TUN device without packet information (`IFF_TUN | IFF_NO_PI`). Must be called on the runtime.
    #[allow(
        deprecated,
        reason = "the newer constructor is unsafe, for descriptors that may change or close underneath; an OwnedFd cannot"
    )]
    pub(crate) fn new(fd: OwnedFd) -> Result<Self, AttachError> {
        let device = |error: rustix::io::Errno| AttachError::Device(error.into());
        let flags = rustix::fs::fcntl_getfl(&fd).map_err(device)?;
        rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK).map_err(device)?;
        AsyncFd::with_interest(fd, WAKE).map(Self).map_err(AttachError::Device)
    }

    /// Waits for a packet. An error means that the device is gone. Cancel-safe.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.ready(WAKE).await?;
            match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut *buffer)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return result,
                Err(_would_block) => {}
            }
        }
    }

    /// False if the guest's kernel did not take it: the device is down or full. Like any network, a packet is then lost.
    pub(crate) fn send(&self, packet: &[u8]) -> bool {
        rustix::io::write(self.0.get_ref(), packet).is_ok_and(|n| n == packet.len())
    }
}
