//! Who may use a layer's version.

use anyfn_aws_model::lambda::{
    AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse, GetLayerVersionPolicyRequest,
    GetLayerVersionPolicyResponse, RemoveLayerVersionPermissionRequest,
};
use anyfn_types::LayerVersion;

use super::{Named, named, version_number};
use crate::api::{
    context::Ctx,
    fault::{Fault, lambda as say},
    permissions::{Conditions, Statement, principal, print_policy},
};

pub(in crate::api::lambda) async fn add_layer_version_permission(
    ctx: &Ctx<'_>,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse, Fault> {
    let layer = named(ctx, input.layer_name)?;
    let number = version_number(input.version_number)?;
    let who = principal(ctx.home.partition(), &input.principal.unwrap_or_default()).ok_or_else(|| {
        say::invalid("The provided principal was invalid. Please check the principal and try again.")
    })?;
    let on = Conditions { principal_org: input.organization_id, ..Conditions::default() };
    let (sid, action) = (input.statement_id.unwrap_or_default(), input.action.unwrap_or_default());
    let statement = Statement::allow(&sid, who, &action, arn(&layer, number), &on);
    let (record, revision) = (statement.record(None), ctx.revision());
    change(ctx, &layer, number, |version| {
        fresh(version, input.revision_id.as_deref())?;
        if version.policy.iter().any(|other| other.sid == sid) {
            return Err(say::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
            )));
        }
        version.policy.push(record.clone());
        version.policy_revision.clone_from(&revision);
        Ok(())
    })
    .await?;
    Ok(AddLayerVersionPermissionResponse { statement: Some(statement.print()), revision_id: Some(revision) })
}

pub(in crate::api::lambda) async fn remove_layer_version_permission(
    ctx: &Ctx<'_>,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<(), Fault> {
    let layer = named(ctx, input.layer_name)?;
    let number = version_number(input.version_number)?;
    let (sid, revision) = (input.statement_id.unwrap_or_default(), ctx.revision());
    change(ctx, &layer, number, |version| {
        fresh(version, input.revision_id.as_deref())?;
        let before = version.policy.len();
        version.policy.retain(|statement| statement.sid != sid);
        if version.policy.len() == before {
            return Err(say::not_found(format!("Statement {sid} is not found in resource policy.")));
        }
        version.policy_revision.clone_from(&revision);
        Ok(())
    })
    .await
}

pub(in crate::api::lambda) async fn get_layer_version_policy(
    ctx: &Ctx<'_>,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse, Fault> {
    let layer = named(ctx, input.layer_name)?;
    let number = version_number(input.version_number)?;
    let registry = &ctx.services().registry;
    let found = registry.layer_version(&layer.home.namespace, &layer.name, number).await;
    let version =
        found.map_err(|e| Fault::from(e).instead("layer_not_found", || not_there(&layer, number)))?;
    let policy = print_policy(version.policy.iter());
    let policy = policy.ok_or_else(|| say::not_found("No policy is associated with the given resource."))?;
    Ok(GetLayerVersionPolicyResponse { policy: Some(policy), revision_id: Some(version.policy_revision) })
}

fn arn(layer: &Named, number: u64) -> String {
    layer.home.layer_version(layer.name.as_str(), number)
}

fn not_there(layer: &Named, number: u64) -> Fault {
    say::not_found(format!("Layer version {} does not exist.", arn(layer, number)))
}

fn fresh(version: &LayerVersion, revision: Option<&str>) -> Result<(), Fault> {
    match revision {
        Some(revision) if revision != version.policy_revision => Err(say::stale_revision("GetLayerPolicy")),
        _ => Ok(()),
    }
}

async fn change(
    ctx: &Ctx<'_>,
    layer: &Named,
    number: u64,
    mut change: impl FnMut(&mut LayerVersion) -> Result<(), Fault> + Send,
) -> Result<(), Fault> {
    let mut refused = None;
    let registry = &ctx.services().registry;
    let result = registry
        .update_layer_version(&layer.home.namespace, &layer.name, number, |version| {
            change(version).map_err(|fault| {
                refused = Some(fault);
                anyfn_core::revision_mismatch()
            })
        })
        .await;
    match (result, refused) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => Err(Fault::from(error).instead("layer_not_found", || not_there(layer, number))),
    }
}
