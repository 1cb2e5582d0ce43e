//! Connecting to a server inside, as one of the processes inside: a link in the guest's file system leads nowhere that a
//! guest could not go. Nothing here waits.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::proto::Address;

/// A socket that does not block, and whether the kernel still waits for the other end.
pub(super) fn reach(to: &Address) -> io::Result<(OwnedFd, bool)> {
    let (family, address) = match to {
        Address::V4(port) => (AddressFamily::INET, SocketAddr::from(([127, 0, 0, 1], *port))),
        Address::V6(port) => (AddressFamily::INET6, SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], *port))),
        Address::Path(path) => return reach_path(path),
    };
    let socket = open(family)?;
    match connect(&socket, &address) {
        Err(rustix::io::Errno::INPROGRESS) => Ok((socket, true)),
        other => Ok(other.map(|()| (socket, false))?),
    }
}

/// A full backlog is EAGAIN.
fn reach_path(path: &str) -> io::Result<(OwnedFd, bool)> {
    if !path.starts_with('/') {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let socket = open(AddressFamily::UNIX)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok((socket, false))
}

fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?)
}
