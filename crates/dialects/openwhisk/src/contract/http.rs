//! Executables that serve `POST /init` and `POST /run` themselves, as OpenWhisk's own images do.

use std::time::Duration;

use anyfn_base::{Base, Instant, TaskKind};
use anyfn_core::ports::{Exit, Inside};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    plan::PORT,
    process::{Process, Said},
};

/// Between tries of a server that does not listen yet.
const AGAIN: Duration = Duration::from_millis(5);
/// How long the end of a log is waited for behind an answer.
const SENTINEL: Duration = Duration::from_millis(500);

/// A connection to the server inside.
pub(crate) struct Web(SendRequest<Full<Bytes>>);

/// What a server answered, or why it did not.
pub(crate) enum Heard {
    /// Status and body.
    Answer(u16, Bytes),
    TooLong(u64),
    Ended(Exit),
    /// The connection broke.
    Broken,
    Late,
    Platform(anyfn_types::Error),
}

impl Web {
    /// Waits until somebody listens.
    pub(crate) async fn connect(
        base: &Base,
        process: &mut Process,
        until: Option<Instant>,
    ) -> Result<Self, Heard> {
        let stream = loop {
            match process.sandbox.connect(&Inside::Tcp(PORT)).await {
                Ok(fd) => break std::net::TcpStream::from(fd),
                Err(error) if error.code == "sandbox_unsupported" => return Err(Heard::Platform(error)),
                Err(_) => {}
            }
            let again = base.clock.now() + AGAIN;
            match process.hear(Some(again), 0).await {
                Said::Ended(exit) => return Err(Heard::Ended(exit)),
                _ if until.is_some_and(|until| base.clock.now() >= until) => return Err(Heard::Late),
                _ => {}
            }
        };
        let broken = |_| Heard::Broken;
        stream.set_nonblocking(true).map_err(broken)?;
        let stream = TcpStream::from_std(stream).map_err(broken)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Heard::Broken)?;
        base.tasks.spawn(TaskKind::Background, "openwhisk guest", async move {
            let _it_ends_with_the_guest = connection.await;
        });
        Ok(Self(sender))
    }

    /// One request; what the process prints meanwhile is taken.
    pub(crate) async fn post(
        &mut self,
        process: &mut Process,
        (path, body): (&'static str, Bytes),
        until: Option<Instant>,
        limit: usize,
    ) -> Heard {
        let request = async {
            let request =
                http::Request::post(path).header("host", "action").header("content-type", "application/json");
            let Ok(request) = request.body(Full::new(body)) else { return Heard::Broken };
            if self.0.ready().await.is_err() {
                return Heard::Broken;
            }
            let Ok(mut answer) = self.0.send_request(request).await else { return Heard::Broken };
            let mut bytes = BytesMut::new();
            while let Some(frame) = answer.body_mut().frame().await {
                let Ok(frame) = frame else { return Heard::Broken };
                bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..]));
                if bytes.len() > limit {
                    return Heard::TooLong(bytes.len() as u64);
                }
            }
            Heard::Answer(answer.status().as_u16(), bytes.freeze())
        };
        tokio::select! {
            biased;
            heard = request => heard,
            said = process.hear(until, 0) => match said {
                Said::Ended(exit) => Heard::Ended(exit),
                _ => Heard::Late,
            },
        }
    }

    /// Waits until both streams said that the activation is over. False if they do not.
    pub(crate) async fn logs_end(base: &Base, process: &mut Process) -> bool {
        let until = base.clock.now() + SENTINEL;
        while !process.printed.ended() {
            let moment = (base.clock.now() + AGAIN).min(until);
            let said = process.hear(Some(moment), 0).await;
            if base.clock.now() >= until || said != Said::Late {
                break;
            }
        }
        process.printed.ended()
    }
}
