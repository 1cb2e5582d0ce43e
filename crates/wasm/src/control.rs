//! What the server and a host process tell each other beside the calls, as JSON in the packets of a `SOCK_SEQPACKET`
//! socket; descriptors travel with the packet that speaks of them.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// A packet.
const PACKET_MAX: usize = 256 * 1024;

/// What kind of code an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flavor {
    Component,
    Module,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// It exports `wasi:http/incoming-handler`.
    Http,
    /// It exports `wasi:cli/run`, or `_start`.
    Command,
}

/// To the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToHost {
    /// With the compiled artifact's descriptor. Answered by `Loaded` or `Refused`.
    Load {
        function: u32,
        /// Names the artifact: functions with the same one share its code.
        artifact: String,
        flavor: Flavor,
        env: Vec<(String, String)>,
        args: Vec<String>,
        /// Linear memories of one call together.
        memory_bytes: u64,
        /// Whether the guest may use the sandbox's network.
        network: bool,
    },
    Unload {
        function: u32,
    },
}

/// To the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToServer {
    Ready,
    Loaded { function: u32, shape: Shape },
    Refused { function: u32, stale: bool, text: String },
}

/// Sends one packet. On a non-blocking socket it may say `WouldBlock`.
pub fn send(socket: BorrowedFd<'_>, message: &impl Serialize, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    if bytes.len() > PACKET_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<_> = fd.into_iter().collect();
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives one packet; None when the other side is gone.
pub fn receive<T: for<'a> Deserialize<'a>>(socket: impl AsFd) -> io::Result<Option<(T, Option<OwnedFd>)>> {
    let mut bytes = vec![0; PACKET_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let fd = fds.next().and_then(|mut fds| fds.next());
    if got.bytes == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&bytes[..got.bytes])?, fd)))
}
