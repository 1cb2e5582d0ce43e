//! An activation: what one call left behind, as it is kept and as it is shown.

use anyfn_engine::{InvocationRecord, RecordResult};
use anyfn_types::{InvocationId, Millis, Namespace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{model::KeyValue, names::ActionName};

/// How a call ended, by OpenWhisk's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Success,
    ApplicationError,
    DeveloperError,
    InternalError,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::ApplicationError => "application error",
            Self::DeveloperError => "action developer error",
            Self::InternalError => "whisk internal error",
        }
    }

    /// Of a result that the action gave: one with an `error` says that it failed.
    pub(crate) fn of(result: &Value) -> Self {
        if result.get("error").is_some() { Self::ApplicationError } else { Self::Success }
    }
}

/// 32 hexadecimal digits.
pub(crate) fn id_text(id: InvocationId) -> String {
    format!("{:032x}", id.0)
}

pub(crate) fn parse_id(text: &str) -> Option<InvocationId> {
    let right = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    right.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(InvocationId)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activation {
    pub(crate) id: InvocationId,
    /// Whose call it was.
    pub(crate) namespace: Namespace,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) subject: String,
    pub(crate) start: Millis,
    /// 0 if it does not end, as a trigger's.
    pub(crate) end: Millis,
    pub(crate) duration: u64,
    pub(crate) status: Status,
    pub(crate) result: Value,
    pub(crate) logs: Vec<String>,
    pub(crate) annotations: Vec<KeyValue>,
    pub(crate) cause: Option<InvocationId>,
}

impl Activation {
    /// What is known of a call of which only the engine's record was kept.
    pub(crate) fn of_record(namespace: &Namespace, record: &InvocationRecord) -> Self {
        let name = ActionName::of(&record.function);
        let name = name.map_or_else(|| record.function.to_string(), |name| name.name);
        let status = match record.result {
            RecordResult::Returned | RecordResult::Streaming => Status::Success,
            RecordResult::FunctionFailed => Status::DeveloperError,
            RecordResult::Broken => Status::InternalError,
        };
        let duration = record.billing.duration_us / 1000;
        Self {
            id: record.id,
            namespace: namespace.clone(),
            name,
            version: "0.0.1".to_owned(),
            subject: String::new(),
            start: record.accepted,
            end: record.accepted + duration,
            duration,
            status,
            result: json!({}),
            logs: Vec::new(),
            annotations: vec![KeyValue::new("result-kept", false)],
            cause: None,
        }
    }

    pub(crate) fn response(&self) -> Value {
        let bytes = serde_json::to_vec(&self.result).map_or(0, |bytes| bytes.len());
        json!({ "status": self.status.text(), "statusCode": self.status as u8, "success": self.status == Status::Success,
            "result": self.result, "size": bytes })
    }

    /// Without `response` and `logs`, as lists show it.
    pub(crate) fn summary(&self) -> Value {
        let mut all = json!({ "activationId": id_text(self.id), "namespace": self.namespace, "name": self.name,
            "version": self.version, "start": self.start, "publish": false, "annotations": self.annotations,
            "statusCode": self.status as u8 });
        if self.end > 0 {
            all["end"] = self.end.into();
            all["duration"] = self.duration.into();
        }
        if let Some(cause) = self.cause {
            all["cause"] = id_text(cause).into();
        }
        all
    }

    pub(crate) fn json(&self) -> Value {
        let mut all = self.summary();
        if let Some(all) = all.as_object_mut() {
            all.remove("statusCode");
        }
        all["subject"] = self.subject.clone().into();
        all["response"] = self.response();
        all["logs"] = json!(self.logs);
        all
    }
}

/// What travels with a call to one of our own functions, as its `invoked_as`: a word that dialects write and callers
/// cannot, so that nobody names another's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Whose call it is; the activation is kept there. None: the function's own.
    pub(crate) namespace: Option<Namespace>,
    pub(crate) subject: String,
    pub(crate) transaction: String,
    /// The activation that made this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<InvocationId>,
    /// The cause is a sequence or a composition.
    #[serde(default)]
    pub(crate) in_sequence: bool,
    /// `/ns/pkg`, where the action was called through a binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) binding: Option<String>,
    /// Nobody waits: the record must be on disk before the call is done.
    #[serde(default)]
    pub(crate) durable: bool,
    /// Sequences within sequences.
    #[serde(default)]
    pub(crate) depth: u8,
}

const NOTE: &str = "openwhisk ";

impl Note {
    pub(crate) fn write(&self) -> String {
        format!("{NOTE}{}", serde_json::to_string(self).unwrap_or_default())
    }

    pub(crate) fn read(invoked_as: &str) -> Self {
        let text = invoked_as.strip_prefix(NOTE);
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
