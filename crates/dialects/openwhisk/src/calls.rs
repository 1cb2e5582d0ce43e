//! From a name and parameters to an activation, for clients, triggers, sequences and compositions alike.

use std::sync::Arc;

use anyfn_core::{Frame, Outcome, Reply, ReplyBody, ports::Invoke as _};
use anyfn_types::{Contract, Error, Failure, Function, Invocation, InvocationId, Kind, Mode, Namespace};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    Shared,
    activation::{Activation, Note, Status, id_text},
    fault::{Fault, Result},
    model::{CONTRACT, KeyValue, Meta, PACKAGES, PAYLOAD_BYTES, Package, object, overlay},
    names::{ActionName, FullName},
};

/// Sequences within sequences, and compositions, at most.
const DEPTH_MAX: u8 = 16;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) namespace: Namespace,
    pub(crate) subject: String,
    pub(crate) transaction: String,
}

/// An action that a name stands for.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) function: Arc<Function>,
    pub(crate) action: ActionName,
    pub(crate) meta: Meta,
    /// The package's under the binding's.
    pub(crate) parameters: Vec<KeyValue>,
    /// `ns/pkg`
    pub(crate) binding: Option<String>,
}

/// How an action is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct How {
    pub(crate) wait: bool,
    pub(crate) cause: Option<InvocationId>,
    pub(crate) in_sequence: bool,
    pub(crate) depth: u8,
}

pub(crate) enum Called {
    Accepted(InvocationId),
    Ended(Box<Activation>),
}

/// A package as its actions see it.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) namespace: Namespace,
    pub(crate) package: Option<String>,
    pub(crate) parameters: Vec<KeyValue>,
    pub(crate) binding: Option<String>,
}

impl Shared {
    pub(crate) async fn package(&self, namespace: &Namespace, name: &str) -> Result<Option<Package>> {
        Ok(self.documents.get(namespace, PACKAGES, name).await?.map(|(package, _)| package))
    }

    /// Where the actions of a package lie, through its binding, if the caller may see them.
    pub(crate) async fn home(
        &self,
        own: &Namespace,
        namespace: Option<&str>,
        package: Option<&str>,
    ) -> Result<Home> {
        let namespace = namespace.map_or_else(|| Ok(own.clone()), Namespace::new);
        let namespace = namespace.map_err(|_| Fault::not_found())?;
        let Some(name) = package else {
            let home = Home { namespace, package: None, parameters: Vec::new(), binding: None };
            return if home.namespace == *own { Ok(home) } else { Err(Fault::forbidden()) };
        };
        let known = self.package(&namespace, name).await?.unwrap_or_default();
        if namespace != *own && !known.common.publish {
            return Err(Fault::forbidden());
        }
        let Some(bound) = known.binding else {
            let parameters = known.common.parameters;
            return Ok(Home { namespace, package: Some(name.to_owned()), parameters, binding: None });
        };
        let target = Namespace::new(bound.namespace).map_err(|_| Fault::not_found())?;
        let under = self.package(&target, &bound.name).await?.ok_or_else(Fault::not_found)?;
        if target != namespace && !under.common.publish {
            return Err(Fault::forbidden());
        }
        let parameters = overlay(&under.common.parameters, &known.common.parameters);
        let binding = Some(format!("{namespace}/{name}"));
        Ok(Home { namespace: target, package: Some(bound.name), parameters, binding })
    }

    pub(crate) async fn find(&self, own: &Namespace, full: &FullName) -> Result<Found> {
        let home = self.home(own, full.namespace.as_deref(), full.action.package.as_deref()).await?;
        let action = ActionName { package: home.package, name: full.action.name.clone() };
        let function = self.registry.get(&home.namespace, &action.function()?).await?;
        let meta = Meta::of(&function.latest);
        Ok(Found { function, action, meta, parameters: home.parameters, binding: home.binding })
    }

    /// Ends when the activation has, or when it is on disk, as `how` says.
    pub(crate) async fn call(
        self: &Arc<Self>,
        who: &Who,
        found: &Found,
        given: Value,
        how: How,
    ) -> Result<Called> {
        self.begin(who, found, given, how)?.1.await
    }

    /// The call's id, and the call itself, which can go on without its caller.
    pub(crate) fn begin(
        self: &Arc<Self>,
        who: &Who,
        found: &Found,
        given: Value,
        how: How,
    ) -> Result<(InvocationId, impl Future<Output = Result<Called>> + Send + 'static)> {
        if how.depth > DEPTH_MAX {
            return Err(Fault::invalid("The sequence is nested too deeply."));
        }
        let body = Bytes::from(found.merged(given).to_string());
        if body.len() as u64 > PAYLOAD_BYTES {
            return Err(Fault::too_large("payload", body.len() as u64, PAYLOAD_BYTES));
        }
        let note = Note {
            namespace: Some(who.namespace.clone()),
            subject: who.subject.clone(),
            transaction: who.transaction.clone(),
            cause: how.cause,
            in_sequence: how.in_sequence,
            binding: found.binding.clone(),
            durable: !how.wait,
            depth: how.depth,
        };
        let ours = found.is_ours();
        let call = Invocation {
            id: self.base.random.invocation_id(),
            namespace: found.function.namespace.clone(),
            function: found.function.name.clone(),
            qualifier: None,
            mode: if how.wait { Mode::Wait } else { Mode::Queue },
            body,
            invoked_as: if ours { note.write() } else { arn(&found.function) },
            client_context: None,
            trace: None,
            want_log_tail: how.wait && !ours,
            accepted: self.base.clock.wall(),
            http: None,
        };
        let (id, shared, found) = (call.id, self.clone(), found.clone());
        Ok((id, async move { shared.finish(&found, &note, call).await }))
    }

