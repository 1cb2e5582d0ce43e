//! One socket, one thread, many calls: reads frames, polls calls, writes what they say.

use std::{collections::HashMap, io, sync::Arc, task::Poll};

use anyfn_wasm::wire::{self, CHUNK, CallHead, Kind};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{net::UnixStream, sync::mpsc};

use crate::{
    call::{self, Reins, Worker},
    epoch::Epoch,
    output::with_out,
};

/// A call that runs: what the server says goes here.
struct Open {
    reins: Arc<Reins>,
    body: Option<mpsc::Sender<Bytes>>,
    /// Bytes of the body that are still to come.
    left: u64,
}

fn garbled() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Runs until the server closes its end.
pub(crate) async fn run(worker: &Worker, epoch: &Epoch, stream: UnixStream) -> io::Result<()> {
    let mut calls = FuturesUnordered::new();
    let mut open: HashMap<u32, Open> = HashMap::new();
    let mut buffer = BytesMut::with_capacity(CHUNK);
    loop {
        let pending = flush(worker, &stream)?;
        tokio::select! {
            biased;
            ended = turn(worker, &mut calls, pending), if !calls.is_empty() => {
                ended.and_then(|ended| open.remove(&ended));
            }
            readable = stream.readable() => {
                readable?;
                if read(&stream, &mut buffer)? {
                    return Ok(());
                }
            }
            writable = stream.writable(), if pending => writable?,
        }
        while let Some((kind, number, mut payload)) = wire::take(&mut buffer).map_err(|_| garbled())? {
            if kind != Kind::Call {
                said(&mut open, (kind, number), payload)?;
                continue;
            }
            let head = CallHead::take(&mut payload).map_err(|_| garbled())?;
            let left = head.body_len.saturating_sub(payload.len() as u64);
            // As many places as pieces are to come, so that the socket never waits for a call.
            let pieces = usize::try_from(left / CHUNK as u64).unwrap_or(usize::MAX / 2) + 2;
            let (sender, rest) = mpsc::channel(pieces.min(1 << 20));
            let reins = Reins::new();
            let body = (left > 0).then_some(sender);
            open.insert(number, Open { reins: reins.clone(), body, left });
            let running = epoch.begin();
            calls.push(async move {
                call::run(worker, number, (head, payload, rest), reins).await;
                drop(running);
                number
            });
        }
    }
}

/// Polls the calls until one has ended (its number) or said something that can be sent now (None).
async fn turn(
    worker: &Worker,
    calls: &mut FuturesUnordered<impl Future<Output = u32>>,
    pending: bool,
) -> Option<u32> {
    std::future::poll_fn(|cx| match calls.poll_next_unpin(cx) {
        Poll::Ready(ended) => Poll::Ready(ended),
        Poll::Pending if !pending && with_out(&worker.out, |out| !out.is_empty()) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// True at the end.
fn read(stream: &UnixStream, buffer: &mut BytesMut) -> io::Result<bool> {
    buffer.reserve(CHUNK);
    match stream.try_read_buf(buffer) {
        Ok(0) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// What the server says to calls that run; those that have ended hear nothing.
fn said(open: &mut HashMap<u32, Open>, (kind, number): (Kind, u32), mut payload: Bytes) -> io::Result<()> {
    let Some(call) = open.get_mut(&number) else { return Ok(()) };
    match kind {
        Kind::Cancel => call.reins.cancelled.notify_one(),
        Kind::Credit => {
            let bytes = payload.try_get_u32_le().map_err(|_| garbled())?;
            call.reins.credit(bytes as usize);
        }
        Kind::Body => {
            call.left = call.left.saturating_sub(payload.len() as u64);
            if let Some(body) = &call.body {
                // A guest that reads no further has closed its end.
                let _not_read = body.try_send(payload);
            }
            if call.left == 0 {
                call.body = None;
            }
        }
        _ => return Err(garbled()),
    }
    Ok(())
}

/// True if something is left to write.
fn flush(worker: &Worker, stream: &UnixStream) -> io::Result<bool> {
    with_out(&worker.out, |out| {
        while !out.is_empty() {
            match stream.try_write(out) {
                Ok(sent) => out.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    })
}
