//! What OpenWhisk keeps of an action, a package, a trigger and a rule, beyond what the core knows.

use anyfn_types::{Config, Millis, Version};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Where a version keeps its `Meta`.
pub(crate) const EXTRA: &str = "openwhisk";
/// The name of our contract.
pub(crate) const CONTRACT: &str = "openwhisk";

/// Parameters and annotations are lists of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyValue {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: Value,
    /// A parameter that a function is told at its start only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<bool>,
}

impl KeyValue {
    pub(crate) fn new(key: &str, value: impl Into<Value>) -> Self {
        Self { key: key.to_owned(), value: value.into(), init: None }
    }
}

/// The value of an annotation, or null.
pub(crate) fn annotation<'a>(all: &'a [KeyValue], key: &str) -> &'a Value {
    all.iter().rev().find(|one| one.key == key).map_or(&Value::Null, |one| &one.value)
}

/// An annotation that is set to something that is not false.
pub(crate) fn flag(all: &[KeyValue], key: &str) -> bool {
    !matches!(annotation(all, key), Value::Null | Value::Bool(false))
}

/// Lays `over` over `under`; later ones win.
pub(crate) fn overlay(under: &[KeyValue], over: &[KeyValue]) -> Vec<KeyValue> {
    let mut all: Vec<KeyValue> = under.to_vec();
    for one in over {
        match all.iter_mut().find(|known| known.key == one.key) {
            Some(known) => known.clone_from(one),
            None => all.push(one.clone()),
        }
    }
    all
}

pub(crate) fn object(all: &[KeyValue]) -> Map<String, Value> {
    all.iter().map(|one| (one.key.clone(), one.value.clone())).collect()
}

pub(crate) const MIB: u64 = 1 << 20;
/// Bytes of parameters, and of a result.
pub(crate) const PAYLOAD_BYTES: u64 = MIB;
/// Bytes of code, as it is sent.
pub(crate) const CODE_BYTES: u64 = 48 * MIB;
/// Components of a sequence, and steps of a composition.
pub(crate) const SEQUENCE_MAX: usize = 50;

/// Name, least, default, most: what `GET /api/v1` tells and what is checked.
pub(crate) const TIMEOUT_MS: (u64, u64, u64) = (100, 60_000, 300_000);
pub(crate) const MEMORY_MB: (u64, u64, u64) = (128, 256, 10_240);
pub(crate) const LOGS_MB: (u64, u64, u64) = (0, 10, 10);
pub(crate) const CONCURRENCY: (u64, u64, u64) = (1, 1, 500);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ActionLimits {
    pub(crate) timeout: u64,
    pub(crate) memory: u64,
    pub(crate) logs: u64,
    pub(crate) concurrency: u64,
}

impl Default for ActionLimits {
    fn default() -> Self {
        Self { timeout: TIMEOUT_MS.1, memory: MEMORY_MB.1, logs: LOGS_MB.1, concurrency: CONCURRENCY.1 }
    }
}

/// An action, beside its code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Meta {
    /// Counts the updates: `0.0.<version>`.
    pub(crate) version: u64,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) main: Option<String>,
    #[serde(default)]
    pub(crate) binary: bool,
    /// The file that holds the source or the executable; None for a zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Of a sequence: `/ns/pkg/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) components: Vec<String>,
    pub(crate) parameters: Vec<KeyValue>,
    pub(crate) annotations: Vec<KeyValue>,
    pub(crate) limits: ActionLimits,
    pub(crate) publish: bool,
}

pub(crate) const SEQUENCE: &str = "sequence";

impl Meta {
    /// A version's; made from its configuration if it came in by another dialect.
    pub(crate) fn of(version: &Version) -> Self {
        let known = version.config.extra.get(EXTRA).and_then(|value| Self::deserialize(value).ok());
        known.unwrap_or_else(|| Self::of_config(&version.config))
    }

    fn of_config(config: &Config) -> Self {
        let kind = match config.runtime.as_str() {
            runtime if runtime.starts_with("nodejs") => {
                format!("nodejs:{}", runtime["nodejs".len()..].trim_end_matches(".x"))
            }
            runtime if runtime.starts_with("python") => format!("python:{}", &runtime["python".len()..]),
            _ => "blackbox".to_owned(),
        };
        let limits = ActionLimits {
            timeout: config.timeout_ms,
            memory: config.memory_mib.into(),
            ..ActionLimits::default()
        };
        let annotations =
            vec![KeyValue::new("exec", kind.clone()), KeyValue::new("anyfn-contract", "lambda")];
        let main = Some(config.handler.clone());
        Self {
            version: 1,
            kind,
            main,
            binary: true,
            file: None,
            components: Vec::new(),
            parameters: Vec::new(),
            annotations,
            limits,
            publish: false,
        }
    }

    pub(crate) fn is_sequence(&self) -> bool {
        self.kind == SEQUENCE
    }

    pub(crate) fn is_conductor(&self) -> bool {
        flag(&self.annotations, "conductor")
    }

    pub(crate) fn version_text(&self) -> String {
        version_text(self.version)
    }

    pub(crate) fn limits_json(&self) -> Value {
        json!({ "timeout": self.limits.timeout, "memory": self.limits.memory, "logs": self.limits.logs,
            "concurrency": self.limits.concurrency })
    }
}

pub(crate) fn version_text(version: u64) -> String {
    format!("0.0.{version}")
}

pub(crate) const PACKAGES: &str = "openwhisk-package";
pub(crate) const TRIGGERS: &str = "openwhisk-trigger";
pub(crate) const RULES: &str = "openwhisk-rule";

/// What a package, a trigger and a rule have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Common {
    pub(crate) version: u64,
    pub(crate) publish: bool,
    pub(crate) annotations: Vec<KeyValue>,
    pub(crate) parameters: Vec<KeyValue>,
    pub(crate) updated: Millis,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Binding {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Package {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) binding: Option<Binding>,
}

/// A rule as its trigger knows it: firing reads one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// `/ns/pkg/name`.
    pub(crate) action: String,
    pub(crate) active: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trigger {
    #[serde(flatten)]
    pub(crate) common: Common,
    /// By the rule's name.
    pub(crate) rules: std::collections::BTreeMap<String, Link>,
}

/// Whether it is active stands in its trigger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(flatten)]
    pub(crate) common: Common,
    /// A name in the same namespace.
    pub(crate) trigger: String,
    /// `/ns/pkg/name`.
    pub(crate) action: String,
}
