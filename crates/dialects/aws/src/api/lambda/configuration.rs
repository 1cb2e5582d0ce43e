//! A version as `FunctionConfiguration` prints it.

use anyfn_aws_model::lambda::{
    EnvironmentResponse, EphemeralStorage, FunctionConfiguration, ImageConfigResponse, Layer, LoggingConfig,
    SnapStart, SnapStartResponse, TracingConfigResponse, VpcConfigResponse,
};
use anyfn_base::iso_millis;
use anyfn_types::{Config, Function, LogFormat, Millis, Version, VersionState};
use anyfn_wire::Typed;

use crate::api::{arn::Home, document::give};

#[cfg(test)]
mod tests;

/// Set in a function's record with its first update: from then on a version that is not ready is an update.
pub(super) const UPDATED: &str = "Updated";

/// `qualifier` is what the request named, and then ends the ARN.
pub(super) fn configuration(
    home: &Home,
    function: &Function,
    version: &Version,
    qualifier: Option<&str>,
) -> FunctionConfiguration {
    let config = &version.config;
    let status = Status::of(function, version);
    FunctionConfiguration {
        function_name: Some(function.name.to_string()),
        function_arn: Some(home.function_at(&function.name, qualifier)),
        runtime: Some(config.runtime.clone()),
        role: Some(config.role.clone()),
        handler: Some(config.handler.clone()),
        code_size: Some(signed(version.code.size)),
        code_sha256: Some(version.code.digest.base64()),
        description: Some(config.description.clone()),
        timeout: Some(signed(config.timeout_ms.div_ceil(1000))),
        memory_size: Some(config.memory_mib.into()),
        last_modified: Some(date(version.modified)),
        version: Some(number(version.number)),
        vpc_config: vpc(config),
        dead_letter_config: kept(config, "DeadLetterConfig"),
        environment: environment(config),
        kms_key_arn: kept(config, "KMSKeyArn"),
        tracing_config: Some(
            kept(config, "TracingConfig")
                .unwrap_or_else(|| TracingConfigResponse { mode: Some("PassThrough".to_owned()) }),
        ),
        revision_id: Some(version.revision.clone()),
        layers: layers(config),
        state: Some(status.state.to_owned()),
        state_reason: status.reason.clone(),
        state_reason_code: status.code.clone(),
        last_update_status: status.update.map(str::to_owned),
        last_update_status_reason: status.update_reason,
        last_update_status_reason_code: status.update_code,
        file_system_configs: kept(config, "FileSystemConfigs"),
        package_type: Some("Zip".to_owned()),
        image_config_response: kept(config, "ImageConfig")
            .map(|image| ImageConfigResponse { image_config: Some(image), error: None }),
        architectures: Some(vec![config.architecture.clone()]),
        ephemeral_storage: Some(EphemeralStorage { size: Some(config.ephemeral.mib.into()) }),
        snap_start: Some(snap_start(config)),
        logging_config: Some(logging(function, config)),
        ..FunctionConfiguration::default()
    }
}

/// As listings print it: without what changes by itself.
pub(super) fn listed(
    home: &Home,
    function: &Function,
    version: &Version,
    qualified: bool,
) -> FunctionConfiguration {
    let at = number(version.number);
    FunctionConfiguration {
        state: None,
        state_reason: None,
        state_reason_code: None,
        last_update_status: None,
        last_update_status_reason: None,
        last_update_status_reason_code: None,
        ..configuration(home, function, version, qualified.then_some(at.as_str()))
    }
}

/// `$LATEST` or a number.
pub(in crate::api) fn number(version: u64) -> String {
    if version == 0 { "$LATEST".to_owned() } else { version.to_string() }
}

/// `2026-11-21T18:30:00.123+0000`.
pub(in crate::api) fn date(at: Millis) -> String {
    iso_millis(at).replace('Z', "+0000")
}

