//! Aliases: a name for one version, or for two by weight.

use anyfn_aws_model::lambda::{
    AliasConfiguration, AliasRoutingConfiguration, CreateAliasRequest, DeleteAliasRequest, GetAliasRequest,
    ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use anyfn_types::{Alias, Function, Share};
use indexmap::IndexMap;

use super::{check, configuration::number, read::wanted, update::unqualified};
use crate::api::{
    arn::{Home, Wanted},
    context::Ctx,
    fault::{Fault, lambda as say},
    page::Ask,
};

pub(super) async fn create_alias(
    ctx: &Ctx<'_>,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let name = input.name.unwrap_or_default();
    let (target, revision) = (input.function_version.unwrap_or_default(), ctx.revision());
    let (_, alias) = ctx
        .update(&wanted, |function| {
            if function.aliases.contains_key(&name) {
                let arn = ctx.home.qualified(&wanted.name, &name);
                return Err(say::conflict(format!("Alias already exists: {arn}")));
            }
            let version = version(ctx, function, &target)?;
            let alias = Alias {
                name: name.clone(),
                version,
                split: split(ctx, function, version, input.routing_config.as_ref())?,
                description: input.description.clone().unwrap_or_default(),
                revision: revision.clone(),
            };
            function.aliases.insert(name.clone(), alias.clone());
            Ok(alias)
        })
        .await?;
    Ok(print(&ctx.home, &wanted, &alias))
}

pub(super) async fn get_alias(ctx: &Ctx<'_>, input: GetAliasRequest) -> Result<AliasConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let name = input.name.unwrap_or_default();
    let function = ctx.function(&wanted).await?;
    let arn = || ctx.home.qualified(&wanted.name, &name);
    let alias = function.aliases.get(&name);
    let alias = alias.ok_or_else(|| say::not_found(format!("Cannot find alias arn: {}", arn())))?;
    Ok(print(&ctx.home, &wanted, alias))
}

pub(super) async fn update_alias(
    ctx: &Ctx<'_>,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let (name, revision) = (input.name.unwrap_or_default(), ctx.revision());
    let (_, alias) = ctx
        .update(&wanted, |function| {
            let arn = ctx.home.qualified(&wanted.name, &name);
            let not_there = || say::not_found(format!("Alias not found: {arn}"));
            let mut alias = function.aliases.get(&name).ok_or_else(not_there)?.clone();
            if input.revision_id.as_ref().is_some_and(|revision| *revision != alias.revision) {
                return Err(say::stale_revision("GetFunction/GetAlias"));
            }
            if let Some(target) = &input.function_version {
                alias.version = version(ctx, function, target)?;
            }
            if let Some(description) = &input.description {
                alias.description.clone_from(description);
            }
            if let Some(routing) = &input.routing_config {
                alias.split = split(ctx, function, alias.version, Some(routing))?;
            }
            alias.revision.clone_from(&revision);
            function.aliases.insert(name.clone(), alias.clone());
            Ok(alias)
        })
        .await?;
    Ok(print(&ctx.home, &wanted, &alias))
}

/// What is gone already is as good as deleted.
pub(super) async fn delete_alias(ctx: &Ctx<'_>, input: DeleteAliasRequest) -> Result<(), Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let name = input.name.unwrap_or_default();
    let function = ctx.function(&wanted).await?;
    if function.urls.contains_key(&name) {
        ctx.services().registry.delete_url(&function.namespace, &function.name, &name).await?;
    }
    ctx.update(&wanted, |function| {
        function.aliases.remove(&name);
        function.provisioned.remove(&name);
        function.async_configs.remove(&name);
        function.policy.retain(|statement| statement.qualifier.as_deref() != Some(&name));
        Ok(())
    })
    .await?;
    Ok(())
}

pub(super) async fn list_aliases(
    ctx: &Ctx<'_>,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let function = ctx.function(&wanted).await?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let of = |alias: &&Alias| {
        let points = |version: u64| input.function_version.as_deref() == Some(&number(version));
        input.function_version.is_none()
            || points(alias.version)
            || alias.split.is_some_and(|(second, _)| points(second))
    };
    let all = function.aliases.values().filter(of).map(|alias| (alias.name.clone(), alias));
    let (aliases, next_marker) = ask.cut(all);
    let aliases = aliases.into_iter().map(|alias| print(&ctx.home, &wanted, alias)).collect();
    Ok(ListAliasesResponse { aliases: Some(aliases), next_marker })
}

fn print(home: &Home, wanted: &Wanted, alias: &Alias) -> AliasConfiguration {
    let routing = alias.split.map(|(second, share)| AliasRoutingConfiguration {
        additional_version_weights: Some(IndexMap::from([(number(second), share.0)])),
    });
    AliasConfiguration {
        alias_arn: Some(home.qualified(&wanted.name, &alias.name)),
        name: Some(alias.name.clone()),
        function_version: Some(number(alias.version)),
        description: Some(alias.description.clone()),
        routing_config: routing,
        revision_id: Some(alias.revision.clone()),
    }
}

/// A version that is there, by `$LATEST` or its number.
fn version(ctx: &Ctx<'_>, function: &Function, text: &str) -> Result<u64, Fault> {
    if text == "$LATEST" {
        return Ok(0);
    }
    let number = text.parse().ok().filter(|number| function.versions.contains_key(number));
    number.ok_or_else(|| say::function_not_found(&ctx.home.qualified(&function.name, text)))
}

/// The second version and its share; none given takes it away.
fn split(
    ctx: &Ctx<'_>,
    function: &Function,
    first: u64,
    routing: Option<&AliasRoutingConfiguration>,
) -> Result<Option<(u64, Share)>, Fault> {
    let weights = routing.and_then(|routing| routing.additional_version_weights.as_ref());
    let Some(weights) = weights.filter(|weights| !weights.is_empty()) else { return Ok(None) };
    if weights.len() > 1 {
        return Err(say::invalid("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    let Some((name, weight)) = weights.first() else { return Ok(None) };
    if !(0.0..=1.0).contains(weight) {
        return Err(check::one(
            &format!("{{{name}={weight}}}"),
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
        ));
    }
    if first == 0 {
        return Err(say::invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    if *name == number(first) {
        return Err(say::invalid(format!(
            "Invalid function version {name}. Function version {name} is already included in routing configuration."
        )));
    }
    if name == "$LATEST" {
        return Err(say::invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    Ok(Some((version(ctx, function, name)?, Share(*weight))))
}
