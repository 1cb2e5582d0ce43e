//! Who else may call a function: its resource policy.

use anyfn_aws_model::lambda::{
    AddPermissionRequest, AddPermissionResponse, GetPolicyRequest, GetPolicyResponse,
    RemovePermissionRequest, error,
};
use anyfn_types::{Function, PolicyStatement, Qualifier};

use super::{read::wanted, update::fresh};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
    permissions::{Conditions, POLICY_MAX, Statement, principal, print_policy},
};

pub(super) async fn add_permission(
    ctx: &Ctx<'_>,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    if wanted.qualifier.as_deref() == Some("$LATEST") {
        return Err(say::invalid("We currently do not support adding policies for $LATEST."));
    }
    let who = principal(ctx.home.partition(), &input.principal.unwrap_or_default()).ok_or_else(|| {
        say::invalid("The provided principal was invalid. Please check the principal and try again.")
    })?;
    let on = Conditions {
        source_arn: input.source_arn,
        source_account: input.source_account,
        event_source_token: input.event_source_token,
        principal_org: input.principal_org_id,
        url_auth: input.function_url_auth_type,
        via_url: input.invoked_via_function_url,
    };
    let (sid, action) = (input.statement_id.unwrap_or_default(), input.action.unwrap_or_default());
    let statement = Statement::allow(&sid, who, &action, wanted.arn(&ctx.home), &on);
    let (record, revision) = (statement.record(wanted.qualifier.clone()), ctx.revision());
    ctx.update(&wanted, |function| {
        exists(ctx, function, &wanted)?;
        fits_revision(function, &wanted, input.revision_id.as_deref(), "GetPolicy")?;
        if of(function, &wanted).any(|other| other.sid == sid) {
            return Err(say::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
            )));
        }
        function.policy.push(record.clone());
        let size = print_policy(of(function, &wanted)).map_or(0, |policy| policy.len());
        if size > POLICY_MAX {
            let text = format!("The final policy size ({size}) is bigger than the limit ({POLICY_MAX}).");
            return Err(error::POLICY_LENGTH_EXCEEDED.say(text).into());
        }
        touch(function, &wanted, &revision);
        Ok(())
    })
    .await?;
    Ok(AddPermissionResponse { statement: Some(statement.print()) })
}

pub(super) async fn remove_permission(ctx: &Ctx<'_>, input: RemovePermissionRequest) -> Result<(), Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let (sid, revision) = (input.statement_id.unwrap_or_default(), ctx.revision());
    let name = ctx.home.function(&wanted.name);
    let no_policy = || say::not_found(format!("No policy found for: {name}"));
    ctx.services()
        .registry
        .get(&ctx.home.namespace, &wanted.name)
        .await
        .map_err(|e| Fault::from(e).instead("function_not_found", no_policy))?;
    ctx.update(&wanted, |function| {
        exists(ctx, function, &wanted)?;
        if of(function, &wanted).next().is_none() {
            return Err(say::not_found("No policy is associated with the given resource."));
        }
        if !of(function, &wanted).any(|statement| statement.sid == sid) {
            return Err(say::not_found(format!("Statement {sid} is not found in resource policy.")));
        }
        fits_revision(function, &wanted, input.revision_id.as_deref(), "GetFunction/GetAlias")?;
        function.policy.retain(|statement| statement.sid != sid || statement.qualifier != wanted.qualifier);
        touch(function, &wanted, &revision);
        Ok(())
    })
    .await?;
    Ok(())
}

pub(super) async fn get_policy(ctx: &Ctx<'_>, input: GetPolicyRequest) -> Result<GetPolicyResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let function = ctx.function(&wanted).await?;
    let policy = print_policy(of(&function, &wanted)).ok_or_else(say::no_such_resource)?;
    let alias = wanted.qualifier.as_ref().and_then(|name| function.aliases.get(name));
    let revision = alias.map_or(&function.latest.revision, |alias| &alias.revision);
    Ok(GetPolicyResponse { policy: Some(policy), revision_id: Some(revision.clone()) })
}

/// The statements of one qualifier.
fn of<'a>(function: &'a Function, wanted: &'a Wanted) -> impl Iterator<Item = &'a PolicyStatement> {
    function.policy.iter().filter(|statement| statement.qualifier == wanted.qualifier)
}

fn exists(ctx: &Ctx<'_>, function: &Function, wanted: &Wanted) -> Result<(), Fault> {
    let there = match wanted.parsed_qualifier()? {
        None | Some(Qualifier::Latest) => true,
        Some(Qualifier::Version(number)) => function.versions.contains_key(&number),
        Some(Qualifier::Alias(name)) if function.aliases.contains_key(&name) => true,
        Some(Qualifier::Alias(_)) => {
            return Err(say::not_found(format!("Cannot find alias arn: {}", wanted.arn(&ctx.home))));
        }
    };
    if there { Ok(()) } else { Err(say::function_not_found(&wanted.arn(&ctx.home))) }
}

fn fits_revision(
    function: &Function,
    wanted: &Wanted,
    revision: Option<&str>,
    read_with: &str,
) -> Result<(), Fault> {
    let alias = wanted.qualifier.as_ref().and_then(|name| function.aliases.get(name));
    match (alias, revision) {
        (Some(alias), Some(revision)) if alias.revision != revision => Err(say::stale_revision(read_with)),
        (None, revision) => fresh(function, revision).map_err(|_| say::stale_revision(read_with)),
        (Some(_), _) => Ok(()),
    }
}

/// A policy has no revision of its own: a change of it is one of what it stands on.
fn touch(function: &mut Function, wanted: &Wanted, revision: &str) {
    let alias = wanted.qualifier.as_ref().and_then(|name| function.aliases.get_mut(name));
    match alias {
        Some(alias) => revision.clone_into(&mut alias.revision),
        None => revision.clone_into(&mut function.latest.revision),
    }
}
