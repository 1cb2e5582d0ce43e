//! Asynchronous calls: durable before they are acknowledged, run at least once, retried with pauses, then set aside.
//!
//! Each function has a queue of its own, so that one that always fails delays nobody else's; all lanes share a bound on
//! calls that run at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyfn_base::TaskKind;
use anyfn_core::{
    Frame, Outcome, ReplyBody,
    ports::{Append, Lease, Leased},
};
use anyfn_types::{
    AsyncConfig, Error, FunctionName, Invocation, InvocationId, Kind, MessageId, Millis, Mode, Namespace,
    Qualifier, TraceContext,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::{Engine, run};

const PREFIX: &str = "async/";
/// A lease outlives the function's own timeout by this, for its start and its end.
const LEASE_SPARE_MS: u64 = 120_000;
/// The lease of a function without a timeout, held again while it runs.
const LEASE_ENDLESS_MS: u64 = 300_000;
/// An idle lane looks again after this even if nothing woke it: leases of a lost worker end by time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Which queues have a worker.
pub(crate) struct Lanes {
    active: Mutex<HashSet<String>>,
    permits: Arc<Semaphore>,
    /// Attempts that were the platform's fault and do not count against the function's retries.
    unfair: Mutex<HashMap<MessageId, u32>>,
}

impl Lanes {
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            active: Mutex::default(),
            permits: Arc::new(Semaphore::new(at_once.max(1))),
            unfair: Mutex::default(),
        }
    }
}

/// What is kept of a call beside its body.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    id: InvocationId,
    namespace: Namespace,
    function: FunctionName,
    qualifier: Option<String>,
    invoked_as: String,
    client_context: Option<String>,
    trace: Option<TraceContext>,
    accepted: Millis,
}

pub(crate) fn queue_name(namespace: &Namespace, function: &FunctionName) -> String {
    format!("{PREFIX}{namespace}/{function}")
}

/// Ends when the call is on disk.
pub(crate) async fn accept(engine: &Engine, call: Invocation) -> Result<Outcome, Error> {
    let queue = queue_name(&call.namespace, &call.function);
    let message = Append { id: MessageId(call.id.0), body: encode(&call)?, due: 0 };
    engine.0.ports.queue.append(&queue, vec![message]).await?;
    ensure_lane(engine, queue);
    Ok(Outcome::Accepted(call.id))
}

/// Takes up what an earlier run left.
pub(crate) async fn resume(engine: &Engine) -> Result<(), Error> {
    for queue in engine.0.ports.queue.queues(PREFIX).await? {
        ensure_lane(engine, queue);
    }
    Ok(())
}

fn ensure_lane(engine: &Engine, queue: String) {
    let mut active = engine.0.events.active.lock().unwrap_or_else(PoisonError::into_inner);
    if active.insert(queue.clone()) {
        let running = engine.clone();
        engine.0.base.tasks.spawn(TaskKind::Background, "events", async move { lane(running, queue).await });
    }
}

