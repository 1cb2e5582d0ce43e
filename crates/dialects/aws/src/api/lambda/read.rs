//! Read, list and delete functions.

use anyfn_aws_model::lambda::{
    Concurrency, FunctionCodeLocation, FunctionConfiguration, GetFunctionConfigurationRequest,
    GetFunctionRequest, GetFunctionResponse,
};

use super::configuration::configuration;
use crate::api::{arn::Wanted, context::Ctx, fault::Fault};

pub(super) async fn get_function(ctx: &Ctx<'_>, input: GetFunctionRequest) -> Result<GetFunctionResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let at = ctx.at(&wanted).await?;
    let (function, digest) = (&at.function, at.version.code.digest);
    let location = ctx.shared.code_key.address(&ctx.request.base_url, digest, ctx.now());
    let tags = function.tags.iter().map(|(key, value)| (key.clone(), value.clone()));
    Ok(GetFunctionResponse {
        configuration: Some(configuration(&ctx.home, function, &at.version, wanted.qualifier.as_deref())),
        code: Some(FunctionCodeLocation {
            repository_type: Some("S3".to_owned()),
            location: Some(location),
            ..FunctionCodeLocation::default()
        }),
        tags: (!function.tags.is_empty()).then(|| tags.collect()),
        concurrency: function
            .reserved
            .map(|max| Concurrency { reserved_concurrent_executions: Some(max.into()) }),
        ..GetFunctionResponse::default()
    })
}

pub(super) async fn get_function_configuration(
    ctx: &Ctx<'_>,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let at = ctx.at(&wanted).await?;
    Ok(configuration(&ctx.home, &at.function, &at.version, wanted.qualifier.as_deref()))
}

/// The function that an input names. The model has checked that there is a name.
pub(super) fn wanted(ctx: &Ctx<'_>, name: Option<String>, qualifier: Option<&str>) -> Result<Wanted, Fault> {
    Wanted::parse(&ctx.home, &name.unwrap_or_default(), qualifier)
}
