//! An HTTP/2 client made of frames (RFC 9113). Header fields are literals without an index (RFC 7541 §6.2.2).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Client, Server, soon};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![length[1], length[2], length[3], kind, flags];
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    // A length in seven bits and more (RFC 7541 §5.1).
    if text.len() < 127 {
        out.push(u8::try_from(text.len()).unwrap());
    } else {
        out.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            out.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        out.push(u8::try_from(rest).unwrap());
    }
    out.extend_from_slice(text);
}

pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![0];
    text(&mut out, name.as_bytes());
    text(&mut out, value.as_bytes());
    out
}

/// The fields of a GET.
pub(crate) fn fields(path: &str) -> Vec<u8> {
    [field(":method", "GET"), field(":scheme", "http"), field(":authority", "a"), field(":path", path)]
        .concat()
}

pub(crate) struct Two(pub(crate) Client);

impl Two {
    pub(crate) async fn open(server: &Server) -> Self {
        let mut client = server.connect().await;
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.send(frame(SETTINGS, 0, 0, &[])).await;
        let mut two = Self(client);
        assert_eq!(two.next().await.map(|f| f.0), Some(SETTINGS));
        two
    }

    /// Kind, flags, stream and payload; None at the end.
    pub(crate) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        soon(self.0.0.read_exact(&mut head)).await.ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        soon(self.0.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        if head[3] == PING && head[4] == 0 {
            self.0.send(frame(PING, 1, 0, &payload)).await;
        }
        Some((head[3], head[4], stream, payload))
    }

    pub(crate) async fn request(&mut self, stream: u32, path: &str) {
        self.0.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(path))).await;
    }

    /// A whole exchange: the head's first byte (an indexed status) and the body.
    pub(crate) async fn get(&mut self, stream: u32, path: &str) -> (u8, Vec<u8>) {
        self.request(stream, path).await;
        let (mut status, mut body) = (0, Vec::new());
        loop {
            let (kind, flags, of, payload) = self.next().await.expect("an answer");
            if of != stream {
                continue;
            }
            match kind {
                HEADERS => status = payload[0],
                DATA => body.extend_from_slice(&payload),
                RST_STREAM => panic!("reset: {payload:?}"),
                _ => {}
            }
            if flags & END_STREAM != 0 && matches!(kind, HEADERS | DATA) {
                return (status, body);
            }
        }
    }

    /// The code of the next GOAWAY.
    pub(crate) async fn goaway_frame(&mut self) -> u32 {
        loop {
            let (kind, _, _, payload) = self.next().await.expect("GOAWAY before the end");
            if kind == GOAWAY {
                return u32::from_be_bytes(payload[4..8].try_into().unwrap());
            }
        }
    }

    /// The code of the last GOAWAY before the server closes.
    pub(crate) async fn goaway(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some((kind, _, _, payload)) = self.next().await {
            if kind == GOAWAY {
                code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
        code
    }

    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((_, _, _, payload)) = self.next().await {
            out.extend_from_slice(&payload);
        }
        out
    }

    /// Sends as long as the server takes it, while what it says is kept for `goaway`.
    pub(crate) async fn flood(self, bytes: Vec<u8>) -> Option<u32> {
        let (from, mut to) = self.0.0.into_split();
        let send = async {
            let _ = to.write_all(&bytes).await;
            to
        };
        let listen = async {
            let mut from = from;
            let mut said = Vec::new();
            // A reset after GOAWAY is an end, too.
            let mut room = vec![0; 4096];
            while let Ok(read @ 1..) = from.read(&mut room).await {
                said.extend_from_slice(&room[..read]);
            }
            said
        };
        let (_to, said) = soon(async { tokio::join!(send, listen) }).await;
        last_goaway(&said)
    }
}

fn last_goaway(mut said: &[u8]) -> Option<u32> {
    let mut code = None;
    while said.len() >= 9 {
        let length = usize::from(said[0]) << 16 | usize::from(said[1]) << 8 | usize::from(said[2]);
        let payload = said.get(9..9 + length)?;
        if said[3] == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        said = &said[9 + length..];
    }
    code
}
