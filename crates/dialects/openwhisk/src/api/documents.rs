//! What packages, triggers and rules have in common: put, list, compare and set.

use anyfn_core::ports::Expect;
use anyfn_types::Millis;
use anyfn_web::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Ctx;
use crate::{
    fault::{Fault, Result},
    model::{Common, KeyValue, PAYLOAD_BYTES},
};

/// What is read at once.
const PAGE: usize = 1000;

/// What any of them may be put with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Put {
    publish: Option<bool>,
    annotations: Option<Vec<KeyValue>>,
    parameters: Option<Vec<KeyValue>>,
}

impl Put {
    pub(super) fn apply(&self, common: &mut Common, now: Millis) -> Result<()> {
        common.version += 1;
        common.updated = now;
        common.publish = self.publish.unwrap_or(common.publish);
        if let Some(annotations) = &self.annotations {
            common.annotations.clone_from(annotations);
        }
        if let Some(parameters) = &self.parameters {
            common.parameters.clone_from(parameters);
        }
        let bytes = serde_json::to_vec(&common).map_or(0, |bytes| bytes.len() as u64);
        if bytes > PAYLOAD_BYTES {
            return Err(Fault::too_large("parameters", bytes, PAYLOAD_BYTES));
        }
        Ok(())
    }
}

impl Ctx<'_> {
    pub(super) async fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.shared.documents.list(&self.namespace, kind, after.as_deref(), PAGE).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// A page of a list, or how many there are.
    pub(super) fn page(&self, what: &str, all: Vec<Value>) -> Result<Response> {
        let (skip, limit) = self.query.page()?;
        if self.query.flag("count", false)? {
            return Ok(anyfn_web::json(StatusCode::OK, &json!({ what: all.len().saturating_sub(skip) })));
        }
        let shown: Vec<Value> = all.into_iter().skip(skip).take(limit).collect();
        Ok(anyfn_web::json(StatusCode::OK, &shown))
    }

    /// What is to be changed, if it may be: something new, or, with `overwrite`, what is there.
    pub(super) fn editable<T: Default>(&self, before: Option<(T, u64)>) -> Result<(T, Expect)> {
        let overwrite = self.query.flag("overwrite", false)?;
        match before {
            None => Ok((T::default(), Expect::Absent)),
            Some(_) if !overwrite => Err(Fault::exists()),
            Some((one, revision)) => Ok((one, Expect::Revision(revision))),
        }
    }

    pub(super) async fn put<T: Serialize>(
        &self,
        kind: &str,
        name: &str,
        value: &T,
        expect: Expect,
    ) -> Result<()> {
        let written = self.shared.documents.put((&self.namespace, kind, name), value, expect).await;
        match written {
            Ok(_) => Ok(()),
            Err(e) if e.code == "record_changed" && matches!(expect, Expect::Absent) => Err(Fault::exists()),
            Err(e) => Err(e.into()),
        }
    }
}
