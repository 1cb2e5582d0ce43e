//! What a guest's processes find in their environment (Lambda developer guide, "Defined runtime environment variables").

use std::collections::BTreeMap;

use anyfn_core::ports::{BringUp, LogTarget};
use anyfn_types::{Config, LogFormat};

use crate::{
    interpreters::Language,
    plan::{Plan, TELEMETRY_FD},
};

/// Where the Runtime API listens inside every guest.
pub(crate) const API_PORT: u16 = 9001;

/// Names that a user may not set.
const RESERVED: [&str; 22] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// What the runtime sees and extensions do not.
const RUNTIME_ONLY: [&str; 11] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_LAMBDA_TELEMETRY_LOG_FD",
];

fn reserved(name: &str) -> bool {
    name.starts_with('_') || RESERVED.contains(&name)
}

/// `$LATEST` or the number.
pub(crate) fn version_text(number: u64) -> String {
    if number == 0 { "$LATEST".to_owned() } else { number.to_string() }
}

/// Account and region of a namespace `<account>.<region>`.
pub(crate) fn account_region(namespace: &str) -> (&str, &str) {
    namespace.split_once('.').unwrap_or((namespace, "us-east-1"))
}

/// What a user may replace.
fn defaults(plan: &Plan) -> Vec<(&'static str, String)> {
    let bin = plan.bin.as_ref().map(|bin| format!("{bin}:")).unwrap_or_default();
    let mut defaults = vec![
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", format!("{bin}/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin")),
        (
            "LD_LIBRARY_PATH",
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
                .to_owned(),
        ),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000".to_owned()),
    ];
    if let Some((Language::Node, (major, _))) = plan.language {
        let path = format!(
            "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
        );
        defaults.push(("NODE_PATH", path));
    }
    defaults
}

fn fixed(with: &BringUp, plan: &Plan, log: &LogTarget) -> Vec<(&'static str, String)> {
    let config = &with.version.config;
    let (_, region) = account_region(with.function.namespace.as_str());
    let mut fixed = vec![
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", with.function.name.as_str().to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", version_text(with.version.number)),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", config.memory_mib.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", with.initialization.to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log.stream.clone()),
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{API_PORT}")),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("_HANDLER", config.handler.clone()),
    ];
    fixed.extend(logging(config));
    if plan.language.is_some() {
        fixed.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", config.runtime)));
    }
    if plan.telemetry {
        fixed.push(("_LAMBDA_TELEMETRY_LOG_FD", TELEMETRY_FD.to_string()));
    }
    fixed
}

fn logging(config: &Config) -> Vec<(&'static str, String)> {
    match (config.logging.format, &config.logging.app_level) {
        (LogFormat::Text, _) => vec![("AWS_LAMBDA_LOG_FORMAT", "Text".to_owned())],
        (LogFormat::Json, level) => vec![
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_LAMBDA_LOG_LEVEL", level.clone().unwrap_or_else(|| "INFO".to_owned())),
        ],
    }
}

/// The runtime's environment: defaults, what the platform suggests, the user's, and last what nobody may change.
pub(crate) fn of_runtime(with: &BringUp, plan: &Plan, log: &LogTarget) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    all.extend(defaults(plan).into_iter().map(|(name, value)| (name.to_owned(), value)));
    all.extend(with.platform_env.iter().cloned());
    let users = with.version.config.env.iter().filter(|(name, _)| !reserved(name));
    all.extend(users.map(|(name, value)| (name.clone(), value.clone())));
    all.extend(fixed(with, plan, log).into_iter().map(|(name, value)| (name.to_owned(), value)));
    let platforms = with.platform_env.iter().filter(|(name, _)| reserved(name));
    all.extend(platforms.cloned());
    all.into_iter().collect()
}

/// A template's: what its interpreter and C library read when they start, as every function has it.
pub(crate) fn of_template(plan: &Plan) -> Vec<(String, String)> {
    let at_start = ["LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "NODE_PATH"];
    let all = defaults(plan).into_iter().filter(|(name, _)| at_start.contains(name));
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// An extension's environment, from the runtime's.
pub(crate) fn of_extension(runtime: &[(String, String)]) -> Vec<(String, String)> {
    runtime.iter().filter(|(name, _)| !RUNTIME_ONLY.contains(&name.as_str())).cloned().collect()
}
