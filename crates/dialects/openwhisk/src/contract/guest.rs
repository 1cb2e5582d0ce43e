//! The port `Guest` for one action.

use std::{sync::Arc, time::Duration};

use anyfn_base::Instant;
use anyfn_core::{
    Reply, ReplyBody,
    ports::{BringUp, Died, Exit, Guest, GuestEvent, InvokeError, LogTarget},
};
use anyfn_types::{Billing, Error, Failure, Invocation};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{
    http::{Heard, Web},
    plan::{self, Speech},
    printed::Printed,
    process::{Process, Said},
};
use crate::{
    Shared,
    activation::{Activation, Note, Status, id_text},
    model::{KeyValue, MIB, Meta, PAYLOAD_BYTES},
    names::ActionName,
};

/// Room for what surrounds a result on its line.
const LINE_SLACK: usize = 4096;
const LINE_BYTES: usize = PAYLOAD_BYTES as usize + LINE_SLACK;

const NO_INIT: &str = "The action did not initialize and exited unexpectedly.";
const NO_RUN: &str = "The action did not produce a valid response and exited unexpectedly.";
const NO_MEMORY: &str = "The action exhausted its memory and was aborted.";
const NO_JSON: &str = "The action did not produce a valid JSON response";
const NO_SENTINEL: &str = "The action did not end its log as expected. Log data might be missing.";
const NO_DICTIONARY: &str = "The action did not return a dictionary.";

/// How far a process is.
enum Init {
    Ready,
    /// The first call hears why.
    Failed(String),
    /// It takes longer than a start may wait; the first call waits on.
    Waiting(Instant),
}

pub(crate) struct Action {
    shared: Arc<Shared>,
    with: BringUp,
    meta: Meta,
    process: Process,
    speech: Speech,
    /// To a server inside.
    web: Option<Web>,
    init: Init,
    /// Of the first call.
    cold: Option<Duration>,
    paused: bool,
    usable: bool,
}

/// What became of one call.
pub(crate) struct Ended {
    pub(super) status: Status,
    pub(super) result: Value,
    /// The instance is of no use any more.
    pub(super) retire: bool,
}

impl Ended {
    pub(super) fn success(result: Value) -> Self {
        Self { status: Status::Success, result, retire: false }
    }

    pub(super) fn application(text: impl Into<String>) -> Self {
        let result = json!({ "error": text.into() });
        Self { status: Status::ApplicationError, result, retire: false }
    }

    pub(super) fn internal(text: &str) -> Self {
        Self { status: Status::InternalError, result: json!({ "error": text }), retire: true }
    }

    fn developer(text: impl Into<String>) -> Self {
        Self { status: Status::DeveloperError, result: json!({ "error": text.into() }), retire: true }
    }

    fn exited(exit: &Exit, text: &str) -> Self {
        Self::developer(if exit.out_of_memory { NO_MEMORY } else { text })
    }

    fn late(timeout: u64, during_init: bool) -> Self {
        let during = if during_init { " during initialization" } else { "" };
        Self::developer(format!("The action exceeded its time limits of {timeout} milliseconds{during}."))
    }

    fn too_large(bytes: u64) -> Self {
        let text = format!(
            "The action produced a response that exceeded the allowed length: {bytes} > {PAYLOAD_BYTES} bytes."
        );
        Self { status: Status::ApplicationError, result: json!({ "error": text }), retire: false }
    }

    /// The `error` of a server's answer.
    fn reason(body: &[u8]) -> Option<String> {
        let body = serde_json::from_slice::<Value>(body).ok()?;
        let error = body.get("error")?;
        Some(error.as_str().map_or_else(|| error.to_string(), str::to_owned))
    }

    /// What an action answered.
    fn answered(line: &[u8]) -> Self {
        if let Some(reason) = line.strip_prefix(b"!") {
            let reason = serde_json::from_slice::<String>(reason);
            return Self::developer(reason.unwrap_or_else(|_| NO_RUN.to_owned()));
        }
        if line.len() as u64 > PAYLOAD_BYTES {
            return Self::too_large(line.len() as u64);
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(result @ (Value::Object(_) | Value::Array(_))) => {
                Self { status: Status::of(&result), result, retire: false }
            }
            Ok(_) => Self::developer(NO_DICTIONARY),
            Err(_) => {
                let start = String::from_utf8_lossy(&line[..line.len().min(256)]);
                Self::developer(format!("{NO_JSON}: {start}"))
            }
        }
    }
}

