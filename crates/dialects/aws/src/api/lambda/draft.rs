//! The settings that `CreateFunction` and `UpdateFunctionConfiguration` share: read from either, checked, laid over a
//! configuration.

use anyfn_aws_model::lambda::{
    CreateFunctionRequest, Environment, LoggingConfig, UpdateFunctionConfigurationRequest,
};
use anyfn_core::LayerName;
use anyfn_types::{Config, Contract, Ephemeral, Layer, LogFormat, Logging};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::check;
use crate::api::{
    ARCHITECTURE,
    arn::{Home, parse_layer_version},
    context::Ctx,
    document::keep,
    fault::{Fault, lambda as say},
};

/// What a request sets; what is None stays as it is.
#[derive(Default)]
pub(super) struct Draft {
    role: Option<String>,
    runtime: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    /// Milliseconds.
    timeout_ms: Option<u64>,
    memory_mib: Option<u32>,
    ephemeral_mib: Option<u32>,
    env: Option<IndexMap<String, String>>,
    layers: Option<Vec<Layer>>,
    logging: Option<LoggingConfig>,
    /// Members that are kept for giving back; `Null` takes one away.
    extra: Vec<(&'static str, Json)>,
}

/// The members that both requests have, with the same names and types.
macro_rules! draft {
    ($ctx:expr, $input:expr) => {{
        let (ctx, input) = ($ctx, $input);
        let limits = &ctx.services().limits;
        let mut draft = Draft {
            role: input.role,
            runtime: input.runtime,
            handler: input.handler,
            description: input.description,
            timeout_ms: input.timeout.map(|s| check::timeout(s, limits)).transpose()?,
            memory_mib: input.memory_size.map(check::memory).transpose()?,
            ephemeral_mib: input.ephemeral_storage.and_then(|e| e.size).map(check::ephemeral).transpose()?,
            env: input.environment.map(|e: Environment| e.variables.unwrap_or_default()),
            layers: None,
            logging: input.logging_config,
            extra: Vec::new(),
        };
        if let Some(arns) = &input.layers {
            draft.layers = Some(layers(ctx, arns).await?);
        }
        if let Some(vpc) = input.vpc_config {
            let inside = vpc.subnet_ids.as_ref().is_some_and(|ids| !ids.is_empty());
            draft.extra.push(("VpcConfig", if inside { keep(vpc) } else { Json::Null }));
        }
        if let Some(queue) = input.dead_letter_config {
            let named = queue.target_arn.as_ref().is_some_and(|arn| !arn.is_empty());
            draft.extra.push(("DeadLetterConfig", if named { keep(queue) } else { Json::Null }));
        }
        if let Some(key) = input.kms_key_arn {
            draft.extra.push(("KMSKeyArn", if key.is_empty() { Json::Null } else { key.into() }));
        }
        if let Some(systems) = input.file_system_configs {
            draft
                .extra
                .push(("FileSystemConfigs", if systems.is_empty() { Json::Null } else { keep(systems) }));
        }
        draft.extra.extend(input.tracing_config.map(|c| ("TracingConfig", keep(c))));
        draft.extra.extend(input.snap_start.map(|c| ("SnapStart", keep(c))));
        draft.extra.extend(input.image_config.map(|c| ("ImageConfig", keep(c))));
        draft.check(ctx)?;
        draft
    }};
}

impl Draft {
    pub(super) async fn of_create(ctx: &Ctx<'_>, input: CreateFunctionRequest) -> Result<Self, Fault> {
        Ok(draft!(ctx, input))
    }

    pub(super) async fn of_update(
        ctx: &Ctx<'_>,
        input: UpdateFunctionConfigurationRequest,
    ) -> Result<Self, Fault> {
        Ok(draft!(ctx, input))
    }

    fn check(&self, ctx: &Ctx<'_>) -> Result<(), Fault> {
        if let Some(env) = &self.env {
            check::environment(env, &ctx.services().limits)?;
        }
        if let Some(role) = &self.role {
            check::role(role)?;
        }
        let Some(logging) = &self.logging else { return Ok(()) };
        let leveled = logging.application_log_level.is_some() || logging.system_log_level.is_some();
        if leveled && logging.log_format.as_deref() == Some("Text") {
            return Err(say::invalid(
                "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again.",
            ));
        }
        Ok(())
    }

