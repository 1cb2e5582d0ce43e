//! Run: one call from admission to rest, on the caller's own task. A caller who goes away neither stops the function nor
//! loses the instance: what is left of the call then goes on in a task of its own.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anyfn_base::TaskKind;
use anyfn_core::{Outcome, Reply, Resolved, ports::InvokeError};
use anyfn_types::{Billing, Error, Failure, Invocation};
use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::{
    Engine,
    admit::Permit,
    place::{place, retire, spawn_start},
    pool::{Back, Instance, Pool, Refusal},
    record::{InvocationRecord, Result as Recorded},
};

/// How long an instance that has answered is waited for before another is started.
const MOMENT: Duration = Duration::from_millis(5);

/// Ends when the answer or the head of a streamed one is there.
pub(crate) async fn call(engine: &Engine, resolved: Resolved, call: Invocation) -> Result<Outcome, Error> {
    let permit = engine.0.admission.enter(&resolved.function)?;
    let run = Box::pin(run(engine.clone(), resolved, call, permit));
    let (outcome, rest) = Attended { engine, run: Some(run) }.await;
    if let Some(rest) = rest {
        rest.settle_now_or_later();
    }
    outcome
}

/// What a call comes to, and what is left to do behind the answer.
type Ran = (Result<Outcome, Error>, Option<Rest>);

/// A call that somebody waits for.
struct Attended<'a, F: Future<Output = Ran> + Send + 'static> {
    engine: &'a Engine,
    run: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = Ran> + Send + 'static> Future for Attended<'_, F> {
    type Output = Ran;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ran> {
        let Some(run) = &mut self.run else { return Poll::Pending };
        let ran = run.as_mut().poll(cx);
        if ran.is_ready() {
            self.run = None;
        }
        ran
    }
}

impl<F: Future<Output = Ran> + Send + 'static> Drop for Attended<'_, F> {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        self.engine.0.base.tasks.spawn(TaskKind::Request, "invocation", async move {
            if let (_nobody_waits, Some(rest)) = run.await {
                rest.settle().await;
            }
        });
    }
}

/// An instance that has answered, and the right under which it did.
struct Rest {
    engine: Engine,
    pool: Arc<Pool>,
    instance: Instance,
    permit: Permit,
}

impl Rest {
    /// Most guests are ready again at once; what takes longer becomes a task.
    fn settle_now_or_later(self) {
        let tasks = self.engine.0.base.tasks.clone();
        let mut settling = Box::pin(self.settle());
        // The task polls it again, with a waker of its own.
        if settling.as_mut().now_or_never().is_none() {
            tasks.spawn(TaskKind::Request, "settle", settling);
        }
    }

    async fn settle(self) {
        settle(&self.engine, &self.pool, self.instance).await;
        drop(self.permit);
    }
}

async fn run(engine: Engine, resolved: Resolved, call: Invocation, permit: Permit) -> Ran {
    let (here, resolved, call) = (&engine, &resolved, &call);
    let pool = engine.0.pool(resolved);
    let mut instance = match place(here, &pool).await {
        Ok(instance) => instance,
        Err(refusal) => return (refused(here, resolved, call, refusal), None),
    };
    let timeout = resolved.version.config.timeout_ms;
    let deadline = (timeout > 0).then(|| engine.0.base.clock.now() + Duration::from_millis(timeout));
    let cold = instance.init_us.is_some();
    match instance.guest.invoke(call, deadline).await {
        Ok(reply) => {
            record(here, resolved, call, (&reply.result).into(), reply.billing);
            pool.settling();
            instance.init_us = None;
            let rest = Rest { engine, pool, instance, permit };
            (Ok(Outcome::Replied(reply)), Some(rest))
        }
        Err(error) => {
            let mut billing = None;
            let outcome = match error {
                InvokeError::Died(died) => {
                    billing = died.billing;
                    Ok(Outcome::Replied(failed(resolved, call, (died.failure, died.log_tail), billing, cold)))
                }
                InvokeError::Platform(error) => Ok(Outcome::Broken(error)),
            };
            let what = outcome.as_ref().map_or(Recorded::Broken, Recorded::from);
            record(here, resolved, call, what, billing);
            gone(here, &pool, instance, false);
            (outcome, None)
        }
    }
}

/// Waits until the guest is ready again; a moment long, later calls may count on it.
async fn settle(engine: &Engine, pool: &Arc<Pool>, mut instance: Instance) {
    let mut counted = true;
    let ready = {
        let mut settled = instance.guest.settled();
        tokio::select! {
            biased;
            ready = &mut settled => ready,
            () = engine.0.base.clock.sleep(MOMENT) => {
                counted = false;
                if pool.settles_late() {
                    spawn_start(engine, pool);
                }
                settled.await
            }
        }
    };
    if !ready {
        return gone(engine, pool, instance, counted);
    }
    if let Back::Retire(instance) = pool.give_back(instance, counted, engine.0.base.clock.now()) {
        gone(engine, pool, instance, false);
    }
}

fn gone(engine: &Engine, pool: &Arc<Pool>, instance: Instance, counted: bool) {
    if pool.lost(counted) {
        spawn_start(engine, pool);
    }
    retire(engine, instance, "failure");
}

fn refused(
    engine: &Engine,
    resolved: &Resolved,
    call: &Invocation,
    refusal: Refusal,
) -> Result<Outcome, Error> {
    match refusal {
        Refusal::Function(failure, log_tail) => {
            let contract = engine.contract(&resolved.version);
            let failure =
                contract.map_or_else(|_| failure.clone(), |c| c.addressed(failure.clone(), call.id));
            record(engine, resolved, call, Recorded::FunctionFailed, None);
            Ok(Outcome::Replied(failed(resolved, call, (failure, log_tail), None, true)))
        }
        Refusal::Platform(error) => {
            record(engine, resolved, call, Recorded::Broken, None);
            tracing::warn!(error = ?error, function = %call.function, "no instance");
            let mut told = Error::new(error.kind, error.code, error.public.clone());
            told.blame = error.blame;
            Err(told)
        }
    }
}

fn failed(
    resolved: &Resolved,
    call: &Invocation,
    (failure, log_tail): (Failure, Option<Bytes>),
    billing: Option<Billing>,
    cold: bool,
) -> Reply {
    let nothing = || Billing { cold, memory_mib: resolved.version.config.memory_mib, ..Billing::default() };
    Reply {
        id: call.id,
        version: resolved.version.number,
        result: Err(failure),
        head: None,
        billing: Some(billing.unwrap_or_else(nothing)),
        log_tail: log_tail.filter(|_| call.want_log_tail),
    }
}

fn record(
    engine: &Engine,
    resolved: &Resolved,
    call: &Invocation,
    result: Recorded,
    billing: Option<Billing>,
) {
    let record = InvocationRecord {
        id: call.id,
        function: call.function.clone(),
        version: resolved.version.number,
        accepted: call.accepted,
        result,
        billing: billing.unwrap_or_default(),
    };
    engine.0.recorder.write(&call.namespace, record);
}