pub(in crate::api) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Where a version stands, in AWS's two words for it.
#[derive(Default)]
struct Status {
    state: &'static str,
    reason: Option<String>,
    code: Option<String>,
    update: Option<&'static str>,
    update_reason: Option<String>,
    update_code: Option<String>,
}

impl Status {
    fn of(function: &Function, version: &Version) -> Self {
        let updated = version.number == 0 && function.extra.contains_key(UPDATED);
        let creating = || (Some("The function is being created.".to_owned()), Some("Creating".to_owned()));
        match &version.state {
            VersionState::Active => Self { state: "Active", update: Some("Successful"), ..Self::default() },
            // A version is published when it is ready; one whose record says otherwise was cut short and runs all the same.
            VersionState::Pending if version.number > 0 => {
                Self { state: "Active", update: Some("Successful"), ..Self::default() }
            }
            VersionState::Pending if updated => {
                let (update_reason, update_code) = creating();
                Self {
                    state: "Active",
                    update: Some("InProgress"),
                    update_reason,
                    update_code,
                    ..Self::default()
                }
            }
            VersionState::Pending => {
                let (reason, code) = creating();
                Self { state: "Pending", reason, code, ..Self::default() }
            }
            VersionState::Failed { code, reason } => {
                let (why, code) = (Some(reason.clone()), Some(reason_code(code).to_owned()));
                let (reason, update_reason) = if updated { (None, why) } else { (why, None) };
                let (code, update_code) = if updated { (None, code) } else { (code, None) };
                let state = if updated { "Active" } else { "Failed" };
                Self { state, reason, code, update: Some("Failed"), update_reason, update_code }
            }
        }
    }
}

/// AWS's own words for why a version cannot run.
fn reason_code(code: &str) -> &'static str {
    match code {
        _ if code.starts_with("runtime") => "InvalidRuntime",
        _ if code.starts_with("package") => "InvalidZipFileException",
        _ => "InternalError",
    }
}

fn kept<T: Typed>(config: &Config, name: &str) -> Option<T> {
    give(config.extra.get(name)?)
}

fn vpc(config: &Config) -> Option<VpcConfigResponse> {
    let vpc: VpcConfigResponse = kept(config, "VpcConfig")?;
    let inside = vpc.ipv6_allowed_for_dual_stack.unwrap_or(false);
    Some(VpcConfigResponse {
        vpc_id: Some("vpc-00000000".to_owned()),
        security_group_ids: vpc.security_group_ids.or_else(|| Some(Vec::new())),
        ipv6_allowed_for_dual_stack: Some(inside),
        ..vpc
    })
}

fn environment(config: &Config) -> Option<EnvironmentResponse> {
    if config.env.is_empty() && !config.extra.contains_key("Environment") {
        return None;
    }
    Some(EnvironmentResponse { variables: Some(config.env.clone()), error: None })
}

fn layers(config: &Config) -> Option<Vec<Layer>> {
    let print = |layer: &anyfn_types::Layer| Layer {
        arn: Some(Home::of(&layer.namespace).layer_version(&layer.name, layer.version)),
        code_size: Some(signed(layer.code.size)),
        ..Layer::default()
    };
    (!config.layers.is_empty()).then(|| config.layers.iter().map(print).collect())
}

fn snap_start(config: &Config) -> SnapStartResponse {
    let apply_on = kept::<SnapStart>(config, "SnapStart").and_then(|s| s.apply_on);
    SnapStartResponse {
        apply_on: Some(apply_on.unwrap_or_else(|| "None".to_owned())),
        optimization_status: Some("Off".to_owned()),
    }
}

fn logging(function: &Function, config: &Config) -> LoggingConfig {
    let logging = &config.logging;
    let format = match logging.format {
        LogFormat::Text => "Text",
        LogFormat::Json => "JSON",
    };
    LoggingConfig {
        log_format: Some(format.to_owned()),
        application_log_level: logging.app_level.clone(),
        system_log_level: logging.system_level.clone(),
        log_group: Some(logging.group.clone().unwrap_or_else(|| format!("/aws/lambda/{}", function.name))),
    }
}
