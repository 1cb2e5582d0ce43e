//! Components that export `wasi:http/incoming-handler`.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use anyfn_wasm::wire::{self, CHUNK, Fault, Kind, Stats, Why};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body, Frame};
use wasmtime_wasi_http::{
    Error as HttpError, WasiHttpView as _,
    p2::{
        bindings::{
            ProxyPre,
            http::types::{ErrorCode, Scheme},
        },
        body::HyperOutgoingBody,
    },
};

use crate::{
    call::Turn,
    output::Stream,
    state::{Limits, Rest, State},
};

type Response = http::Response<HyperOutgoingBody>;
/// Where the guest leaves its answer.
type Slot = Arc<Mutex<Option<Result<Response, ErrorCode>>>>;

/// A request's body: the beginning is here, the rest comes.
struct Incoming {
    first: Bytes,
    rest: Option<Rest>,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.first)))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        rest.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_none()
    }
}

fn request(turn: &Turn<'_>, body: Bytes, rest: Rest) -> Result<http::Request<Incoming>, http::Error> {
    let rest = (turn.head.body_len > body.len() as u64).then_some(rest);
    let incoming = Incoming { first: body, rest };
    let Some(head) = &turn.head.http else {
        return http::Request::post("/").header("host", "localhost").body(incoming);
    };
    let mut request = http::Request::builder().method(head.method.as_str()).uri(head.target.as_str());
    if let Some(headers) = request.headers_mut() {
        headers.reserve(head.headers.len() + 1);
        for (name, value) in &head.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_maybe_shared(value.clone());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        // The guest asks for an authority, and what it gets is only a name.
        headers.entry(http::header::HOST).or_insert(HeaderValue::from_static("localhost"));
    }
    request.body(incoming)
}

fn malformed(why: impl std::fmt::Display) -> Fault {
    Fault { why: Why::NoAnswer, stats: Stats::default(), text: why.to_string() }
}

/// What the guest's part of a call ends with.
struct Ended {
    result: wasmtime::Result<()>,
    stats: Stats,
    denied: bool,
}

async fn guest(
    turn: &Turn<'_>,
    code: &ProxyPre<State>,
    request: http::Request<Incoming>,
    slot: Slot,
) -> Ended {
    let mut context = turn.function.context();
    context.stdout(Stream(turn.log())).stderr(Stream(turn.log()));
    let limits = Limits::new(turn.function.memory_bytes);
    let mut store = turn.store(State::new(context.build(), limits, turn.function.network));
    store.limiter(|state| &mut state.limits);
    let result = async {
        let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
        let answer = move |answer| *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        let answer = store.data_mut().http().new_response_outparam_from_callback(answer)?;
        let proxy = code.instantiate_async(&mut store).await?;
        proxy.wasi_http_incoming_handler().call_handle(&mut store, request, answer).await
    };
    let result = result.await;
    let limits = &store.data().limits;
    // What the guest left open closes with its store, and then the answer's body ends.
    Ended { result, stats: limits.stats(), denied: limits.denied }
}

/// The answer as far as it has come.
#[derive(Default)]
struct Answering {
    head: Option<(StatusCode, HeaderMap)>,
    body: Option<Pin<Box<HyperOutgoingBody>>>,
    /// Bytes that were not sent yet.
    bytes: BytesMut,
    head_sent: bool,
    total: u64,
}

/// Why the loop stops to send something.
enum Step {
    /// The guest waits for something, and there is a part of the answer to send.
    Flush,
    Done,
    Failed(String),
}

pub(crate) async fn run(
    turn: &Turn<'_>,
    code: &ProxyPre<State>,
    body: Bytes,
    rest: Rest,
) -> Result<(), Fault> {
    let request = request(turn, body, rest).map_err(malformed)?;
    let slot = Slot::default();
    let mut guest = Box::pin(guest(turn, code, request, slot.clone()));
    let (mut ended, mut answering) = (None, Answering::default());
    loop {
        let step = std::future::poll_fn(|cx| {
            loop {
                if ended.is_none() {
                    if let Poll::Ready(end) = guest.as_mut().poll(cx) {
                        ended = Some(end);
                    }
                }
                match answering.poll(&slot, ended.is_some(), cx) {
                    Poll::Ready(Some(step)) => return Poll::Ready(step),
                    // Something came: the guest may have waited for that.
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let step = step.await;
        let (stats, denied) = ended.as_ref().map_or((Stats::default(), false), |e| (e.stats, e.denied));
        if let Some(Ended { result: Err(error), .. }) = &ended {
            return Err(turn.fault(error, stats, denied));
        }
        if answering.total > turn.head.answer_max {
            let text = format!("the answer has more than {} bytes", turn.head.answer_max);
            return Err(Fault { why: Why::TooLarge, stats, text });
        }
        match step {
            Step::Flush => answering.flush(turn).await,
            Step::Done => return answering.finish(turn, stats).await,
            Step::Failed(text) => return Err(Fault { why: Why::NoAnswer, stats, text }),
        }
    }
}

impl Answering {
    /// `Ready(None)`: look again.
    fn poll(&mut self, slot: &Slot, ended: bool, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        if self.head.is_none() {
            match slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(Ok(answer)) => {
                    let (parts, body) = answer.into_parts();
                    self.head = Some((parts.status, parts.headers));
                    self.body = Some(Box::pin(body));
                }
                Some(Err(code)) => {
                    return Poll::Ready(Some(Step::Failed(format!("the function answered {code:?}"))));
                }
                None if ended => {
                    let text = "the function ended without an answer".to_owned();
                    return Poll::Ready(Some(Step::Failed(text)));
                }
                None => return Poll::Pending,
            }
        }
        let Some(body) = &mut self.body else {
            return if ended { Poll::Ready(Some(Step::Done)) } else { Poll::Pending };
        };
        match body.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.total += data.len() as u64;
                    self.bytes.extend_from_slice(&data);
                }
                let enough = self.bytes.len() >= CHUNK;
                Poll::Ready(enough.then_some(Step::Flush))
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Step::Failed(format!("the answer broke off: {error:?}"))))
            }
            Poll::Ready(None) => {
                self.body = None;
                Poll::Ready(None)
            }
            // The guest is about to go on as soon as it is polled; a short answer then goes out in one piece.
            Poll::Pending if self.bytes.is_empty() && self.head_sent => Poll::Pending,
            Poll::Pending if ended => Poll::Pending,
            Poll::Pending => Poll::Ready(Some(Step::Flush)),
        }
    }

    fn put_head(&self, out: &mut BytesMut) {
        let Some((status, headers)) = &self.head else { return };
        let all: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
        wire::put_reply(out, Some((status.as_u16(), all.into_iter())));
    }

    async fn flush(&mut self, turn: &Turn<'_>) {
        if !self.head_sent {
            self.head_sent = true;
            turn.put(Kind::Head, |out| self.put_head(out));
        }
        turn.data(self.bytes.split().freeze()).await;
    }

    async fn finish(mut self, turn: &Turn<'_>, stats: Stats) -> Result<(), Fault> {
        if self.head_sent {
            self.flush(turn).await;
            turn.put(Kind::End, |out| stats.put(out));
            return Ok(());
        }
        turn.put(Kind::Answer, |out| {
            stats.put(out);
            self.put_head(out);
            out.put_slice(&self.bytes);
        });
        Ok(())
    }
}
