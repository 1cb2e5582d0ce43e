//! One call: its deadline, its instance, its answer.

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyfn_base::{Base, Instant};
use anyfn_wasm::wire::{self, CHUNK, CallHead, FRAME_COST, Fault, Kind, Stats, WINDOW, Why};
use bytes::{BufMut as _, Bytes};
use tokio::sync::Notify;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use crate::{
    command,
    functions::{Code, Function, Functions},
    http,
    output::{Log, Out, with_out},
    state::Rest,
};

/// What the server says to a call that runs.
#[derive(Debug)]
pub(crate) struct Reins {
    pub(crate) cancelled: Notify,
    /// Bytes that may be sent before the server reads on.
    window: AtomicUsize,
    opened: Notify,
}

impl Reins {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { cancelled: Notify::new(), window: AtomicUsize::new(WINDOW), opened: Notify::new() })
    }

    pub(crate) fn credit(&self, bytes: usize) {
        self.window.fetch_add(bytes, Ordering::Relaxed);
        self.opened.notify_one();
    }

    /// Waits until so many bytes may be sent.
    async fn take(&self, bytes: usize) {
        loop {
            let window = self.window.load(Ordering::Relaxed);
            if window >= bytes {
                self.window.fetch_sub(bytes, Ordering::Relaxed);
                return;
            }
            self.opened.notified().await;
        }
    }
}

/// What a worker gives to its calls.
pub(crate) struct Worker {
    pub(crate) base: Base,
    pub(crate) engine: Engine,
    pub(crate) functions: Arc<Functions>,
    pub(crate) out: Out,
}

/// One call as it runs.
pub(crate) struct Turn<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) function: &'a Function,
    pub(crate) number: u32,
    pub(crate) head: CallHead,
    pub(crate) reins: Arc<Reins>,
    pub(crate) deadline: Option<Instant>,
}

/// Runs a call to its end and writes its answer, unless it is cancelled.
pub(crate) async fn run(worker: &Worker, number: u32, asked: (CallHead, Bytes, Rest), reins: Arc<Reins>) {
    let (head, body, rest) = asked;
    let Some(function) = worker.functions.get(head.function) else {
        let text = "the function is not loaded".to_owned();
        return fail(worker, number, Fault { why: Why::Unknown, stats: Stats::default(), text });
    };
    let left = Duration::from_millis(head.left_ms);
    let deadline = (head.left_ms > 0).then(|| worker.base.clock.now() + left);
    let turn = Turn { worker, function: &function, number, head, reins: reins.clone(), deadline };
    let work = async {
        match &function.code {
            Code::Http(code) => http::run(&turn, code, body, rest).await,
            Code::Command(code) => command::component(&turn, code, body, rest).await,
            Code::Module(code) => command::module(&turn, code, body, rest).await,
        }
    };
    let late = async {
        match deadline {
            Some(deadline) => worker.base.clock.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let result = tokio::select! {
        biased;
        result = work => result,
        () = reins.cancelled.notified() => return,
        () = late => Err(Fault { why: Why::Late, stats: Stats::default(), text: String::new() }),
    };
    if let Err(fault) = result {
        fail(worker, number, fault);
    }
}

fn fail(worker: &Worker, number: u32, fault: Fault) {
    with_out(&worker.out, |out| wire::put(out, Kind::Failed, number, |out| fault.put(out)));
}

impl Turn<'_> {
    pub(crate) fn log(&self) -> Log {
        Log::new(self.worker.out.clone(), self.number, self.head.log_max)
    }

    /// A store whose guest yields at every tick and ends at the deadline, even if nobody polls the timer.
    pub(crate) fn store<T: 'static>(&self, state: T) -> Store<T> {
        let mut store = Store::new(&self.worker.engine, state);
        store.set_epoch_deadline(1);
        let (clock, deadline) = (self.worker.base.clock.clone(), self.deadline);
        store.epoch_deadline_callback(move |_| {
            let late = deadline.is_some_and(|deadline| clock.now() >= deadline);
            Ok(if late { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        store
    }

    /// Sends a piece of the answer's body when the server has room for it.
    pub(crate) async fn data(&self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(CHUNK));
            self.reins.take(piece.len() + FRAME_COST).await;
            self.put(Kind::Data, |out| out.put_slice(&piece));
        }
    }

    pub(crate) fn put(&self, kind: Kind, fill: impl FnOnce(&mut bytes::BytesMut)) {
        with_out(&self.worker.out, |out| wire::put(out, kind, self.number, fill));
    }

    /// Why a guest ended that gave no answer.
    pub(crate) fn fault(&self, error: &wasmtime::Error, stats: Stats, denied: bool) -> Fault {
        let late = self.deadline.is_some_and(|deadline| self.worker.base.clock.now() >= deadline);
        let why = match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) if late => Why::Late,
            _ if denied => Why::Memory,
            _ if error.downcast_ref::<I32Exit>().is_some() => Why::Exit,
            _ if error.is::<wasmtime::PoolConcurrencyLimitError>() => Why::Busy,
            _ => Why::Trap,
        };
        Fault { why, stats, text: text(error) }
    }
}

/// The error and its causes, each once.
fn text(error: &wasmtime::Error) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("the function ended with code {}", exit.0);
    }
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
        if text.len() > 4096 {
            break;
        }
    }
    let cut = (0..=text.len().min(4096)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(cut);
    text
}