fn log_target(shared: &Shared, with: &BringUp) -> LogTarget {
    let group = with.version.config.logging.group.clone();
    let day = anyfn_base::iso_millis(shared.base.clock.wall())[..10].replace('-', "/");
    LogTarget {
        namespace: with.function.namespace.clone(),
        group: group.unwrap_or_else(|| format!("/aws/lambda/{}", with.function.name)),
        stream: format!("{day}/[$LATEST]{:032x}", with.instance.0),
    }
}

impl Action {
    pub(crate) async fn bring_up(shared: Arc<Shared>, with: BringUp, meta: Meta) -> Result<Self, Error> {
        let clock = shared.base.clock.clone();
        let started = clock.now();
        let choice = plan::choose(&meta.kind, &shared.interpreters, shared.mode)?;
        let plan = plan::plan(&meta, choice);
        let env = plan::environment(&meta, &plan);
        let target = log_target(&shared, &with);
        let printed = Printed::new(clock.clone(), with.logs.clone(), target, meta.limits.logs * MIB);
        let process = Process::start(clock, &with, (&plan, &shared.launchers), env, printed).await?;
        let mut action = Self {
            shared,
            meta,
            process,
            speech: plan.speech,
            web: None,
            init: Init::Waiting(started),
            cold: None,
            paused: false,
            usable: true,
            with,
        };
        let until = started + action.with.init_timeout.min(Duration::from_millis(action.timeout()));
        action.initialize(Some(until)).await;
        Ok(action)
    }

    fn timeout(&self) -> u64 {
        self.meta.limits.timeout
    }

    /// Once, by the start and, if that could not wait, by the first call.
    async fn initialize(&mut self, until: Option<Instant>) {
        let Init::Waiting(started) = self.init else { return };
        let ready = match self.speech {
            Speech::Lines { launcher: false } => Init::Ready,
            Speech::Lines { launcher: true } => match self.process.hear(until, LINE_BYTES).await {
                Said::Line(line) if !line.starts_with(b"!") => Init::Ready,
                Said::Line(line) => {
                    Init::Failed(serde_json::from_slice(&line[1..]).unwrap_or_else(|_| NO_INIT.to_owned()))
                }
                Said::Ended(exit) if exit.out_of_memory => Init::Failed(NO_MEMORY.to_owned()),
                Said::Ended(_) | Said::TooLong(_) => Init::Failed(NO_INIT.to_owned()),
                Said::Late => return,
            },
            Speech::Http => match self.initialize_server(until).await {
                Some(init) => init,
                None => return,
            },
        };
        self.init = ready;
        self.cold = Some(self.shared.base.clock.now() - started);
    }

    /// `POST /init`; None if it takes longer than it may now.
    async fn initialize_server(&mut self, until: Option<Instant>) -> Option<Init> {
        let base = &self.shared.base;
        let mut web = match Web::connect(base, &mut self.process, until).await {
            Ok(web) => web,
            Err(Heard::Late) => return None,
            Err(Heard::Platform(error)) => return Some(Init::Failed(error.public)),
            Err(_) => return Some(Init::Failed(NO_INIT.to_owned())),
        };
        let value = json!({ "name": self.name(), "main": self.meta.main.as_deref().unwrap_or("main"), "binary": true,
            "code": "", "env": {} });
        let body = Bytes::from(json!({ "value": value }).to_string());
        // A server that is being told has heard it: it is not told again.
        let heard = web.post(&mut self.process, ("/init", body), until, LINE_BYTES).await;
        self.web = Some(web);
        Some(match heard {
            Heard::Answer(200, _) => Init::Ready,
            Heard::Answer(_, body) => {
                Init::Failed(Ended::reason(&body).unwrap_or_else(|| NO_INIT.to_owned()))
            }
            Heard::Ended(exit) if exit.out_of_memory => Init::Failed(NO_MEMORY.to_owned()),
            Heard::Late => Init::Failed(format!(
                "The action exceeded its time limits of {} milliseconds during initialization.",
                self.timeout()
            )),
            _ => Init::Failed(NO_INIT.to_owned()),
        })
    }

