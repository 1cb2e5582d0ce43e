//! Streams to servers inside of a sandbox. Its init makes the socket; what takes time is waited for here.

use std::{io, os::fd::OwnedFd, time::Duration};

use anyfn_core::ports::Inside;
use tokio::io::{Interest, unix::AsyncFd};

use crate::{error::Error, proto::Address};

/// For a server inside whose queue of connections is full.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a socket's path: `sun_path` without its end.
const PATH_MAX: usize = 107;

/// What init is asked for, one after the other. A server that listens at `localhost` may mean either family.
pub(crate) fn addresses(to: &Inside) -> Result<Vec<Address>, Error> {
    match to {
        Inside::Tcp(0) => Err(Error::Refused("the port must be named".into())),
        Inside::Tcp(port) => Ok(vec![Address::V4(*port), Address::V6(*port)]),
        Inside::Unix(path) if !path.starts_with('/') || path.len() > PATH_MAX || path.contains('\0') => {
            let text = format!("a socket needs an absolute path of at most {PATH_MAX} bytes");
            Err(Error::Refused(text))
        }
        Inside::Unix(path) => Ok(vec![Address::Path(path.clone())]),
    }
}

/// Waits until the kernel has said whether somebody listens.
pub(crate) async fn settled(socket: OwnedFd) -> Result<OwnedFd, Error> {
    // SAFETY: an `OwnedFd` names the same open descriptor until it is dropped, and it is taken out only at the end.
    let watched = unsafe { AsyncFd::register_with_interest(socket, Interest::WRITABLE) };
    let watched = watched.map_err(io::Error::from)?;
    tokio::time::timeout(PATIENCE, watched.writable())
        .await
        .map_err(|_| refused(libc::ETIMEDOUT))?
        .map(drop)?;
    let socket = watched.into_inner();
    match rustix::net::sockopt::socket_error(&socket).map_err(io::Error::from)? {
        Ok(()) => Ok(socket),
        Err(e) => Err(refused(e.raw_os_error())),
    }
}

pub(crate) fn refused(errno: i32) -> Error {
    Error::NotConnected(io::Error::from_raw_os_error(errno))
}
