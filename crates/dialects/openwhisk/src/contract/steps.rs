//! Sequences and compositions: functions that call functions.
//!
//! A sequence has no process. A composition's own process (the conductor) says which action comes next. Both are one
//! activation whose log lists what they called, and both go on when a server that was killed starts again, from the
//! beginning, as their queue delivers them again.

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::{
    Reply, ReplyBody,
    ports::{BringUp, Guest, GuestEvent, InvokeError},
};
use anyfn_types::{Billing, Error, Failure, Invocation};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::guest::{Action, Ended};
use crate::{
    Shared,
    activation::{Activation, Note, Status, id_text},
    calls::{Called, How, Who},
    fault::Result,
    model::{KeyValue, Meta, SEQUENCE, SEQUENCE_MAX},
    names::{ActionName, FullName},
};

/// One activation that is made of others.
struct Steps<'a> {
    shared: &'a Arc<Shared>,
    call: &'a Invocation,
    who: Who,
    depth: u8,
    /// Ids, in order.
    logs: Vec<String>,
    /// Milliseconds of all steps.
    duration: u64,
}

impl<'a> Steps<'a> {
    fn new(shared: &'a Arc<Shared>, call: &'a Invocation, note: &Note) -> Self {
        let who = Who {
            namespace: note.namespace.clone().unwrap_or_else(|| call.namespace.clone()),
            subject: note.subject.clone(),
            transaction: note.transaction.clone(),
        };
        Self { shared, call, who, depth: note.depth + 1, logs: Vec::new(), duration: 0 }
    }

    /// Calls one action and waits for it.
    async fn step(&mut self, name: &str, given: Value) -> Result<Ended> {
        let found = self.shared.find(&self.who.namespace, &FullName::parse(name)?).await?;
        let how = How { wait: true, cause: Some(self.call.id), in_sequence: true, depth: self.depth };
        // Boxed, because a step may be a sequence.
        let called = Box::pin(self.shared.call(&self.who, &found, given, how)).await?;
        Ok(match called {
            Called::Accepted(_) => Ended::internal("The action was not waited for."),
            Called::Ended(activation) => {
                self.took(&activation);
                Ended { status: activation.status, result: activation.result, retire: false }
            }
        })
    }

    fn took(&mut self, activation: &Activation) {
        self.logs.push(id_text(activation.id));
        self.duration += activation.duration;
    }

    /// The activation of the whole, and the answer to its caller.
    async fn finish(self, meta: &Meta, name: &str, note: &Note, ended: Ended, version: u64) -> Reply {
        let mut annotations = vec![
            KeyValue::new("topmost", !note.in_sequence),
            KeyValue::new("path", format!("{}/{name}", self.call.namespace)),
            KeyValue::new("kind", SEQUENCE),
            KeyValue::new("limits", meta.limits_json()),
        ];
        if !meta.is_sequence() {
            annotations.push(KeyValue::new("conductor", true));
        }
        if note.in_sequence {
            annotations.push(KeyValue::new("causedBy", SEQUENCE));
        }
        let end = self.shared.base.clock.wall();
        let activation = Activation {
            id: self.call.id,
            namespace: self.who.namespace,
            name: name.rsplit('/').next().unwrap_or_default().to_owned(),
            version: meta.version_text(),
            subject: note.subject.clone(),
            start: self.call.accepted,
            end,
            duration: self.duration,
            status: ended.status,
            result: ended.result,
            logs: self.logs,
            annotations,
            cause: note.cause,
        };
        self.shared.keep(&activation, note.durable).await;
        reply(self.call, activation, version, self.duration)
    }
}

fn reply(call: &Invocation, activation: Activation, version: u64, millis: u64) -> Reply {
    let payload = Bytes::from(activation.result.to_string());
    let result = match activation.status {
        Status::Success => Ok(ReplyBody::Whole(payload)),
        status => Err(Failure {
            handled_by_runtime: status == Status::ApplicationError,
            error_type: status.text().replace(' ', "_"),
            payload,
        }),
    };
    let billing = Billing { duration_us: millis * 1000, billed_ms: millis, ..Billing::default() };
    Reply { id: call.id, version, result, head: None, billing: Some(billing), log_tail: None }
}

fn action_name(with: &BringUp) -> String {
    let name = &with.function.name;
    ActionName::of(name).map_or_else(|| name.to_string(), |name| name.to_string())
}

/// A sequence: each result is the next one's parameters.
pub(crate) struct Sequence {
    shared: Arc<Shared>,
    with: BringUp,
    meta: Meta,
}

impl Sequence {
    pub(crate) fn new(shared: Arc<Shared>, with: BringUp, meta: Meta) -> Self {
        Self { shared, with, meta }
    }
}

