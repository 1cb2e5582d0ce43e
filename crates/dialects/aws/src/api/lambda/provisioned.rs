//! Instances that are kept warm for a version or an alias.

use anyfn_aws_model::lambda::{
    DeleteProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigRequest,
    GetProvisionedConcurrencyConfigResponse, ListProvisionedConcurrencyConfigsRequest,
    ListProvisionedConcurrencyConfigsResponse, ProvisionedConcurrencyConfigListItem,
    PutProvisionedConcurrencyConfigRequest, PutProvisionedConcurrencyConfigResponse, error,
};
use anyfn_types::{Function, Qualifier};

use super::{configuration::date, read::wanted, update::unqualified};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
    page::Ask,
};

/// When each was set, by qualifier, in the function's record.
const SET_AT: &str = "ProvisionedAt";

pub(super) async fn put_provisioned_concurrency_config(
    ctx: &Ctx<'_>,
    input: PutProvisionedConcurrencyConfigRequest,
) -> Result<PutProvisionedConcurrencyConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    if wanted.qualifier.as_deref() == Some("$LATEST") {
        return Err(say::invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    let at = ctx.at(&wanted).await?;
    ctx.services().registry.mark_provisioned(&at.function.namespace, &at.function.name).await?;
    let asked =
        u32::try_from(input.provisioned_concurrent_executions.unwrap_or_default()).unwrap_or(u32::MAX);
    let (key, now, limits) = (key(&wanted), ctx.now(), &ctx.services().limits);
    let spare = limits.account_concurrency.saturating_sub(limits.unreserved_min);
    ctx.update(&wanted, |function| {
        let others: u32 = function.provisioned.iter().filter(|(k, _)| **k != key).map(|(_, n)| *n).sum();
        if function.reserved.is_some_and(|max| others.saturating_add(asked) > max) {
            return Err(say::invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
            ));
        }
        if function.reserved.is_none() && others.saturating_add(asked) > spare {
            return Err(say::invalid(format!(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{}].",
                limits.unreserved_min
            )));
        }
        alone(function, &key)?;
        function.provisioned.insert(key.clone(), asked);
        let times = function.extra.entry(SET_AT.to_owned()).or_insert_with(|| serde_json::json!({}));
        times[&key] = now.into();
        Ok(())
    })
    .await?;
    Ok(PutProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: Some(asked.into()),
        available_provisioned_concurrent_executions: Some(0),
        allocated_provisioned_concurrent_executions: Some(0),
        status: Some("IN_PROGRESS".to_owned()),
        status_reason: None,
        last_modified: Some(date(now)),
    })
}

/// A version is kept warm by its number or by one alias, not by both.
fn alone(function: &Function, key: &str) -> Result<(), Fault> {
    let provisioned = |key: &str| function.provisioned.contains_key(key);
    match function.aliases.get(key) {
        Some(alias) if provisioned(&alias.version.to_string()) => Err(say::conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
        )),
        Some(_) => Ok(()),
        None => {
            let points =
                |alias: &anyfn_types::Alias| alias.version.to_string() == key && provisioned(&alias.name);
            if function.aliases.values().any(points) {
                return Err(say::conflict("Version is pointed by a Provisioned Concurrency alias"));
            }
            Ok(())
        }
    }
}

pub(super) async fn get_provisioned_concurrency_config(
    ctx: &Ctx<'_>,
    input: GetProvisionedConcurrencyConfigRequest,
) -> Result<GetProvisionedConcurrencyConfigResponse, Fault> {
    let wanted = published(wanted(ctx, input.function_name, input.qualifier.as_deref())?)?;
    let at = ctx.at(&wanted).await?;
    let asked = at.function.provisioned.get(&key(&wanted)).ok_or_else(not_configured)?;
    let item = item(ctx, &at.function, &key(&wanted), *asked)?;
    Ok(GetProvisionedConcurrencyConfigResponse {
        requested_provisioned_concurrent_executions: item.requested_provisioned_concurrent_executions,
        available_provisioned_concurrent_executions: item.available_provisioned_concurrent_executions,
        allocated_provisioned_concurrent_executions: item.allocated_provisioned_concurrent_executions,
        status: item.status,
        status_reason: item.status_reason,
        last_modified: item.last_modified,
    })
}

pub(super) async fn delete_provisioned_concurrency_config(
    ctx: &Ctx<'_>,
    input: DeleteProvisionedConcurrencyConfigRequest,
) -> Result<(), Fault> {
    let wanted = published(wanted(ctx, input.function_name, input.qualifier.as_deref())?)?;
    let key = key(&wanted);
    ctx.update(&wanted, |function| {
        function.provisioned.remove(&key);
        Ok(())
    })
    .await?;
    Ok(())
}

pub(super) async fn list_provisioned_concurrency_configs(
    ctx: &Ctx<'_>,
    input: ListProvisionedConcurrencyConfigsRequest,
) -> Result<ListProvisionedConcurrencyConfigsResponse, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let function = ctx.function(&wanted).await?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let (found, next_marker) =
        ask.cut(function.provisioned.iter().map(|(key, asked)| (key.clone(), (key, *asked))));
    let configs = found.into_iter().map(|(key, asked)| item(ctx, &function, key, asked));
    let configs = configs.collect::<Result<Vec<_>, _>>()?;
    Ok(ListProvisionedConcurrencyConfigsResponse {
        provisioned_concurrency_configs: Some(configs),
        next_marker,
    })
}

fn key(wanted: &Wanted) -> String {
    wanted.qualifier.clone().unwrap_or_default()
}

fn not_configured() -> Fault {
    error::PROVISIONED_CONCURRENCY_CONFIG_NOT_FOUND
        .say("No Provisioned Concurrency Config found for this function")
        .into()
}

fn published(wanted: Wanted) -> Result<Wanted, Fault> {
    if wanted.qualifier.as_deref().is_none_or(|q| q == "$LATEST") {
        return Err(say::invalid("The function resource provided must be an alias or a published version."));
    }
    Ok(wanted)
}

fn item(
    ctx: &Ctx<'_>,
    function: &Function,
    key: &str,
    asked: u32,
) -> Result<ProvisionedConcurrencyConfigListItem, Fault> {
    let number = match Qualifier::parse(key)? {
        Qualifier::Latest => 0,
        Qualifier::Version(number) => number,
        Qualifier::Alias(name) => function.aliases.get(&name).map_or(0, |alias| alias.version),
    };
    let up = function.versions.get(&number).map_or(0, |id| {
        let (idle, busy, _) = ctx.services().engine.instances_of(*id);
        idle + busy
    });
    let up = i64::try_from(up).unwrap_or(i64::MAX).min(asked.into());
    let status = if up == i64::from(asked) { "READY" } else { "IN_PROGRESS" };
    let set_at =
        function.extra.get(SET_AT).and_then(|times| times.get(key)).and_then(serde_json::Value::as_u64);
    Ok(ProvisionedConcurrencyConfigListItem {
        function_arn: Some(ctx.home.qualified(&function.name, key)),
        requested_provisioned_concurrent_executions: Some(asked.into()),
        available_provisioned_concurrent_executions: Some(up),
        allocated_provisioned_concurrent_executions: Some(up),
        status: Some(status.to_owned()),
        status_reason: None,
        last_modified: Some(date(set_at.unwrap_or(function.created))),
    })
}
