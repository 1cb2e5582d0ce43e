//! How asynchronous calls are retried, and where their outcomes go.

use anyfn_aws_model::lambda::{
    DeleteFunctionEventInvokeConfigRequest, DestinationConfig, FunctionEventInvokeConfig,
    GetFunctionEventInvokeConfigRequest, ListFunctionEventInvokeConfigsRequest,
    ListFunctionEventInvokeConfigsResponse, OnFailure, OnSuccess, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
};
use anyfn_types::{AsyncConfig, Function};
use anyfn_wire::Timestamp;

use super::{configuration::signed, read::wanted, update::unqualified};
use crate::api::{
    arn::{Named, Wanted},
    context::Ctx,
    document::{give, keep},
    fault::{Fault, lambda as say},
    page::Ask,
};

pub(super) async fn put_function_event_invoke_config(
    ctx: &Ctx<'_>,
    input: PutFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let asked = Asked {
        retries: input.maximum_retry_attempts,
        max_age_s: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    asked.put(ctx, &wanted, false).await
}

pub(super) async fn update_function_event_invoke_config(
    ctx: &Ctx<'_>,
    input: UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let asked = Asked {
        retries: input.maximum_retry_attempts,
        max_age_s: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    asked.put(ctx, &wanted, true).await
}

pub(super) async fn get_function_event_invoke_config(
    ctx: &Ctx<'_>,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let function =
        ctx.function(&wanted).await.map_err(|e| e.if_not_found(|| not_configured(ctx, &wanted)))?;
    let config = function.async_configs.get(&key(&wanted)).ok_or_else(|| not_configured(ctx, &wanted))?;
    Ok(print(ctx, &function, &key(&wanted), config))
}

pub(super) async fn delete_function_event_invoke_config(
    ctx: &Ctx<'_>,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<(), Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    ctx.function(&wanted).await.map_err(|e| e.if_not_found(|| not_configured(ctx, &wanted)))?;
    ctx.update(&wanted, |function| {
        let removed = function.async_configs.remove(&key(&wanted));
        removed.map(drop).ok_or_else(|| not_configured(ctx, &wanted))
    })
    .await?;
    Ok(())
}

pub(super) async fn list_function_event_invoke_configs(
    ctx: &Ctx<'_>,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let function = ctx.function(&wanted).await?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let all = function.async_configs.iter().map(|(key, config)| (format!("/{key}"), (key, config)));
    let (found, next_marker) = ask.cut(all);
    let configs = found.into_iter().map(|(key, config)| print(ctx, &function, key, config)).collect();
    Ok(ListFunctionEventInvokeConfigsResponse { function_event_invoke_configs: Some(configs), next_marker })
}

/// What a request sets.
struct Asked {
    retries: Option<i64>,
    max_age_s: Option<i64>,
    destinations: Option<DestinationConfig>,
}

impl Asked {
    /// `over` keeps what the request does not name, and asks for a configuration to be there.
    async fn put(
        self,
        ctx: &Ctx<'_>,
        wanted: &Wanted,
        over: bool,
    ) -> Result<FunctionEventInvokeConfig, Fault> {
        if self.retries.is_none() && self.max_age_s.is_none() && self.destinations.is_none() {
            return Err(say::invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let at = ctx
            .at(wanted)
            .await
            .map_err(|e| e.if_not_found(|| say::not_found("The function doesn't exist.")))?;
        if let Some(destinations) = &self.destinations {
            self.check(&at.function, destinations)?;
        }
        let (key, modified) = (key(wanted), ctx.now());
        let (function, config) = ctx
            .update(wanted, |function| {
                let before = function.async_configs.get(&key).filter(|_| over);
                if over && before.is_none() {
                    return Err(not_configured(ctx, wanted));
                }
                let config = AsyncConfig {
                    retries: number(self.retries).or_else(|| before?.retries),
                    max_age_s: number(self.max_age_s).or_else(|| before?.max_age_s),
                    destinations: match (&self.destinations, before) {
                        (Some(new), _) => keep(new.clone()),
                        (None, Some(before)) => before.destinations.clone(),
                        (None, None) => serde_json::Value::Null,
                    },
                    modified,
                };
                function.async_configs.insert(key.clone(), config.clone());
                Ok(config)
            })
            .await?;
        Ok(print(ctx, &function, &key, &config))
    }

    /// ARNs of queues, topics, buses and other functions.
    fn check(&self, function: &Function, config: &DestinationConfig) -> Result<(), Fault> {
        let success = config.on_success.as_ref().and_then(|on| on.destination.as_deref());
        let failure = config.on_failure.as_ref().and_then(|on| on.destination.as_deref());
        for arn in [success, failure].into_iter().flatten().filter(|arn| !arn.is_empty()) {
            match arn.split(':').nth(2) {
                Some("sqs" | "sns" | "events" | "s3") => {}
                Some("lambda") => {
                    let named = Named::parse(arn)
                        .ok_or_else(|| say::invalid(format!("The destination ARN {arn} is invalid.")))?;
                    if named.name == function.name.as_str() {
                        return Err(say::invalid(
                            "You can't specify the function as a destination for itself.",
                        ));
                    }
                }
                _ => {
                    let print = |name: &str, to: Option<&str>| {
                        to.map_or_else(|| "null".to_owned(), |to| format!("{name}(destination={to})"))
                    };
                    return Err(say::invalid(format!(
                        "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is invalid.",
                        print("OnSuccess", success),
                        print("OnFailure", failure)
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The model has checked the range.
fn number<T: TryFrom<i64>>(value: Option<i64>) -> Option<T> {
    value.and_then(|value| T::try_from(value).ok())
}

/// The key of a configuration: an alias, a number, or nothing for `$LATEST`.
fn key(wanted: &Wanted) -> String {
    wanted.qualifier.clone().filter(|q| q != "$LATEST").unwrap_or_default()
}

fn arn(ctx: &Ctx<'_>, name: &anyfn_types::FunctionName, key: &str) -> String {
    ctx.home.qualified(name, if key.is_empty() { "$LATEST" } else { key })
}

fn not_configured(ctx: &Ctx<'_>, wanted: &Wanted) -> Fault {
    let arn = arn(ctx, &wanted.name, &key(wanted));
    say::not_found(format!("The function {arn} doesn't have an EventInvokeConfig"))
}

fn print(ctx: &Ctx<'_>, function: &Function, key: &str, config: &AsyncConfig) -> FunctionEventInvokeConfig {
    let kept: DestinationConfig = give(&config.destinations).unwrap_or_default();
    let destinations = DestinationConfig {
        on_success: Some(kept.on_success.unwrap_or(OnSuccess { destination: None })),
        on_failure: Some(kept.on_failure.unwrap_or(OnFailure { destination: None })),
    };
    FunctionEventInvokeConfig {
        last_modified: Some(Timestamp::from_millis(signed(config.modified))),
        function_arn: Some(arn(ctx, &function.name, key)),
        maximum_retry_attempts: config.retries.map(Into::into),
        maximum_event_age_in_seconds: config.max_age_s.map(Into::into),
        destination_config: Some(destinations),
    }
}