async fn lane(engine: Engine, queue: String) {
    // No lane may take all permits: a function whose calls hang must leave room for others.
    let own = Arc::new(Semaphore::new((engine.0.settings.events_at_once / 4).max(1)));
    loop {
        let (Ok(mine), Ok(shared)) =
            (own.clone().acquire_owned().await, engine.0.events.permits.clone().acquire_owned().await)
        else {
            return;
        };
        match engine.0.ports.queue.lease(&queue, 1, lease_for(&engine, &queue).await).await {
            Ok(leased) if !leased.is_empty() => {
                let (working, queue) = (engine.clone(), queue.clone());
                engine.0.base.tasks.spawn(TaskKind::Background, "event", async move {
                    for one in leased {
                        deliver(&working, &queue, one).await;
                    }
                    drop((mine, shared));
                });
            }
            Ok(_) => {
                drop((mine, shared));
                if leave(&engine, &queue).await {
                    return;
                }
            }
            Err(error) => {
                drop((mine, shared));
                tracing::error!(?error, queue, "lease");
                engine.0.base.clock.sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// True if the lane has nothing left to do and is closed; else waits until it may have.
async fn leave(engine: &Engine, queue: &str) -> bool {
    let holds_some = |depth: anyfn_core::ports::Depth| depth.ready + depth.delayed + depth.leased > 0;
    let depth = || async { engine.0.ports.queue.depth(queue).await.map_or(true, holds_some) };
    if depth().await {
        let ready = engine.0.ports.queue.ready(queue);
        tokio::select! { () = ready => {} () = engine.0.base.clock.sleep(LOOK_AGAIN) => {} }
        return false;
    }
    engine.0.events.active.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    // An append may have come between the look and the removal; it saw the lane as active.
    if depth().await {
        let mut active = engine.0.events.active.lock().unwrap_or_else(PoisonError::into_inner);
        return !active.insert(queue.to_owned());
    }
    true
}

async fn lease_for(engine: &Engine, queue: &str) -> Lease {
    let names = queue.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/'));
    let Some((namespace, name)) = names else { return Lease(LEASE_ENDLESS_MS) };
    let (Ok(namespace), Ok(name)) = (Namespace::new(namespace), FunctionName::new(name)) else {
        return Lease(LEASE_ENDLESS_MS);
    };
    let timeout =
        engine.0.ports.registry.get(&namespace, &name).await.map_or(0, |f| f.latest.config.timeout_ms);
    Lease(if timeout == 0 { LEASE_ENDLESS_MS } else { timeout + LEASE_SPARE_MS })
}

/// What to do with a message after an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Done,
    Again { in_ms: u64 },
    Bury(&'static str),
}

async fn deliver(engine: &Engine, queue: &str, leased: Leased) {
    let next = match decode(&leased.body) {
        Ok(call) => attempt(engine, queue, &leased, call).await,
        Err(error) => {
            tracing::error!(?error, queue, id = %leased.id, "unreadable event");
            Next::Bury("Unreadable")
        }
    };
    let now = engine.0.base.clock.wall();
    let port = &engine.0.ports.queue;
    let result = match next {
        Next::Done => port.ack(queue, leased.id, leased.token).await,
        Next::Again { in_ms } => port.release(queue, leased.id, leased.token, now + in_ms).await,
        Next::Bury(reason) => port.bury(queue, leased.id, leased.token, reason).await,
    };
    if !matches!(next, Next::Again { .. }) {
        engine.0.events.unfair.lock().unwrap_or_else(PoisonError::into_inner).remove(&leased.id);
    }
    if let Err(error) = result {
        tracing::warn!(?error, queue, id = %leased.id, "event not settled; it will be delivered again");
    }
}

async fn attempt(engine: &Engine, queue: &str, leased: &Leased, call: Invocation) -> Next {
    let registry = &engine.0.ports.registry;
    let draw = || engine.0.base.random.unit();
    let resolved = registry.resolve(&call.namespace, &call.function, call.qualifier.as_ref(), draw).await;
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(e) if e.kind == Kind::NotFound => return Next::Done,
        Err(_) => return unfair(engine, leased.id),
    };
    let key = call
        .qualifier
        .as_ref()
        .filter(|q| **q != Qualifier::Latest)
        .map(ToString::to_string)
        .unwrap_or_default();
    let config = resolved.function.async_configs.get(&key).cloned();
    let age_ms = engine.0.base.clock.wall().saturating_sub(call.accepted);
    let max_age_s = config.as_ref().and_then(|c| c.max_age_s).unwrap_or(engine.0.settings.event_age_s);
    if leased.attempt > 1 && age_ms > u64::from(max_age_s) * 1000 {
        return Next::Bury("EventAgeExceeded");
    }
    let held = hold(engine, queue, leased, resolved.version.config.timeout_ms == 0);
    let outcome = tokio::select! { outcome = run::call(engine, resolved, call) => outcome, () = held => return Next::Done };
    match outcome {
        Ok(Outcome::Replied(reply)) => match drain(reply.result).await {
            true => Next::Done,
            false => failed(engine, leased, config.as_ref()),
        },
        Ok(_) => failed(engine, leased, config.as_ref()),
        Err(_) => unfair(engine, leased.id),
    }
}

/// Holds the lease of a call without a timeout; ends only if the lease was lost.
async fn hold(engine: &Engine, queue: &str, leased: &Leased, endless: bool) {
    if !endless {
        return std::future::pending().await;
    }
    loop {
        engine.0.base.clock.sleep(Duration::from_millis(LEASE_ENDLESS_MS / 3)).await;
        let lease = Lease(LEASE_ENDLESS_MS);
        if engine.0.ports.queue.extend(queue, leased.id, leased.token, lease).await.is_err() {
            return;
        }
    }
}

/// Whether the function returned; a stream is read to its end.
async fn drain(result: Result<ReplyBody, anyfn_types::Failure>) -> bool {
    match result {
        Ok(ReplyBody::Whole(_)) => true,
        Ok(ReplyBody::Stream { mut frames, .. }) => loop {
            match frames.recv().await {
                Some(Frame::Data(_)) => {}
                Some(Frame::End) => return true,
                Some(Frame::Failed(_)) | None => return false,
            }
        },
        Err(_) => false,
    }
}

fn failed(engine: &Engine, leased: &Leased, config: Option<&AsyncConfig>) -> Next {
    let unfair = engine.0.events.unfair.lock().unwrap_or_else(PoisonError::into_inner);
    let fair = leased.attempt.saturating_sub(unfair.get(&leased.id).copied().unwrap_or(0)).max(1);
    let retries = config.and_then(|c| c.retries).unwrap_or(2);
    if fair > u32::from(retries) {
        return Next::Bury("RetriesExhausted");
    }
    let pauses = &engine.0.settings.backoff.function_ms;
    let pause = pauses.get(fair as usize - 1).or_else(|| pauses.last()).copied().unwrap_or(0);
    Next::Again { in_ms: pause }
}

/// The platform could not run it: again, later each time, without counting it against the function.
fn unfair(engine: &Engine, id: MessageId) -> Next {
    let mut unfair = engine.0.events.unfair.lock().unwrap_or_else(PoisonError::into_inner);
    let count = unfair.entry(id).or_default();
    *count += 1;
    let pause = engine.0.settings.backoff.platform_ms.saturating_mul(1 << (*count - 1).min(16));
    Next::Again { in_ms: pause.min(300_000) }
}

fn encode(call: &Invocation) -> Result<Bytes, Error> {
    let head = Head {
        id: call.id,
        namespace: call.namespace.clone(),
        function: call.function.clone(),
        qualifier: call.qualifier.as_ref().map(ToString::to_string),
        invoked_as: call.invoked_as.clone(),
        client_context: call.client_context.clone(),
        trace: call.trace.clone(),
        accepted: call.accepted,
    };
    let head = serde_json::to_vec(&head).map_err(|e| Error::internal("event_encode", e))?;
    let mut bytes = BytesMut::with_capacity(4 + head.len() + call.body.len());
    bytes.put_u32(u32::try_from(head.len()).map_err(|e| Error::internal("event_encode", e))?);
    bytes.put_slice(&head);
    bytes.put_slice(&call.body);
    Ok(bytes.freeze())
}

fn decode(bytes: &Bytes) -> Result<Invocation, Error> {
    let broken = || Error::internal("event_decode", "a stored event is not whole");
    let len =
        bytes.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or_else(broken)? as usize;
    let head = bytes.get(4..4 + len).ok_or_else(broken)?;
    let head: Head = serde_json::from_slice(head).map_err(|e| Error::internal("event_decode", e))?;
    Ok(Invocation {
        id: head.id,
        namespace: head.namespace,
        function: head.function,
        qualifier: head.qualifier.as_deref().map(Qualifier::parse).transpose()?,
        mode: Mode::Wait,
        body: bytes.slice(4 + len..),
        invoked_as: head.invoked_as,
        client_context: head.client_context,
        trace: head.trace,
        want_log_tail: false,
        accepted: head.accepted,
        http: None,
    })
}