#[async_trait]
impl Guest for Sequence {
    async fn invoke(
        &mut self,
        call: &Invocation,
        _: Option<Instant>,
    ) -> std::result::Result<Reply, InvokeError> {
        let note = Note::read(&call.invoked_as);
        let mut steps = Steps::new(&self.shared, call, &note);
        let mut ended = Ended::success(serde_json::from_slice(&call.body).unwrap_or_else(|_| json!({})));
        for name in &self.meta.components {
            ended = match steps.step(name, ended.result).await {
                Ok(ended) => ended,
                Err(fault) => Ended::application(fault.text),
            };
            if ended.status != Status::Success {
                break;
            }
        }
        let name = action_name(&self.with);
        Ok(steps.finish(&self.meta, &name, &note, ended, self.with.version.number).await)
    }

    async fn settled(&mut self) -> bool {
        true
    }

    async fn idle(&mut self) -> GuestEvent {
        std::future::pending().await
    }

    async fn pause(&mut self) -> std::result::Result<(), Error> {
        Ok(())
    }

    async fn resume(&mut self) -> std::result::Result<(), Error> {
        Ok(())
    }

    async fn retire(self: Box<Self>, _: &'static str) {}
}

/// A composition: the conductor's process says what comes next.
pub(crate) struct Conductor {
    action: Action,
}

/// What a conductor answered.
enum Next {
    Call { action: String, params: Value, state: Map<String, Value> },
    Done(Ended),
}

impl Next {
    fn read(ended: Ended) -> Self {
        if ended.status != Status::Success {
            return Self::Done(ended);
        }
        let params = match ended.result.get("params") {
            Some(params @ Value::Object(_)) => params.clone(),
            Some(_) => json!({}),
            None if ended.result.get("action").is_some() => json!({}),
            None => return Self::Done(ended),
        };
        let state = ended.result.get("state").and_then(Value::as_object).cloned().unwrap_or_default();
        match ended.result.get("action") {
            None | Some(Value::Null) => Self::Done(Ended { result: params, ..ended }),
            Some(Value::String(action)) => Self::Call { action: action.clone(), params, state },
            Some(other) => {
                let text = format!("Failed to parse action name from json value {other} during composition.");
                Self::Done(Ended::application(text))
            }
        }
    }
}

impl Conductor {
    pub(crate) fn new(action: Action) -> Self {
        Self { action }
    }

    /// One run of the conductor, as an activation of its own.
    async fn turn(&mut self, steps: &mut Steps<'_>, note: &Note, given: Value) -> Ended {
        let clock = &steps.shared.base.clock;
        let step = Invocation {
            id: steps.shared.base.random.invocation_id(),
            body: given.to_string().into(),
            accepted: clock.wall(),
            ..steps.call.clone()
        };
        let note = Note { cause: Some(steps.call.id), in_sequence: true, ..note.clone() };
        let deadline = clock.now() + Duration::from_millis(self.action.meta().limits.timeout);
        let (ended, (activation, _)) = self.action.one(&step, &note, Some(deadline)).await;
        steps.took(&activation);
        ended
    }

    async fn compose(&mut self, steps: &mut Steps<'_>, note: &Note, mut given: Value) -> Ended {
        for _ in 0..=SEQUENCE_MAX {
            let ended = self.turn(steps, note, given).await;
            let (action, params, state) = match Next::read(ended) {
                Next::Done(ended) => return ended,
                Next::Call { action, params, state } => (action, params, state),
            };
            let mut next = match steps.step(&action, params).await {
                // The conductor hears of failures of what it called.
                Ok(ended) => ended.result,
                Err(_) => {
                    json!({ "error": format!("Failed to resolve action with name '{action}' during composition.") })
                }
            };
            if let Some(next) = next.as_object_mut() {
                next.extend(state);
            }
            given = next;
        }
        Ended::application("Too many actions in the composition.")
    }
}

#[async_trait]
impl Guest for Conductor {
    async fn invoke(
        &mut self,
        call: &Invocation,
        _: Option<Instant>,
    ) -> std::result::Result<Reply, InvokeError> {
        let note = Note::read(&call.invoked_as);
        let shared = self.action.shared().clone();
        let mut steps = Steps::new(&shared, call, &note);
        let given = serde_json::from_slice(&call.body).unwrap_or_else(|_| json!({}));
        let ended = self.compose(&mut steps, &note, given).await;
        let (meta, name) = (self.action.meta().clone(), self.action.name());
        Ok(steps.finish(&meta, &name, &note, ended, self.action.version()).await)
    }

    async fn settled(&mut self) -> bool {
        self.action.settled().await
    }

    async fn idle(&mut self) -> GuestEvent {
        self.action.idle().await
    }

    async fn pause(&mut self) -> std::result::Result<(), Error> {
        self.action.pause().await
    }

    async fn resume(&mut self) -> std::result::Result<(), Error> {
        self.action.resume().await
    }

    async fn retire(self: Box<Self>, reason: &'static str) {
        Box::new(self.action).retire(reason).await;
    }
}

#[cfg(test)]
mod tests;