    async fn finish(&self, found: &Found, note: &Note, call: Invocation) -> Result<Called> {
        let (id, accepted) = (call.id, call.accepted);
        let Some(engine) = self.engine.get() else {
            return Err(Error::new(Kind::Unavailable, "draining", "the server is starting; try again").into());
        };
        let reply = match engine.invoke(call).await? {
            Outcome::Accepted(id) => return Ok(Called::Accepted(id)),
            Outcome::Replied(reply) => reply,
            Outcome::WouldRun => return Err(Fault::not_found()),
            Outcome::Broken(error) => {
                tracing::error!(?error, function = %found.function.name, "activation broke");
                let result = json!({ "error": "The action did not run because of an internal error." });
                let ended = (Status::InternalError, result, Vec::new());
                return Ok(Called::Ended(self.outside(found, note, (id, accepted), ended)));
            }
        };
        let namespace = note.namespace.as_ref().unwrap_or(&found.function.namespace);
        let kept = if found.is_ours() { self.journal.get(namespace, id.0).await? } else { None };
        if let Some(activation) = kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
            return Ok(Called::Ended(Box::new(activation)));
        }
        let ended = ended(reply).await;
        Ok(Called::Ended(self.outside(found, note, (id, accepted), ended)))
    }

    /// The activation of a call that our contract did not run.
    fn outside(
        &self,
        found: &Found,
        note: &Note,
        (id, accepted): (InvocationId, u64),
        (status, result, logs): (Status, Value, Vec<String>),
    ) -> Box<Activation> {
        let end = self.base.clock.wall();
        let annotations = vec![
            KeyValue::new("path", format!("{}/{}", found.function.namespace, found.action)),
            KeyValue::new("kind", found.meta.kind.clone()),
            KeyValue::new("limits", found.meta.limits_json()),
        ];
        let activation = Activation {
            id,
            namespace: note.namespace.clone().unwrap_or_else(|| found.function.namespace.clone()),
            name: found.action.name.clone(),
            version: found.meta.version_text(),
            subject: note.subject.clone(),
            start: accepted,
            end,
            duration: end.saturating_sub(accepted),
            status,
            result,
            logs,
            annotations,
            cause: note.cause,
        };
        self.write(&activation);
        Box::new(activation)
    }

    pub(crate) fn write(&self, activation: &Activation) {
        let bytes = serde_json::to_vec(activation).unwrap_or_default();
        self.journal.write(&activation.namespace, activation.id.0, bytes.into());
    }

    /// Writes behind, or ends when it is on disk.
    pub(crate) async fn keep(&self, activation: &Activation, durable: bool) {
        if !durable {
            return self.write(activation);
        }
        let bytes = serde_json::to_vec(activation).unwrap_or_default();
        self.journal.write_durably(&activation.namespace, activation.id.0, bytes.into()).await;
    }
}

impl Found {
    fn is_ours(&self) -> bool {
        matches!(&self.function.latest.config.contract, Contract::Other(name) if name == CONTRACT)
    }

    /// Package under binding under action under what came with the call.
    fn merged(&self, given: Value) -> Value {
        let Value::Object(given) = given else { return given };
        let mut all: Map<String, Value> = object(&overlay(&self.parameters, &self.meta.parameters));
        all.extend(given);
        Value::Object(all)
    }
}

/// How functions of Lambda's contract are told what they were called as.
fn arn(function: &Function) -> String {
    let namespace = function.namespace.as_str();
    let (account, region) = namespace.split_once('.').unwrap_or((namespace, "us-east-1"));
    format!("arn:aws:lambda:{region}:{account}:function:{}", function.name)
}

/// What a function of another contract gave, in our words.
async fn ended(reply: Reply) -> (Status, Value, Vec<String>) {
    let text = String::from_utf8_lossy(reply.log_tail.as_deref().unwrap_or_default()).into_owned();
    let logs = text.lines().map(str::to_owned).collect();
    let (status, result) = match reply.result {
        Ok(ReplyBody::Whole(bytes)) => returned(&bytes),
        Ok(ReplyBody::Stream { frames, .. }) => match collect(frames).await {
            Ok(bytes) => returned(&bytes),
            Err(failure) => failed(&failure.payload),
        },
        Err(failure) => failed(&failure.payload),
    };
    (status, result, logs)
}

/// A result is an object or an array; what is neither becomes `{"result": …}`.
fn returned(bytes: &[u8]) -> (Status, Value) {
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    match serde_json::from_slice::<Value>(bytes).unwrap_or_else(|_| text()) {
        result @ (Value::Object(_) | Value::Array(_)) => (Status::of(&result), result),
        other => (Status::Success, json!({ "result": other })),
    }
}

fn failed(payload: &[u8]) -> (Status, Value) {
    let error = serde_json::from_slice::<Value>(payload).unwrap_or(Value::Null);
    let error = if error.get("error").is_some() { error } else { json!({ "error": error }) };
    (Status::DeveloperError, error)
}

async fn collect(mut frames: tokio::sync::mpsc::Receiver<Frame>) -> std::result::Result<Bytes, Failure> {
    let mut all = Vec::new();
    while let Some(frame) = frames.recv().await {
        match frame {
            Frame::Data(bytes) if (all.len() + bytes.len()) as u64 <= PAYLOAD_BYTES => {
                all.extend_from_slice(&bytes);
            }
            Frame::Data(_) => {}
            Frame::Failed(failure) => return Err(failure),
            Frame::End => break,
        }
    }
    Ok(all.into())
}

/// `{activationId}`
pub(crate) fn accepted(id: InvocationId) -> Value {
    json!({ "activationId": id_text(id) })
}
