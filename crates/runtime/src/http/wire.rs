//! A connection to a server inside of a sandbox.

use std::{
    io::{self, IoSlice},
    os::fd::OwnedFd,
};

use anyfn_base::Instant;
use anyfn_core::ports::Inside;
use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpStream, UnixStream},
};

/// Bytes that are read at once.
const READ: usize = 16 * 1024;

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One kept connection and what was read of it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    pub(super) buffer: BytesMut,
    /// When its last answer ended.
    pub(super) rested: Instant,
}

/// How a request went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The server began to answer, or closed, before it had read everything.
    Part,
    /// Nothing went out: the connection had been closed.
    Nothing,
}

impl Wire {
    pub(super) fn new(fd: OwnedFd, to: &Inside, now: Instant) -> io::Result<Self> {
        let stream = match to {
            Inside::Tcp(_) => {
                let stream = std::net::TcpStream::from(fd);
                stream.set_nonblocking(true)?;
                let _slower_without = stream.set_nodelay(true);
                Stream::Tcp(TcpStream::from_std(stream)?)
            }
            Inside::Unix(_) => {
                let stream = std::os::unix::net::UnixStream::from(fd);
                stream.set_nonblocking(true)?;
                Stream::Unix(UnixStream::from_std(stream)?)
            }
        };
        Ok(Self { stream, buffer: BytesMut::new(), rested: now })
    }

    /// Whether a kept connection can carry another request, as far as is known without asking the kernel: bytes or an end
    /// that came unasked make it useless.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.buffer.is_empty()
            && matches!(self.try_read(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            && self.buffer.is_empty()
    }

    fn try_read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ);
        match &self.stream {
            Stream::Tcp(stream) => stream.try_read_buf(&mut self.buffer),
            Stream::Unix(stream) => stream.try_read_buf(&mut self.buffer),
        }
    }

    /// Reads what there is; 0 at the end. Cancel-safe. Unlike a try, this forgets readiness when it has read all there is,
    /// which makes the next question free.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(READ);
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read_buf(&mut self.buffer).await,
            Stream::Unix(stream) => stream.read_buf(&mut self.buffer).await,
        }
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.stream {
            Stream::Tcp(stream) => stream.try_write_vectored(parts),
            Stream::Unix(stream) => stream.try_write_vectored(parts),
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match &self.stream {
            Stream::Tcp(stream) => stream.writable().await,
            Stream::Unix(stream) => stream.writable().await,
        }
    }

    /// Sends a request. An answer that comes before its end ends the sending: RFC 9112 §9.5 lets a server answer early.
    pub(super) async fn send(&mut self, mut head: &[u8], mut body: &[u8]) -> io::Result<Sent> {
        let mut began = false;
        while !head.is_empty() || !body.is_empty() {
            match self.try_write(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    began = true;
                    let of_head = written.min(head.len());
                    head = &head[of_head..];
                    body = &body[written - of_head..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.wait_to_write(began).await? {
                        return Ok(Sent::Part);
                    }
                }
                Err(_closed) => return Ok(if began { Sent::Part } else { Sent::Nothing }),
            }
        }
        Ok(Sent::Whole)
    }

    /// True if the server answers already.
    async fn wait_to_write(&mut self, began: bool) -> io::Result<bool> {
        if !began {
            // A fresh connection whose readiness the reactor has not told yet.
            return self.writable().await.map(|()| false);
        }
        self.buffer.reserve(READ);
        let before = self.buffer.len();
        let read = match &self.stream {
            Stream::Tcp(stream) => tokio::select! {
                biased;
                ready = stream.writable() => return ready.map(|()| false),
                ready = stream.readable() => { ready?; stream.try_read_buf(&mut self.buffer) }
            },
            Stream::Unix(stream) => tokio::select! {
                biased;
                ready = stream.writable() => return ready.map(|()| false),
                ready = stream.readable() => { ready?; stream.try_read_buf(&mut self.buffer) }
            },
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // An interim answer asks for the rest.
            Ok(_) if before == 0 && self.buffer.starts_with(b"HTTP/1.1 1") => Ok(false),
            Ok(_) | Err(_) => Ok(true),
        }
    }
}
