//! `rules`: from a trigger to an action. Whether one is active stands in its trigger, so that firing reads one document.

use anyfn_core::ports::Expect;
use anyfn_web::Response;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ctx, documents::Put, triggers::action_json};
use crate::{
    fault::{Fault, Result},
    model::{Link, RULES, Rule, TRIGGERS, Trigger},
    names::{FullName, check},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PutRule {
    #[serde(flatten)]
    common: Put,
    trigger: Option<Value>,
    action: Option<Value>,
    status: Option<String>,
}

/// `/ns/name`, or `{path, name}` as their servers write it.
fn named(value: &Value) -> Result<FullName> {
    match (value.as_str(), value["path"].as_str(), value["name"].as_str()) {
        (Some(text), _, _) => FullName::parse(text),
        (_, Some(path), Some(name)) => FullName::parse(&format!("/{path}/{name}")),
        _ => Err(Fault::invalid("The request content was malformed:\na rule names a trigger and an action")),
    }
}

impl Ctx<'_> {
    pub(super) async fn list_rules(&self) -> Result<Response> {
        self.own()?;
        let all = self.all::<Rule>(RULES).await?;
        self.page("rules", all.iter().map(|(name, one)| self.rule_json(name, one, None)).collect())
    }

    fn rule_json(&self, name: &str, one: &Rule, active: Option<bool>) -> Value {
        let mut shown = self.common_json(name, &one.common);
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("parameters");
        }
        shown["trigger"] = json!({ "path": self.namespace, "name": one.trigger });
        shown["action"] = action_json(&one.action);
        if let Some(active) = active {
            shown["status"] = if active { "active" } else { "inactive" }.into();
        }
        shown
    }

    async fn rule(&self, name: &str) -> Result<(Rule, u64)> {
        self.own()?;
        let found = self.shared.documents.get::<Rule>(&self.namespace, RULES, name).await?;
        found.ok_or_else(Fault::not_found)
    }

    async fn active(&self, name: &str, one: &Rule) -> Result<bool> {
        let trigger = self.shared.documents.get::<Trigger>(&self.namespace, TRIGGERS, &one.trigger).await?;
        Ok(trigger.and_then(|(trigger, _)| trigger.rules.get(name).map(|link| link.active)).unwrap_or(false))
    }

    pub(super) async fn rule_call(&self, method: &Method, name: &str) -> Result<Response> {
        match *method {
            Method::GET => {
                let (one, _) = self.rule(name).await?;
                let active = self.active(name, &one).await?;
                Ok(anyfn_web::json(StatusCode::OK, &self.rule_json(name, &one, Some(active))))
            }
            Method::PUT => self.put_rule(name).await,
            Method::DELETE => {
                let (one, _) = self.rule(name).await?;
                self.unlink(&one.trigger, name).await?;
                self.shared.documents.delete(&self.namespace, RULES, name, Expect::Any).await?;
                Ok(anyfn_web::json(StatusCode::OK, &self.rule_json(name, &one, Some(false))))
            }
            Method::POST => self.switch(name).await,
            _ => Err(Fault::method()),
        }
    }

    async fn put_rule(&self, name: &str) -> Result<Response> {
        self.own()?;
        check(name)?;
        let put: PutRule = self.body()?;
        let before = self.shared.documents.get::<Rule>(&self.namespace, RULES, name).await?;
        let was = match &before {
            Some((one, _)) => Some((one.trigger.clone(), self.active(name, one).await?)),
            None => None,
        };
        let (mut one, expect) = self.editable(before)?;
        put.common.apply(&mut one.common, self.shared.base.clock.wall())?;
        if let Some(trigger) = &put.trigger {
            one.trigger = named(trigger)?.action.to_string();
        }
        if let Some(action) = &put.action {
            one.action = named(action)?.qualified(&self.namespace);
        }
        if one.trigger.is_empty() || one.action.is_empty() {
            let text = "The request content was malformed:\na rule names a trigger and an action";
            return Err(Fault::invalid(text));
        }
        let action = FullName::parse(&one.action)?;
        let found = self.shared.find(&self.who.namespace, &action).await;
        found.map_err(|_| Fault::not_found())?;
        let active =
            was.as_ref().is_none_or(|(_, active)| *active) && put.status.as_deref() != Some("inactive");
        let link = Link { action: one.action.clone(), active };
        let there = self.link(&one.trigger, name, link).await?;
        if !there {
            return Err(Fault::not_found());
        }
        if let Some((trigger, _)) = was.filter(|(trigger, _)| *trigger != one.trigger) {
            self.unlink(&trigger, name).await?;
        }
        self.put(RULES, name, &one, expect).await?;
        Ok(anyfn_web::json(StatusCode::OK, &self.rule_json(name, &one, Some(active))))
    }

    /// `{status: active | inactive}`
    async fn switch(&self, name: &str) -> Result<Response> {
        let put: PutRule = self.body()?;
        let active = match put.status.as_deref() {
            Some("active") => true,
            Some("inactive") => false,
            _ => {
                let text = "The request content was malformed:\nstatus must be either active or inactive";
                return Err(Fault::invalid(text));
            }
        };
        let (one, _) = self.rule(name).await?;
        let link = Link { action: one.action, active };
        if !self.link(&one.trigger, name, link).await? {
            return Err(Fault::not_found());
        }
        Ok(anyfn_web::text(StatusCode::OK, "application/json", ""))
    }

    /// False if there is no such trigger.
    async fn link(&self, trigger: &str, rule: &str, link: Link) -> Result<bool> {
        let change = |one: &mut Trigger| {
            one.rules.insert(rule.to_owned(), link.clone());
            Ok(())
        };
        let done = self.shared.documents.update((&self.namespace, TRIGGERS, trigger), change).await?;
        Ok(done.is_some())
    }

    async fn unlink(&self, trigger: &str, rule: &str) -> Result<()> {
        let change = |one: &mut Trigger| {
            one.rules.remove(rule);
            Ok(())
        };
        self.shared.documents.update((&self.namespace, TRIGGERS, trigger), change).await?;
        Ok(())
    }
}
