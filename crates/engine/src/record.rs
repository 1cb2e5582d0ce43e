//! What calls leave behind: a record each, written in batches behind the answers, and the meters.

use std::time::Duration;

use anyfn_base::{Base, Counter, Histogram, TaskKind};
use anyfn_core::{
    ReplyBody,
    ports::{Durability, Log},
};
use anyfn_types::{Billing, Error, Failure, FunctionName, InvocationId, Millis, Namespace};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Records that may wait to be written; what comes when it is full is counted and dropped.
const QUEUE: usize = 16_384;
const BATCH_EVERY: Duration = Duration::from_millis(200);
/// Records kept per namespace.
const KEEP: u64 = 100_000;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Result {
    Returned,
    Streaming,
    /// The function's own error, or its process ended, ran out of time or memory.
    FunctionFailed,
    /// The platform broke.
    Broken,
}

impl From<&std::result::Result<ReplyBody, Failure>> for Result {
    fn from(result: &std::result::Result<ReplyBody, Failure>) -> Self {
        match result {
            Ok(ReplyBody::Whole(_)) => Self::Returned,
            Ok(ReplyBody::Stream { .. }) => Self::Streaming,
            Err(_) => Self::FunctionFailed,
        }
    }
}

impl From<&anyfn_core::Outcome> for Result {
    fn from(outcome: &anyfn_core::Outcome) -> Self {
        match outcome {
            anyfn_core::Outcome::Replied(reply) => (&reply.result).into(),
            _ => Self::Broken,
        }
    }
}

/// One call, for `anyfn describe` and for metering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvocationRecord {
    pub id: InvocationId,
    pub function: FunctionName,
    /// 0 is `$LATEST`.
    pub version: u64,
    pub accepted: Millis,
    pub result: Result,
    pub billing: Billing,
}

/// Which records to read.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    pub namespace: Namespace,
    pub function: Option<FunctionName>,
    /// 1..=10000.
    pub limit: usize,
}

enum Message {
    Record(Namespace, InvocationRecord),
    Flush(oneshot::Sender<()>),
}

pub(crate) struct Recorder {
    queue: mpsc::Sender<Message>,
    dropped: Counter,
    calls: [Counter; 4],
    duration: Histogram,
    init: Histogram,
    billed_ms: Counter,
    mib_ms: Counter,
}

impl Recorder {
    pub(crate) fn start(base: &Base, log: Arc<dyn Log>) -> Self {
        let (queue, records) = mpsc::channel(QUEUE);
        let m = &base.metrics;
        let calls = |result| {
            m.counter("anyfn_invocations_total", "Calls that reached a function.", &[("result", result)])
        };
        let recorder = Self {
            queue,
            dropped: m.counter(
                "anyfn_invocation_records_dropped_total",
                "Records lost to back-pressure.",
                &[],
            ),
            calls: [calls("returned"), calls("streaming"), calls("function_failed"), calls("broken")],
            duration: m.histogram("anyfn_invocation_duration_seconds", "Hand-over to answer.", &[]),
            init: m.histogram("anyfn_init_duration_seconds", "Init phase of cold starts.", &[]),
            billed_ms: m.counter("anyfn_billed_milliseconds_total", "Billed duration.", &[]),
            mib_ms: m.counter(
                "anyfn_billed_mib_milliseconds_total",
                "Billed duration times memory in MiB.",
                &[],
            ),
        };
        let clock = base.clock.clone();
        base.tasks.spawn(TaskKind::Background, "records", async move { write(records, log, clock).await });
        recorder
    }

    /// Never waits.
    pub(crate) fn write(&self, namespace: &Namespace, record: InvocationRecord) {
        self.calls[record.result as usize].add(1);
        self.duration.observe_us(record.billing.duration_us);
        if let Some(init) = record.billing.init_us {
            self.init.observe_us(init);
        }
        self.billed_ms.add(record.billing.billed_ms);
        self.mib_ms.add(record.billing.billed_ms * u64::from(record.billing.memory_mib));
        if self.queue.try_send(Message::Record(namespace.clone(), record)).is_err() {
            self.dropped.add(1);
        }
    }

    pub(crate) async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _ = waiting.await;
        }
    }
}

