//! One socket to a host process, with many calls on it. Whoever calls writes its frame itself; one task reads what comes
//! back and hands it to the calls. A window per call bounds what a host may send before it was read.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use anyfn_base::{Base, TaskKind};
use anyfn_core::ReplyHead;
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::{
    net::UnixStream,
    sync::{Notify, mpsc},
};
use tokio_util::sync::CancellationToken;

use crate::{
    lines::CallLog,
    wire::{self, CHUNK, CallHead, FRAME_COST, Fault, Garbled, Kind, Stats, WINDOW},
};

/// What the window lets a host send at most.
const EVENTS: usize = WINDOW / FRAME_COST + 4;

/// What a call hears.
#[derive(Debug)]
pub(crate) enum Event {
    Answer(Stats, Option<ReplyHead>, Bytes),
    Head(Option<ReplyHead>),
    Data(Bytes),
    End(Stats),
    Failed(Fault),
}

struct Waiting {
    events: mpsc::Sender<Event>,
    log: Arc<CallLog>,
    /// What the host may still send.
    window: usize,
}

pub(crate) struct Link {
    stream: UnixStream,
    /// What the socket did not take at once.
    unsent: Mutex<BytesMut>,
    more: Notify,
    calls: Mutex<HashMap<u32, Waiting>>,
    next: AtomicU32,
    running: AtomicUsize,
    /// The host process cannot be used any more.
    gone: CancellationToken,
}

/// A call on its way. Dropping it tells the host that nobody waits.
pub(crate) struct Call {
    link: Arc<Link>,
    id: u32,
    events: mpsc::Receiver<Event>,
    ended: bool,
}

impl Link {
    pub(crate) fn start(base: &Base, stream: UnixStream, gone: CancellationToken) -> Arc<Self> {
        let link = Arc::new(Self {
            stream,
            unsent: Mutex::default(),
            more: Notify::new(),
            calls: Mutex::default(),
            next: AtomicU32::new(1),
            running: AtomicUsize::new(0),
            gone,
        });
        let reader = link.clone();
        base.tasks.spawn(TaskKind::Background, "wasm link", async move {
            tokio::select! {
                result = reader.pump() => if let Err(error) = result {
                    tracing::debug!(%error, "a wasm host's socket ended");
                },
                () = reader.gone.cancelled() => {}
            }
            reader.gone.cancel();
            // Closes every call's channel.
            reader.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        link
    }

    /// Calls on it now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Hands a call to the host.
    pub(crate) fn begin(self: &Arc<Self>, head: &CallHead, body: &Bytes, log: Arc<CallLog>) -> Call {
        let (sender, events) = mpsc::channel(EVENTS);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { events: sender, log, window: WINDOW };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(id, waiting);
        if self.gone.is_cancelled() {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        self.running.fetch_add(1, Ordering::Relaxed);
        self.send(|out| {
            let first = body.len().min(CHUNK);
            wire::put(out, Kind::Call, id, |out| {
                head.put(out);
                out.put_slice(&body[..first]);
            });
            for piece in body[first..].chunks(CHUNK) {
                wire::put(out, Kind::Body, id, |out| out.put_slice(piece));
            }
        });
        Call { link: self.clone(), id, events, ended: false }
    }

    /// Writes at once what the socket takes; the task writes the rest.
    fn send(&self, fill: impl FnOnce(&mut BytesMut)) {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = !unsent.is_empty();
        fill(&mut unsent);
        if waited {
            return;
        }
        if self.flush(&mut unsent).is_err() {
            self.gone.cancel();
        } else if !unsent.is_empty() {
            self.more.notify_one();
        }
    }

    fn flush(&self, unsent: &mut BytesMut) -> io::Result<()> {
        while !unsent.is_empty() {
            match self.stream.try_write(unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => bytes::Buf::advance(unsent, sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    async fn pump(&self) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        loop {
            let pending = self.has_unsent();
            tokio::select! {
                readable = self.stream.readable() => {
                    readable?;
                    self.read(&mut buffer)?;
                }
                writable = self.stream.writable(), if pending => {
                    writable?;
                    self.flush(&mut self.unsent.lock().unwrap_or_else(PoisonError::into_inner))?;
                }
                () = self.more.notified(), if !pending => {}
            }
        }
    }

    fn read(&self, buffer: &mut BytesMut) -> io::Result<()> {
        buffer.reserve(CHUNK);
        match self.stream.try_read_buf(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        while let Some((kind, call, payload)) = wire::take(buffer).map_err(garbled)? {
            self.heard(kind, call, payload).map_err(garbled)?;
        }
        Ok(())
    }

    /// Calls that are unknown have ended meanwhile.
    fn heard(&self, kind: Kind, id: u32, mut payload: Bytes) -> Result<(), Garbled> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = calls.get_mut(&id) else { return Ok(()) };
        let event = match kind {
            Kind::Log => {
                let log = waiting.log.clone();
                drop(calls);
                log.bytes(&payload);
                return Ok(());
            }
            Kind::Answer => Event::Answer(Stats::take(&mut payload)?, head(&mut payload)?, payload),
            Kind::Head => Event::Head(head(&mut payload)?),
            Kind::Data => {
                waiting.window = waiting.window.checked_sub(payload.len() + FRAME_COST).ok_or(Garbled)?;
                Event::Data(payload)
            }
            Kind::End => Event::End(Stats::take(&mut payload)?),
            Kind::Failed => Event::Failed(Fault::take(&mut payload)?),
            Kind::Call | Kind::Body | Kind::Cancel | Kind::Credit => return Err(Garbled),
        };
        let last = matches!(event, Event::Answer(..) | Event::End(_) | Event::Failed(_));
        // A channel that is full belongs to a host that ignores its window.
        let heard = waiting.events.try_send(event);
        if last {
            calls.remove(&id);
        }
        match heard {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Garbled),
            _ => Ok(()),
        }
    }

    fn credit(&self, id: u32, read: usize) {
        if let Some(waiting) = self.calls.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&id) {
            waiting.window += read;
        }
        let read = u32::try_from(read).unwrap_or(u32::MAX);
        self.send(|out| wire::put(out, Kind::Credit, id, |out| out.put_u32_le(read)));
    }
}

fn garbled(error: Garbled) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn head(payload: &mut Bytes) -> Result<Option<ReplyHead>, Garbled> {
    Ok(wire::take_reply(payload)?.map(|(status, headers)| ReplyHead { status, headers }))
}

impl Call {
    /// The next thing the host says; None if it is gone. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        if let Some(Event::Data(data)) = &event {
            self.link.credit(self.id, data.len() + FRAME_COST);
        }
        self.ended |= matches!(event, None | Some(Event::Answer(..) | Event::End(_) | Event::Failed(_)));
        event
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.link.running.fetch_sub(1, Ordering::Relaxed);
        if self.ended {
            return;
        }
        self.link.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.link.send(|out| wire::put(out, Kind::Cancel, self.id, |_| {}));
    }
}

#[cfg(test)]
mod tests;
