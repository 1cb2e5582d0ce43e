//! The shapes of the API, shared with the command line. All JSON; times are milliseconds since the epoch.

use std::collections::BTreeMap;

use anyfn_engine::InvocationRecord;
use anyfn_types::Tier;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Headers of `invoke`.
pub mod headers {
    /// `returned`, `failed` (the function's own error or end), `accepted`.
    pub const OUTCOME: &str = "anyfn-outcome";
    /// The invocation's id.
    pub const INVOCATION: &str = "anyfn-invocation";
    /// The version that ran.
    pub const VERSION: &str = "anyfn-version";
    /// Base64 of the last 4 KiB of the call's log.
    pub const LOG_TAIL: &str = "anyfn-log-tail";
    /// JSON of `Billing`.
    pub const BILLING: &str = "anyfn-billing";
}

/// Body of a deploy: at most 70 MiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Base64 of a zip.
    pub zip: String,
    #[serde(flatten)]
    pub config: DeployConfig,
}

/// What a deploy sets; what is left out keeps its default.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DeployConfig {
    /// `python3.12`, `nodejs22.x`, `provided.al2023`, …
    pub runtime: String,
    pub handler: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub description: String,
    /// MiB, 128..=10240.
    pub memory_mib: Option<u32>,
    /// Milliseconds, 1..=900000 unless the server allows more.
    pub timeout_ms: Option<u64>,
    /// MiB of /tmp, 512..=10240.
    pub tmp_mib: Option<u32>,
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// For runtime `http`: `port`, `socket`, `health`, `concurrency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<serde_json::Value>,
    /// Give it an address that anyone who reaches the server may call. None: as it was.
    pub url: Option<bool>,
    /// `wasm`, `fork`, `process`: what stands between it and its neighbours at least. None: the fastest that the server
    /// allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Tier>,
    /// Calls after which an instance is retired; 1 gives every call a fresh sandbox, 0 is no bound.
    #[serde(default)]
    pub calls_max: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunctionSummary {
    pub name: String,
    pub namespace: String,
    pub runtime: String,
    pub handler: String,
    /// `pending`, `active`, `failed`.
    pub state: String,
    pub memory_mib: u32,
    pub timeout_ms: u64,
    pub code_bytes: u64,
    pub modified: u64,
    /// Published versions.
    pub versions: usize,
    pub url: Option<String>,
    /// Instances that are idle or busy.
    pub instances: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listing {
    pub functions: Vec<FunctionSummary>,
    pub next: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionInfo {
    /// `$LATEST` or a number.
    pub version: String,
    pub code_sha256: String,
    pub modified: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Described {
    #[serde(flatten)]
    pub summary: FunctionSummary,
    pub description: String,
    pub code_sha256: String,
    /// As it was asked for; None: the fastest that the server allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Tier>,
    #[serde(default)]
    pub calls_max: u32,
    /// Why it failed, or what to know about the runtime that serves it.
    pub notice: Option<String>,
    /// Names only: values may be secrets.
    pub env: Vec<String>,
    pub published: Vec<VersionInfo>,
    pub aliases: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub reserved_concurrency: Option<u32>,
    pub idle: usize,
    pub busy: usize,
    pub starting: usize,
    /// Asynchronous calls: ready, delayed, being run, set aside.
    pub events_ready: u64,
    pub events_delayed: u64,
    pub events_leased: u64,
    pub events_dead: u64,
    /// The newest calls, newest first.
    pub recent: Vec<InvocationRecord>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogEvent {
    pub at: u64,
    pub stream: String,
    pub text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerInfo {
    pub version: String,
    pub namespace: String,
    /// Name, whether it is here, how or why not.
    pub isolation: Vec<(String, bool, String)>,
    pub instances: usize,
}

/// Body of every error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Stable; each has a page under `docs/errors/`.
    pub code: String,
    pub message: String,
}