async fn write(mut records: mpsc::Receiver<Message>, log: Arc<dyn Log>, clock: anyfn_base::Clock) {
    let mut batch = Vec::new();
    loop {
        if records.recv_many(&mut batch, 4096).await == 0 {
            return;
        }
        let flushing = batch.iter().any(|m| matches!(m, Message::Flush(_)));
        if !flushing && batch.len() < 4096 {
            clock.sleep(BATCH_EVERY).await;
            while batch.len() < QUEUE {
                let Ok(message) = records.try_recv() else { break };
                batch.push(message);
            }
        }
        append(log.as_ref(), batch.drain(..)).await;
    }
}

async fn append(log: &dyn Log, batch: impl Iterator<Item = Message>) {
    let mut by_namespace: BTreeMap<Namespace, Vec<Bytes>> = BTreeMap::new();
    let mut flushed = Vec::new();
    for message in batch {
        match message {
            Message::Record(namespace, record) => {
                by_namespace.entry(namespace).or_default().push(line(&record).into());
            }
            Message::Flush(done) => flushed.push(done),
        }
    }
    for (namespace, lines) in by_namespace {
        let name = log_name(&namespace);
        let count = lines.len() as u64;
        match log.append(&name, lines, Durability::Soon).await {
            Ok(first) if (first + count) / 10_000 != first / 10_000 => {
                let _ = log.trim(&name, (first + count).saturating_sub(KEEP)).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(?error, "records not written"),
        }
    }
    for done in flushed {
        let _ = done.send(());
    }
}

/// The record's JSON, as its `Serialize` writes it. By hand, because every call leaves one.
fn line(record: &InvocationRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    let result: &[u8] = match record.result {
        Result::Returned => b"Returned",
        Result::Streaming => b"Streaming",
        Result::FunctionFailed => b"FunctionFailed",
        Result::Broken => b"Broken",
    };
    let billing = &record.billing;
    out.extend_from_slice(b"{\"id\":\"inv_");
    for byte in record.id.0.to_be_bytes() {
        out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
    }
    // A function's name holds nothing that JSON escapes.
    out.extend_from_slice(b"\",\"function\":\"");
    out.extend_from_slice(record.function.as_str().as_bytes());
    number(&mut out, b"\",\"version\":", record.version);
    number(&mut out, b",\"accepted\":", record.accepted);
    out.extend_from_slice(b",\"result\":\"");
    out.extend_from_slice(result);
    number(&mut out, b"\",\"billing\":{\"duration_us\":", billing.duration_us);
    number(&mut out, b",\"billed_ms\":", billing.billed_ms);
    match billing.init_us {
        Some(init) => number(&mut out, b",\"init_us\":", init),
        None => out.extend_from_slice(b",\"init_us\":null"),
    }
    number(&mut out, b",\"memory_mib\":", billing.memory_mib.into());
    number(&mut out, b",\"max_memory_mib\":", billing.max_memory_mib.into());
    out.extend_from_slice(if billing.cold { b",\"cold\":true}}" } else { b",\"cold\":false}}" });
    out
}

/// A member's name and its value.
fn number(out: &mut Vec<u8>, name: &[u8], mut number: u64) {
    out.extend_from_slice(name);
    let (mut digits, mut at) = ([b'0'; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn log_name(namespace: &Namespace) -> String {
    format!("invocations/{namespace}")
}

/// Newest first.
pub(crate) async fn read(
    log: &dyn Log,
    query: RecordQuery,
) -> std::result::Result<Vec<InvocationRecord>, Error> {
    let name = log_name(&query.namespace);
    let (first, mut end) = log.bounds(&name).await?;
    let mut found = Vec::new();
    while end > first && found.len() < query.limit {
        let from = end.saturating_sub(1000).max(first);
        let count = usize::try_from(end - from).unwrap_or(usize::MAX);
        let entries = log.read(&name, from, count, usize::MAX).await?;
        let records =
            entries.iter().rev().filter_map(|e| serde_json::from_slice::<InvocationRecord>(&e.bytes).ok());
        let mine = |r: &InvocationRecord| query.function.as_ref().is_none_or(|name| *name == r.function);
        found.extend(records.filter(mine).take(query.limit - found.len()));
        end = from;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
