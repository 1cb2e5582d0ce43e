//! Settings of a function that are kept for its tools: runtime updates, recursion, code signing, event sources.

use anyfn_aws_model::lambda::{
    GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse,
    GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse, GetRuntimeManagementConfigRequest,
    GetRuntimeManagementConfigResponse, ListEventSourceMappingsRequest, ListEventSourceMappingsResponse,
    PutFunctionRecursionConfigRequest, PutFunctionRecursionConfigResponse, PutRuntimeManagementConfigRequest,
    PutRuntimeManagementConfigResponse,
};
use serde_json::{Value, json};

use super::{configuration::number, read::wanted, update::unqualified};
use crate::api::{
    context::Ctx,
    fault::{Fault, lambda as say},
};

const RECURSION: &str = "RecursiveLoop";
/// By qualifier.
const RUNTIME_UPDATES: &str = "RuntimeManagement";

pub(super) async fn put_function_recursion_config(
    ctx: &Ctx<'_>,
    input: PutFunctionRecursionConfigRequest,
) -> Result<PutFunctionRecursionConfigResponse, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let word = input.recursive_loop.unwrap_or_default();
    ctx.update(&wanted, |function| {
        function.extra.insert(RECURSION.to_owned(), word.clone().into());
        Ok(())
    })
    .await?;
    Ok(PutFunctionRecursionConfigResponse { recursive_loop: Some(word) })
}

pub(super) async fn get_function_recursion_config(
    ctx: &Ctx<'_>,
    input: GetFunctionRecursionConfigRequest,
) -> Result<GetFunctionRecursionConfigResponse, Fault> {
    let function = ctx.function(&unqualified(wanted(ctx, input.function_name, None)?)).await?;
    let word = function.extra.get(RECURSION).and_then(Value::as_str).unwrap_or("Terminate");
    Ok(GetFunctionRecursionConfigResponse { recursive_loop: Some(word.to_owned()) })
}

pub(super) async fn put_runtime_management_config(
    ctx: &Ctx<'_>,
    input: PutRuntimeManagementConfigRequest,
) -> Result<PutRuntimeManagementConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let (mode, version) = (input.update_runtime_on.unwrap_or_default(), input.runtime_version_arn);
    if (mode == "Manual") != version.is_some() {
        return Err(say::invalid(
            "You must specify a runtime version ARN when the update mode is Manual, and none otherwise.",
        ));
    }
    let at = ctx.at(&wanted).await?;
    let key = number(at.version.number);
    ctx.update(&wanted, |function| {
        let all = function.extra.entry(RUNTIME_UPDATES.to_owned()).or_insert_with(|| json!({}));
        all[&key] = json!({ "mode": mode, "version": version });
        Ok(())
    })
    .await?;
    Ok(PutRuntimeManagementConfigResponse {
        update_runtime_on: Some(mode),
        function_arn: Some(ctx.home.qualified(&wanted.name, &key)),
        runtime_version_arn: version,
    })
}

pub(super) async fn get_runtime_management_config(
    ctx: &Ctx<'_>,
    input: GetRuntimeManagementConfigRequest,
) -> Result<GetRuntimeManagementConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let at = ctx.at(&wanted).await?;
    let key = number(at.version.number);
    let kept = at.function.extra.get(RUNTIME_UPDATES).and_then(|all| all.get(&key));
    let text = |field: &str| kept.and_then(|kept| kept.get(field)).and_then(Value::as_str).map(str::to_owned);
    Ok(GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(text("mode").unwrap_or_else(|| "Auto".to_owned())),
        function_arn: Some(ctx.home.qualified(&wanted.name, &key)),
        runtime_version_arn: text("version"),
    })
}

/// No function has one: AWS answers with the name alone.
pub(super) async fn get_function_code_signing_config(
    ctx: &Ctx<'_>,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, Fault> {
    let function = ctx.function(&unqualified(wanted(ctx, input.function_name, None)?)).await?;
    Ok(GetFunctionCodeSigningConfigResponse {
        // A member that the model requires; strict clients read no answer without it.
        code_signing_config_arn: Some(String::new()),
        function_name: Some(function.name.to_string()),
    })
}

/// Event sources cannot be created here yet, so there are none.
pub(super) async fn list_event_source_mappings(
    ctx: &Ctx<'_>,
    input: ListEventSourceMappingsRequest,
) -> Result<ListEventSourceMappingsResponse, Fault> {
    if let Some(name) = input.function_name {
        ctx.function(&unqualified(wanted(ctx, Some(name), None)?)).await?;
    }
    Ok(ListEventSourceMappingsResponse { event_source_mappings: Some(Vec::new()), next_marker: None })
}
