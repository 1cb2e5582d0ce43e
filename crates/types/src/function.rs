//! A function as the core knows it. One `Function` is one record (an aggregate): whatever must change together is inside,
//! so that one compare-and-set is enough. Published versions are immutable and lie in records of their own.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{Digest, FunctionName, Millis, Namespace, VersionId};

/// How the platform talks to the function's process. Any contract can run in any isolation that can host it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// AWS Lambda's Runtime API 2018-06-01, also the contract of functions that name no platform.
    Lambda,
    /// A contract that a dialect brings, by its name.
    Other(String),
}

impl Contract {
    /// What functions of a runtime speak, where nothing else says it: `http` and `wasm` are contracts of their own names, and
    /// a runtime of one's own whose handler is a `.wasm` file is WebAssembly too.
    pub fn of(runtime: &str, handler: &str) -> Self {
        match runtime {
            "http" | "wasm" => Self::Other(runtime.to_owned()),
            _ if runtime.starts_with("provided") && handler.ends_with(".wasm") => {
                Self::Other("wasm".to_owned())
            }
            _ => Self::Lambda,
        }
    }

    /// Whether a function's own address hands the caller's HTTP request on as it is.
    pub fn takes_http(&self) -> bool {
        matches!(self, Self::Other(name) if name == "http" || name == "wasm")
    }
}

/// The code of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// SHA-256 of the package as uploaded.
    pub digest: Digest,
    /// Bytes of the package as uploaded.
    pub size: u64,
    /// Bytes when unpacked.
    pub unpacked: u64,
}

/// A layer as a version refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub namespace: Namespace,
    pub name: String,
    pub version: u64,
    pub code: Code,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    pub format: LogFormat,
    /// TRACE, DEBUG, INFO, WARN, ERROR, FATAL; only with JSON.
    pub app_level: Option<String>,
    /// DEBUG, INFO, WARN; only with JSON.
    pub system_level: Option<String>,
    /// `/aws/lambda/<name>` unless set.
    pub group: Option<String>,
}

/// Room for temporary files, in MiB. Range 512..=10240.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ephemeral {
    pub mib: u32,
}

/// What stands between a function and its neighbours; later ones are stronger. `SPECIFICATION.md` says what each gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// WebAssembly: a fresh instance for each call, in a host process per namespace.
    Wasm,
    /// A process in a sandbox of its own, forked from a template that all users of the runtime share.
    Fork,
    /// A process in a sandbox of its own, started from nothing.
    Process,
}

/// How a version's instances are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Placement {
    /// None: the fastest that its runtime has and the operator's floor allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Calls after which an instance is retired; 1 gives every call a fresh sandbox, 0 is no bound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls_max: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a version is besides its code. Every field takes part in the question "did anything change?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    pub contract: Contract,
    /// The platform's own name, such as `python3.12`, `nodejs22.x`, `provided.al2023`.
    pub runtime: String,
    /// `module.function` for managed runtimes; handed through for others.
    pub handler: String,
    /// Replaces the managed runtime's command; for executables (empty: the contract's own look-up).
    #[serde(default)]
    pub command: Vec<String>,
    pub description: String,
    pub role: String,
    /// In the order the user gave.
    pub env: IndexMap<String, String>,
    /// MiB. Range 128..=10240.
    pub memory_mib: u32,
    /// Milliseconds. Lambda: 1000..=900000; 0 means no limit where the server's settings allow that.
    pub timeout_ms: u64,
    pub ephemeral: Ephemeral,
    /// Later layers overwrite earlier ones.
    pub layers: Vec<Layer>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    pub logging: Logging,
    #[serde(default)]
    pub placement: Placement,
    /// What a dialect must give back and the core does not understand (tracing mode, VPC ids, …), as JSON by field name.
    #[serde(default)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    Pending,
    Active,
    /// The reason's code and text.
    Failed {
        code: String,
        reason: String,
    },
}

/// An immutable pair of code and configuration; the function's `latest` is one that still may be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub id: VersionId,
    /// 0 is `$LATEST`; published versions count from 1.
    pub number: u64,
    pub code: Code,
    pub config: Config,
    pub modified: Millis,
    /// Changes with every change of the version's record; clients send it back to guard an update.
    pub revision: String,
    pub state: VersionState,
    /// What to tell the user about the runtime that serves this (another minor than asked for, for example).
    #[serde(default)]
    pub notice: Option<String>,
}

/// A name that points at one version, or splits calls between two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    pub name: String,
    /// 0 is `$LATEST`.
    pub version: u64,
    /// A second version and its share of calls, 0.0..=1.0.
    pub split: Option<(u64, Share)>,
    pub description: String,
    pub revision: String,
}

/// A share of calls, 0.0..=1.0, compared by its bits so that records stay comparable.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub f64);

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Share {}

/// One statement of a function's resource policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatement {
    pub sid: String,
    /// None: the function; else the version or alias it was put on.
    pub qualifier: Option<String>,
    /// The statement as the platform prints it.
    pub document: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlAuth {
    None,
    Iam,
}

/// A function's own address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionUrl {
    /// 32 characters of `a-z0-9`; the host name's first label and the path `/_url/<id>/`.
    pub id: String,
    /// None: the function's latest version; else an alias.
    pub alias: Option<String>,
    pub auth: UrlAuth,
    pub stream: bool,
    /// The CORS settings as the platform prints them.
    pub cors: Option<serde_json::Value>,
    pub created: Millis,
    pub modified: Millis,
}

/// How an asynchronous invocation is retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncConfig {
    /// 0..=2.
    pub retries: Option<u8>,
    /// Seconds, 60..=21600.
    pub max_age_s: Option<u32>,
    /// Destinations as the platform prints them.
    pub destinations: serde_json::Value,
    pub modified: Millis,
}

/// One function: the aggregate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub namespace: Namespace,
    pub name: FunctionName,
    pub created: Millis,
    pub latest: Version,
    /// Published numbers and the records they lie in, ascending. Numbers are never used again.
    pub versions: BTreeMap<u64, VersionId>,
    /// The next number to publish.
    pub next_version: u64,
    pub aliases: BTreeMap<String, Alias>,
    pub policy: Vec<PolicyStatement>,
    /// Keyed by alias; the empty key is the function's own.
    pub urls: BTreeMap<String, FunctionUrl>,
    /// Keyed by qualifier text; the empty key is the function's own (`$LATEST`).
    pub async_configs: BTreeMap<String, AsyncConfig>,
    /// Instances at most, if reserved. 0 turns the function off.
    pub reserved: Option<u32>,
    /// Instances kept warm, keyed by qualifier text.
    pub provisioned: BTreeMap<String, u32>,
    pub tags: BTreeMap<String, String>,
    /// As `Config::extra`, for what belongs to the function and not to a version.
    #[serde(default)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// One published version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerVersion {
    pub version: u64,
    pub code: Code,
    pub description: String,
    pub license: Option<String>,
    pub runtimes: Vec<String>,
    pub architectures: Vec<String>,
    pub created: Millis,
    pub policy: Vec<PolicyStatement>,
    pub policy_revision: String,
}
