//! The server's end of a packet socket, asynchronously.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::Shutdown;
use tokio::io::{Interest, unix::AsyncFd};

use crate::{error::Error, packet};

#[derive(Debug)]
pub(crate) struct Link(AsyncFd<OwnedFd>);

impl Link {
    /// Must be called in a tokio runtime.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped, and nothing here takes it out.
        Ok(Self(unsafe { AsyncFd::register_with_interest(socket, interest) }?))
    }

    /// Waits for room. Cancel-safe: a packet is sent whole or not at all.
    pub(crate) async fn send(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let sent =
            self.0.async_io(Interest::WRITABLE, |socket| packet::send(socket.as_fd(), bytes, fds)).await;
        Ok(sent?)
    }

    /// Sends now or not at all.
    pub(crate) fn try_send(&self, bytes: &[u8]) -> io::Result<()> {
        packet::send(self.0.get_ref().as_fd(), bytes, &[])
    }

    /// The next packet. Cancel-safe. None when the other end is closed.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> Result<Option<(usize, Vec<OwnedFd>)>, Error> {
        let got = self.0.async_io(Interest::READABLE, |socket| packet::receive(socket.as_fd(), buffer)).await;
        Ok(got?)
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        Ok(rustix::net::shutdown(self.0.get_ref(), how)?)
    }
}
