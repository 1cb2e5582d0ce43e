//! Run: one call from admission to rest. The call runs in a task of its own, so that a caller who goes away neither stops
//! the function nor loses the instance.

use std::{sync::Arc, time::Duration};

use anyfn_base::TaskKind;
use anyfn_core::{Outcome, Reply, Resolved, ports::InvokeError};
use anyfn_types::{Billing, Error, Failure, Invocation};
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    Engine,
    admit::Permit,
    place::{leave, place, retire, spawn_start},
    pool::{Back, Instance, Pool, Refusal},
    record::{InvocationRecord, Result as Recorded},
};

/// How long an instance that has answered is waited for before another is started.
const MOMENT: Duration = Duration::from_millis(5);

/// Ends when the answer or the head of a streamed one is there.
pub(crate) async fn call(engine: &Engine, resolved: Resolved, call: Invocation) -> Result<Outcome, Error> {
    let permit = Permit::take(&engine.0, &resolved.function)?;
    let (answer, waiting) = oneshot::channel();
    let running = engine.clone();
    engine.0.base.tasks.spawn(TaskKind::Request, "invocation", async move {
        run(&running, &resolved, &call, answer).await;
        drop(permit);
    });
    let lost = |_| Err(Error::internal("invocation_lost", "the invocation's task ended without an answer"));
    waiting.await.unwrap_or_else(lost)
}

async fn run(
    engine: &Engine,
    resolved: &Resolved,
    call: &Invocation,
    answer: oneshot::Sender<Result<Outcome, Error>>,
) {
    let pool = engine.0.pool(resolved);
    let mut instance = match place(engine, &pool).await {
        Ok(instance) => instance,
        Err(refusal) => return refused(engine, resolved, call, refusal, answer),
    };
    let timeout = resolved.version.config.timeout_ms;
    let deadline = (timeout > 0).then(|| engine.0.base.clock.now() + Duration::from_millis(timeout));
    let cold = instance.init_us.is_some();
    let result = instance.guest.invoke(call, deadline).await;
    match result {
        Ok(reply) => {
            record(engine, resolved, call, (&reply.result).into(), reply.billing);
            instance.answered(reply.billing.as_ref());
            let stays = !pool.is_last_call(&instance);
            if stays {
                pool.settling();
            }
            let _ = answer.send(Ok(Outcome::Replied(reply)));
            settle(engine, &pool, instance, stays).await;
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
            record(engine, resolved, call, what, billing);
            let _ = answer.send(outcome);
            gone(engine, &pool, instance, false);
        }
    }
}

/// Waits until the guest is ready again; a moment long, later calls may count on it, if it `stays`.
async fn settle(engine: &Engine, pool: &Arc<Pool>, mut instance: Instance, stays: bool) {
    let mut counted = stays;
    let ready = {
        let mut settled = instance.guest.settled();
        tokio::select! {
            biased;
            ready = &mut settled => ready,
            () = engine.0.base.clock.sleep(MOMENT), if stays => {
                counted = false;
                if pool.settles_late(engine.0.base.clock.now()) {
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
        leave(engine, pool, instance, "spindown");
    }
}

fn gone(engine: &Engine, pool: &Arc<Pool>, instance: Instance, counted: bool) {
    if pool.lost(counted, engine.0.base.clock.now()) {
        spawn_start(engine, pool);
    }
    retire(engine, instance, "failure");
}

fn refused(
    engine: &Engine,
    resolved: &Resolved,
    call: &Invocation,
    refusal: Refusal,
    answer: oneshot::Sender<Result<Outcome, Error>>,
) {
    let outcome = match refusal {
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
    };
    let _ = answer.send(outcome);
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
