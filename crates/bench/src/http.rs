//! A blocking HTTP/1.1 client on one kept connection: as little between the clock and the server as can be.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;

use crate::wire;

pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Self::patient(address, Duration::from_secs(60))
    }

    /// `patience` for each answer.
    pub(crate) fn patient(address: SocketAddr, patience: Duration) -> anyhow::Result<Self> {
        let mut client = Self { address, stream: None, buffer: Vec::new(), patience };
        client.stream()?;
        Ok(client)
    }

    /// A new one where the server ended the last.
    fn stream(&mut self) -> anyhow::Result<&mut TcpStream> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).context("connect")?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(self.patience))?;
            self.buffer.clear();
            self.stream = Some(stream);
        }
        self.stream.as_mut().context("a connection")
    }

    /// `headers` end in CRLF each.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> anyhow::Result<wire::Answer> {
        self.raw(&wire::request(&self.address.to_string(), method, path, headers, body))
    }

    /// A request as its bytes are.
    pub(crate) fn raw(&mut self, request: &[u8]) -> anyhow::Result<wire::Answer> {
        self.stream()?.write_all(request)?;
        let answer = self.read();
        if answer.as_ref().map_or(true, |answer| answer.close) {
            self.stream = None;
        }
        answer
    }

    fn read(&mut self) -> anyhow::Result<wire::Answer> {
        let stream = self.stream.as_mut().context("a connection")?;
        let mut piece = [0; 16 << 10];
        loop {
            if let Some(answer) = wire::answer(&self.buffer)?
                && !answer.unbounded
            {
                self.buffer.drain(..answer.length);
                return Ok(answer);
            }
            let count = stream.read(&mut piece)?;
            if count == 0 {
                let end = wire::answer(&self.buffer)?.filter(|answer| answer.unbounded);
                return end.context("the connection ended before the answer");
            }
            self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }

    /// As `send`; an answer that is no success is an error.
    pub(crate) fn ok(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let answer = self.send(method, path, headers, body)?;
        anyhow::ensure!(answer.is_success(), "{method} {path}: {}", answer.told());
        Ok(answer.body)
    }
}
