//! Lambda: the table of operations and the way of a request through it.

mod aliases;
mod check;
mod concurrency;
mod configuration;
mod create;
mod draft;
mod events;
pub(super) mod invoke;
mod layers;
mod payload;
mod policy;
mod provisioned;
mod read;
mod settings;
mod tags;
mod update;
mod urls;
mod versions;

use anyfn_aws_model::{Call, ServiceError, Value};
use anyfn_web::{Request, Response};
use anyfn_wire::Typed;

use super::{Shared, context::Ctx, fault::Fault};

pub(super) use configuration::signed;

#[cfg(test)]
pub(super) fn draft_defaults() -> anyfn_types::Config {
    draft::defaults(None)
}

/// One line per operation: its name and who answers it.
macro_rules! operations {
    ($($name:literal => $handler:path,)*) => {
        /// Every operation of the table and those that answer with a stream.
        pub(crate) const OPERATIONS: &[&str] = &["Invoke", "InvokeAsync", "InvokeWithResponseStream", $($name),*];

        async fn dispatch(ctx: &Ctx<'_>, call: Call) -> Result<Value, Fault> {
            // Boxed, so that the future is as large as the one handler that runs and not as the largest of all.
            match call.target.operation.name {
                $($name => {
                    let input = call.input()?;
                    Box::pin($handler(ctx, input)).await.map(Typed::into_value)
                })*
                other => Err(ServiceError::not_served(other).into()),
            }
        }
    };
}

operations! {
    "CreateFunction" => create::create_function,
    "GetFunction" => read::get_function,
    "GetFunctionConfiguration" => read::get_function_configuration,
    "UpdateFunctionCode" => update::update_function_code,
    "UpdateFunctionConfiguration" => update::update_function_configuration,
    "DeleteFunction" => read::delete_function,
    "ListFunctions" => read::list_functions,
    "PublishVersion" => versions::publish_version,
    "ListVersionsByFunction" => versions::list_versions_by_function,
    "CreateAlias" => aliases::create_alias,
    "GetAlias" => aliases::get_alias,
    "UpdateAlias" => aliases::update_alias,
    "DeleteAlias" => aliases::delete_alias,
    "ListAliases" => aliases::list_aliases,
    "PublishLayerVersion" => layers::publish_layer_version,
    "GetLayerVersion" => layers::get_layer_version,
    "GetLayerVersionByArn" => layers::get_layer_version_by_arn,
    "DeleteLayerVersion" => layers::delete_layer_version,
    "ListLayerVersions" => layers::list_layer_versions,
    "ListLayers" => layers::list_layers,
    "AddLayerVersionPermission" => layers::add_layer_version_permission,
    "RemoveLayerVersionPermission" => layers::remove_layer_version_permission,
    "GetLayerVersionPolicy" => layers::get_layer_version_policy,
    "CreateFunctionUrlConfig" => urls::create_function_url_config,
    "GetFunctionUrlConfig" => urls::get_function_url_config,
    "UpdateFunctionUrlConfig" => urls::update_function_url_config,
    "DeleteFunctionUrlConfig" => urls::delete_function_url_config,
    "ListFunctionUrlConfigs" => urls::list_function_url_configs,
    "AddPermission" => policy::add_permission,
    "GetPolicy" => policy::get_policy,
    "RemovePermission" => policy::remove_permission,
    "PutFunctionConcurrency" => concurrency::put_function_concurrency,
    "GetFunctionConcurrency" => concurrency::get_function_concurrency,
    "DeleteFunctionConcurrency" => concurrency::delete_function_concurrency,
    "PutProvisionedConcurrencyConfig" => provisioned::put_provisioned_concurrency_config,
    "GetProvisionedConcurrencyConfig" => provisioned::get_provisioned_concurrency_config,
    "DeleteProvisionedConcurrencyConfig" => provisioned::delete_provisioned_concurrency_config,
    "ListProvisionedConcurrencyConfigs" => provisioned::list_provisioned_concurrency_configs,
    "TagResource" => tags::tag_resource,
    "UntagResource" => tags::untag_resource,
    "ListTags" => tags::list_tags,
    "PutFunctionEventInvokeConfig" => events::put_function_event_invoke_config,
    "UpdateFunctionEventInvokeConfig" => events::update_function_event_invoke_config,
    "GetFunctionEventInvokeConfig" => events::get_function_event_invoke_config,
    "DeleteFunctionEventInvokeConfig" => events::delete_function_event_invoke_config,
    "ListFunctionEventInvokeConfigs" => events::list_function_event_invoke_configs,
    "GetAccountSettings" => concurrency::get_account_settings,
    "PutRuntimeManagementConfig" => settings::put_runtime_management_config,
    "GetRuntimeManagementConfig" => settings::get_runtime_management_config,
    "PutFunctionRecursionConfig" => settings::put_function_recursion_config,
    "GetFunctionRecursionConfig" => settings::get_function_recursion_config,
    "GetFunctionCodeSigningConfig" => settings::get_function_code_signing_config,
    "ListEventSourceMappings" => settings::list_event_source_mappings,
}

pub(crate) async fn handle(shared: &Shared, request: &Request) -> Response {
    let call = match shared.lambda.accept(&request.parts, request.body.clone()) {
        Ok(call) => call,
        Err(rejection) => {
            let id = shared.services.base.random.uuid_text();
            return anyfn_web::whole(shared.lambda.reject(&check::own_words(rejection), &id));
        }
    };
    let target = call.target;
    let fail = |fault: Fault, id: &str| anyfn_web::whole(shared.lambda.answer(target, Err(fault.said()), id));
    let ctx = match Ctx::new(shared, request)
        .and_then(|ctx| ctx.allowed("lambda", target.operation.name).map(|()| ctx))
    {
        Ok(ctx) => ctx,
        Err(fault) => return fail(fault, &shared.services.base.random.uuid_text()),
    };
    let id = shared.services.base.random.invocation_id();
    let result = match target.operation.name {
        "Invoke" => Box::pin(invoke::invoke(&ctx, call, id)).await,
        "InvokeAsync" => Box::pin(invoke::invoke_async(&ctx, call, id)).await,
        "InvokeWithResponseStream" => Box::pin(invoke::invoke_streaming(&ctx, call, id)).await,
        _ => {
            let result = dispatch(&ctx, call).await.map_err(Fault::said);
            return anyfn_web::whole(shared.lambda.answer(target, result, &id.uuid()));
        }
    };
    result.unwrap_or_else(|fault| fail(fault, &id.uuid()))
}