    async fn run_server(&mut self, body: Bytes, deadline: Option<Instant>) -> Ended {
        let Some(web) = &mut self.web else { return Ended::developer(NO_RUN) };
        let ended = match web.post(&mut self.process, ("/run", body), deadline, LINE_BYTES).await {
            Heard::Answer(200, body) => Ended::answered(&body),
            Heard::Answer(_, body) => {
                Ended::developer(Ended::reason(&body).unwrap_or_else(|| NO_JSON.to_owned()))
            }
            Heard::TooLong(bytes) => return Ended { retire: true, ..Ended::too_large(bytes) },
            Heard::Ended(exit) => return Ended::exited(&exit, NO_RUN),
            Heard::Late => return Ended::late(self.timeout(), false),
            Heard::Broken | Heard::Platform(_) => return Ended::developer(NO_RUN),
        };
        if !Web::logs_end(&self.shared.base, &mut self.process).await {
            self.process.printed.say(NO_SENTINEL);
        }
        ended
    }

    /// The parameters of a call: the action's own under those that came with it.
    fn value(&self, body: &Bytes) -> Value {
        let mut all: Map<String, Value> =
            self.meta.parameters.iter().map(|one| (one.key.clone(), one.value.clone())).collect();
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(given)) => all.extend(given),
            Ok(Value::Array(given)) => return Value::Array(given),
            Ok(Value::Null) | Err(_) => {}
            Ok(scalar) => drop(all.insert("value".to_owned(), scalar)),
        }
        Value::Object(all)
    }

    async fn run(&mut self, call: &Invocation, note: &Note, deadline: Option<Instant>) -> Ended {
        self.initialize(deadline).await;
        match &self.init {
            Init::Ready => {}
            Init::Failed(reason) => return Ended::developer(reason.clone()),
            Init::Waiting(_) => return Ended::late(self.timeout(), true),
        }
        let line = json!({
            "value": self.value(&call.body),
            "namespace": note.namespace.as_ref().unwrap_or(&call.namespace),
            "action_name": format!("/{}/{}", call.namespace, self.name()),
            "action_version": self.meta.version_text(),
            "activation_id": id_text(call.id),
            "transaction_id": note.transaction,
            "api_host": self.shared.api_host,
            "deadline": self.deadline_ms(deadline).to_string(),
        });
        if self.speech == Speech::Http {
            return self.run_server(line.to_string().into(), deadline).await;
        }
        let mut line = line.to_string().into_bytes();
        line.push(b'\n');
        if self.process.spoke() {
            return Ended::developer(NO_RUN);
        }
        self.process.say(line.into());
        match self.process.hear(deadline, LINE_BYTES).await {
            Said::Line(line) => self.answered(call, &line),
            Said::TooLong(bytes) => Ended { retire: true, ..Ended::too_large(bytes) },
            Said::Ended(exit) => Ended::exited(&exit, NO_RUN),
            Said::Late => Ended::late(self.timeout(), false),
        }
    }

    /// Our launchers say whose answer it is: what the action's own code writes to their descriptor is none.
    fn answered(&self, call: &Invocation, line: &[u8]) -> Ended {
        if self.speech == (Speech::Lines { launcher: false }) {
            return Ended::answered(line);
        }
        let id = id_text(call.id);
        let answer = line.strip_prefix(id.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
        answer.map_or_else(|| Ended::developer(NO_JSON), Ended::answered)
    }

    fn deadline_ms(&self, deadline: Option<Instant>) -> u64 {
        let clock = &self.shared.base.clock;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock.now()));
        clock.wall() + left.map_or(self.timeout(), |left| u64::try_from(left.as_millis()).unwrap_or(0))
    }

    pub(super) fn name(&self) -> String {
        let name = ActionName::of(&self.with.function.name);
        name.map_or_else(|| self.with.function.name.to_string(), |name| name.to_string())
    }

    fn activation(
        &self,
        call: &Invocation,
        note: &Note,
        (ended, logs): (&Ended, Vec<String>),
        (took, init): (Duration, Option<Duration>),
    ) -> Activation {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let end = self.shared.base.clock.wall();
        let duration = millis(took + init.unwrap_or_default());
        let start = end.saturating_sub(duration);
        let name = self.name();
        let mut annotations = vec![
            KeyValue::new("path", format!("{}/{name}", call.namespace)),
            KeyValue::new("waitTime", start.saturating_sub(call.accepted)),
            KeyValue::new("kind", self.meta.kind.clone()),
            KeyValue::new(
                "timeout",
                matches!(ended.status, Status::DeveloperError)
                    && took >= Duration::from_millis(self.timeout()),
            ),
            KeyValue::new("limits", self.meta.limits_json()),
        ];
        annotations.extend(init.map(|init| KeyValue::new("initTime", millis(init))));
        annotations.extend(note.binding.clone().map(|binding| KeyValue::new("binding", binding)));
        if note.in_sequence {
            annotations.push(KeyValue::new("causedBy", "sequence"));
        }
        Activation {
            id: call.id,
            namespace: note.namespace.clone().unwrap_or_else(|| call.namespace.clone()),
            name: name.rsplit('/').next().unwrap_or_default().to_owned(),
            version: self.meta.version_text(),
            subject: note.subject.clone(),
            start,
            end,
            duration,
            status: ended.status,
            result: ended.result.clone(),
            logs,
            annotations,
            cause: note.cause,
        }
    }

    fn billing(&self, took: Duration, init: Option<Duration>) -> Billing {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let whole = took + init.unwrap_or_default();
        Billing {
            duration_us: micros(took),
            billed_ms: micros(whole).div_ceil(1000),
            init_us: init.map(micros),
            memory_mib: self.with.version.config.memory_mib,
            max_memory_mib: 0,
            cold: init.is_some(),
        }
    }
}

