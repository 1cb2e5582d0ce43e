//! `triggers`: put, get, delete, fire.

use anyfn_core::ports::Expect;
use anyfn_web::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Ctx, documents::Put, invoke::with_id};
use crate::{
    activation::{Activation, Status, id_text},
    calls::{Called, How, accepted},
    fault::{Fault, Result},
    model::{Link, PAYLOAD_BYTES, TRIGGERS, Trigger, object, version_text},
    names::{FullName, check},
};

impl Ctx<'_> {
    pub(super) async fn list_triggers(&self) -> Result<Response> {
        self.own()?;
        let all = self.all::<Trigger>(TRIGGERS).await?;
        self.page("triggers", all.iter().map(|(name, one)| self.trigger_json(name, one)).collect())
    }

    fn trigger_json(&self, name: &str, one: &Trigger) -> Value {
        let mut shown = self.common_json(name, &one.common);
        let rule = |(rule, link): (&String, &Link)| {
            let status = if link.active { "active" } else { "inactive" };
            (
                format!("{}/{rule}", self.namespace),
                json!({ "action": action_json(&link.action), "status": status }),
            )
        };
        shown["rules"] = Value::Object(one.rules.iter().map(rule).collect::<Map<String, Value>>());
        shown["limits"] = json!({});
        shown
    }

    async fn trigger(&self, name: &str) -> Result<Trigger> {
        self.own()?;
        let found = self.shared.documents.get::<Trigger>(&self.namespace, TRIGGERS, name).await?;
        found.map(|(one, _)| one).ok_or_else(Fault::not_found)
    }

    pub(super) async fn trigger_call(&self, method: &http::Method, name: &str) -> Result<Response> {
        match *method {
            http::Method::GET => {
                let one = self.trigger(name).await?;
                Ok(anyfn_web::json(StatusCode::OK, &self.trigger_json(name, &one)))
            }
            http::Method::PUT => self.put_trigger(name).await,
            http::Method::DELETE => {
                let one = self.trigger(name).await?;
                self.shared.documents.delete(&self.namespace, TRIGGERS, name, Expect::Any).await?;
                Ok(anyfn_web::json(StatusCode::OK, &self.trigger_json(name, &one)))
            }
            http::Method::POST => self.fire(name).await,
            _ => Err(Fault::method()),
        }
    }

    async fn put_trigger(&self, name: &str) -> Result<Response> {
        self.own()?;
        check(name)?;
        let put: Put = self.body()?;
        let before = self.shared.documents.get::<Trigger>(&self.namespace, TRIGGERS, name).await?;
        let (mut one, expect) = self.editable(before)?;
        put.apply(&mut one.common, self.shared.base.clock.wall())?;
        self.put(TRIGGERS, name, &one, expect).await?;
        Ok(anyfn_web::json(StatusCode::OK, &self.trigger_json(name, &one)))
    }

    /// Every active rule's action is called; they are on disk when this answers.
    async fn fire(&self, name: &str) -> Result<Response> {
        let one = self.trigger(name).await?;
        let given: Map<String, Value> = self.body()?;
        let mut event = object(&one.common.parameters);
        event.extend(given);
        let bytes = serde_json::to_vec(&event).map_or(0, |bytes| bytes.len() as u64);
        if bytes > PAYLOAD_BYTES {
            return Err(Fault::too_large("payload", bytes, PAYLOAD_BYTES));
        }
        let active: Vec<_> = one.rules.iter().filter(|(_, link)| link.active).collect();
        if active.is_empty() {
            return Ok(anyfn_web::text(StatusCode::NO_CONTENT, "application/json", ""));
        }
        let (id, start) = (self.shared.base.random.invocation_id(), self.shared.base.clock.wall());
        let mut logs = Vec::new();
        for (rule, link) in active {
            let how = How { cause: Some(id), ..How::default() };
            let called = self.called(&link.action, Value::Object(event.clone()), how).await;
            let mut line = json!({ "rule": format!("{}/{rule}", self.namespace), "action": link.action.trim_start_matches('/') });
            match called {
                Ok(Called::Accepted(id)) => {
                    line["statusCode"] = 0.into();
                    line["success"] = true.into();
                    line["activationId"] = id_text(id).into();
                }
                Ok(Called::Ended(one)) => line["activationId"] = id_text(one.id).into(),
                Err(fault) => {
                    line["statusCode"] = 1.into();
                    line["success"] = false.into();
                    line["error"] = fault.text.into();
                }
            }
            logs.push(line.to_string());
        }
        let activation = Activation {
            id,
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            version: version_text(one.common.version),
            subject: self.who.subject.clone(),
            start,
            end: 0,
            duration: 0,
            status: Status::Success,
            result: Value::Object(event),
            logs,
            annotations: Vec::new(),
            cause: None,
        };
        self.shared.keep(&activation, true).await;
        Ok(with_id(anyfn_web::json(StatusCode::ACCEPTED, &accepted(id)), id))
    }

    async fn called(&self, action: &str, event: Value, how: How) -> Result<Called> {
        let found = self.shared.find(&self.who.namespace, &FullName::parse(action)?).await?;
        self.shared.call(&self.who, &found, event, how).await
    }
}

/// `/ns/pkg/name` as `{path: ns/pkg, name}`.
pub(super) fn action_json(full: &str) -> Value {
    let (path, name) = full.trim_start_matches('/').rsplit_once('/').unwrap_or(("", full));
    json!({ "path": path, "name": name })
}