    /// Lays itself over a configuration.
    pub(super) fn apply(&self, config: &mut Config) {
        fn set<T: Clone>(to: &mut T, from: Option<&T>) {
            if let Some(value) = from {
                to.clone_from(value);
            }
        }
        set(&mut config.role, self.role.as_ref());
        set(&mut config.runtime, self.runtime.as_ref());
        set(&mut config.handler, self.handler.as_ref());
        config.contract = Contract::of(&config.runtime, &config.handler);
        set(&mut config.description, self.description.as_ref());
        set(&mut config.timeout_ms, self.timeout_ms.as_ref());
        set(&mut config.memory_mib, self.memory_mib.as_ref());
        set(&mut config.ephemeral.mib, self.ephemeral_mib.as_ref());
        set(&mut config.env, self.env.as_ref());
        set(&mut config.layers, self.layers.as_ref());
        if self.env.is_some() {
            // An environment that was given is printed even if it is empty.
            config.extra.insert("Environment".to_owned(), true.into());
        }
        if let Some(logging) = &self.logging {
            config.logging = logged(logging, &config.logging);
        }
        for (name, value) in &self.extra {
            if value.is_null() {
                config.extra.remove(*name);
            } else {
                config.extra.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

/// What a function has that says nothing.
pub(super) fn defaults(architecture: Option<String>) -> Config {
    Config {
        contract: Contract::Lambda,
        runtime: String::new(),
        handler: String::new(),
        command: Vec::new(),
        description: String::new(),
        role: String::new(),
        env: IndexMap::new(),
        memory_mib: 128,
        timeout_ms: 3_000,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: architecture.unwrap_or_else(|| ARCHITECTURE.to_owned()),
        logging: Logging::default(),
        placement: anyfn_types::Placement::default(),
        extra: std::collections::BTreeMap::new(),
    }
}

fn logged(asked: &LoggingConfig, before: &Logging) -> Logging {
    let format = match asked.log_format.as_deref() {
        Some("JSON") => LogFormat::Json,
        Some(_) => LogFormat::Text,
        None => before.format,
    };
    let json = format == LogFormat::Json;
    let level = |asked: &Option<String>, before: &Option<String>| {
        let level = asked.clone().or_else(|| before.clone()).unwrap_or_else(|| "INFO".to_owned());
        json.then_some(level)
    };
    Logging {
        format,
        app_level: level(&asked.application_log_level, &before.app_level),
        system_level: level(&asked.system_log_level, &before.system_level),
        group: asked.log_group.clone().or_else(|| before.group.clone()),
    }
}

/// Layers by their ARNs, in the order given: at most five, of this account and region, each once, each there.
async fn layers(ctx: &Ctx<'_>, arns: &[String]) -> Result<Vec<Layer>, Fault> {
    let most = ctx.services().limits.layers;
    if arns.len() > most {
        return Err(say::invalid(format!("Cannot reference more than {most} layers.")));
    }
    let mut found: Vec<Layer> = Vec::with_capacity(arns.len());
    for arn in arns {
        let (home, name, version) = parse_layer_version(arn)
            .ok_or_else(|| say::invalid(format!("Layer version {arn} does not exist.")))?;
        reachable(ctx, &home, arn)?;
        if let Some(other) = found.iter().find(|layer| layer.name == name) {
            let other = home.layer_version(&name, other.version);
            return Err(say::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {other} and {arn} are versions of the same layer."
            )));
        }
        let not_there = || say::invalid(format!("Layer version {arn} does not exist."));
        let key = LayerName::new(&name).map_err(|_| not_there())?;
        let layer = ctx.services().registry.layer_version(&home.namespace, &key, version).await;
        let layer = layer.map_err(|e| Fault::from(e).instead("layer_not_found", not_there))?;
        found.push(Layer { namespace: home.namespace, name, version, code: layer.code });
    }
    Ok(found)
}

fn reachable(ctx: &Ctx<'_>, home: &Home, arn: &str) -> Result<(), Fault> {
    if home.account != ctx.home.account {
        let who = format!("arn:{}:iam::{}:root", ctx.home.partition(), ctx.home.account);
        return Err(say::access_denied(format!(
            "User: {who} is not authorized to perform: lambda:GetLayerVersion on resource: {arn} because no resource-based policy allows the lambda:GetLayerVersion action"
        )));
    }
    if home.region != ctx.home.region {
        return Err(say::invalid(format!(
            "Layers are not in the same region as the function. Layers are expected to be in region {}.",
            ctx.home.region
        )));
    }
    Ok(())
}