/// The end of a log, as callers of other dialects may ask for it.
fn tail(lines: &[String]) -> Bytes {
    let text = lines.join("\n");
    Bytes::copy_from_slice(&text.as_bytes()[text.len().saturating_sub(4096)..])
}

/// What one call took.
pub(super) struct Took {
    billing: Billing,
    log_tail: Option<Bytes>,
}

impl Action {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(super) fn version(&self) -> u64 {
        self.with.version.number
    }

    /// Runs one call and writes its activation.
    pub(super) async fn one(
        &mut self,
        call: &Invocation,
        note: &Note,
        deadline: Option<Instant>,
    ) -> (Ended, (Activation, Took)) {
        let started = self.shared.base.clock.now();
        let ended = if self.usable { self.run(call, note, deadline).await } else { Ended::developer(NO_RUN) };
        let took = self.shared.base.clock.now() - started;
        let init = self.cold.take().filter(|_| self.with.initialization == "on-demand");
        self.process.drain();
        let logs = self.process.printed.take();
        let log_tail = call.want_log_tail.then(|| tail(&logs));
        let activation = self.activation(call, note, (&ended, logs), (took, init));
        self.shared.keep(&activation, note.durable).await;
        self.usable &= !ended.retire;
        (ended, (activation, Took { billing: self.billing(took, init), log_tail }))
    }
}

#[async_trait]
impl Guest for Action {
    async fn invoke(&mut self, call: &Invocation, deadline: Option<Instant>) -> Result<Reply, InvokeError> {
        let note = Note::read(&call.invoked_as);
        let (ended, (_, Took { billing, log_tail })) = self.one(call, &note, deadline).await;
        let payload = Bytes::from(ended.result.to_string());
        let failure = || Failure {
            handled_by_runtime: ended.status == Status::ApplicationError,
            error_type: ended.status.text().replace(' ', "_"),
            payload: payload.clone(),
        };
        if ended.retire {
            let died = Died { failure: failure(), billing: Some(billing), log_tail };
            return Err(InvokeError::Died(Box::new(died)));
        }
        let result = match ended.status {
            Status::Success => Ok(ReplyBody::Whole(payload.clone())),
            _ => Err(failure()),
        };
        let version = self.with.version.number;
        Ok(Reply { id: call.id, version, result, head: None, billing: Some(billing), log_tail })
    }

    async fn settled(&mut self) -> bool {
        self.usable &= !self.process.spoke();
        self.usable
    }

    async fn idle(&mut self) -> GuestEvent {
        // Whatever it says or does without having been asked, it is of no use any more.
        let _said = self.process.hear(None, LINE_BYTES).await;
        self.usable = false;
        GuestEvent::Gone
    }

    async fn pause(&mut self) -> Result<(), Error> {
        self.process.sandbox.freeze().await?;
        self.paused = true;
        Ok(())
    }

    async fn resume(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.paused) {
            self.process.sandbox.thaw().await?;
        }
        Ok(())
    }

    async fn retire(self: Box<Self>, _reason: &'static str) {
        self.process.destroy().await;
    }
}

#[cfg(test)]
mod tests;
