//! `activations`: list with filters, get, logs, result.

use anyfn_engine::RecordQuery;
use anyfn_types::InvocationId;
use anyfn_web::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Ctx;
use crate::{
    activation::{Activation, parse_id},
    fault::{Fault, Result},
};

/// Records of the engine that are looked through for a call of a function that keeps no result.
const RECORDS: usize = 10_000;

/// Which ones a list shows.
struct Filter {
    /// A name, or `pkg/name`.
    name: Option<String>,
    since: u64,
    upto: u64,
}

impl Filter {
    fn takes(&self, one: &Activation) -> bool {
        let path = || one.annotations.iter().find(|a| a.key == "path").and_then(|a| a.value.as_str());
        let named = match self.name.as_deref() {
            None => true,
            Some(name) if name.contains('/') => {
                path().is_some_and(|p| p.split_once('/').is_some_and(|(_, p)| p == name))
            }
            Some(name) => one.name == name,
        };
        named && (self.since..=self.upto).contains(&one.start)
    }
}

impl Ctx<'_> {
    pub(super) async fn list_activations(&self) -> Result<Response> {
        self.own()?;
        let (skip, limit) = self.query.page()?;
        let docs = self.query.flag("docs", false)?;
        let count = self.query.flag("count", false)?;
        let filter = Filter {
            name: self.query.get("name").map(str::to_owned),
            since: self.query.number("since")?.unwrap_or(0),
            upto: self.query.number("upto")?.unwrap_or(u64::MAX),
        };
        let (mut shown, mut seen, mut before) = (Vec::new(), 0_usize, None);
        loop {
            let entries = self.shared.journal.before(&self.namespace, before).await?;
            let Some(oldest) = entries.last().map(|entry| entry.seq) else { break };
            for entry in entries {
                let Ok(one) = serde_json::from_slice::<Activation>(&entry.body) else { continue };
                if !filter.takes(&one) {
                    continue;
                }
                seen += 1;
                if seen > skip && shown.len() < limit && !count {
                    shown.push(if docs { one.json() } else { one.summary() });
                }
            }
            before = Some(oldest);
            if shown.len() == limit && !count {
                break;
            }
        }
        let answer =
            if count { json!({ "activations": seen.saturating_sub(skip) }) } else { Value::Array(shown) };
        Ok(anyfn_web::json(StatusCode::OK, &answer))
    }

    async fn activation(&self, id: &str) -> Result<Activation> {
        self.own()?;
        let Some(id) = parse_id(id) else {
            let text =
                format!("The activation id is not valid. It has 32 hexadecimal digits, not {}.", id.len());
            return Err(Fault::invalid(text));
        };
        if let Some(kept) = self.shared.journal.get(&self.namespace, id.0).await? {
            return serde_json::from_slice(&kept)
                .map_err(|e| anyfn_types::Error::internal("record_decode", e).into());
        }
        self.recorded(id).await?.ok_or_else(Fault::not_found)
    }

    /// A call of a function of another contract that nobody waited for: that it ended is known, its result is not.
    async fn recorded(&self, id: InvocationId) -> Result<Option<Activation>> {
        let Some(engine) = self.shared.engine.get() else { return Ok(None) };
        engine.flush_records().await;
        let query = RecordQuery { namespace: self.namespace.clone(), function: None, limit: RECORDS };
        let found = engine.records(query).await?.into_iter().find(|record| record.id == id);
        Ok(found.map(|record| Activation::of_record(&self.namespace, &record)))
    }

    pub(super) async fn get_activation(&self, id: &str, part: Option<&str>) -> Result<Response> {
        let one = self.activation(id).await?;
        let shown = match part {
            None => one.json(),
            Some("logs") => json!({ "logs": one.logs }),
            Some("result") => {
                let response = one.response();
                json!({ "result": response["result"], "success": response["success"], "status": response["status"] })
            }
            Some(_) => return Err(Fault::not_found()),
        };
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }
}
