//! Read, list and delete functions.

use std::sync::Arc;

use anyfn_aws_model::lambda::{
    Concurrency, DeleteFunctionRequest, DeleteFunctionResponse, FunctionCodeLocation, FunctionConfiguration,
    GetFunctionConfigurationRequest, GetFunctionRequest, GetFunctionResponse, ListFunctionsRequest,
    ListFunctionsResponse,
};
use anyfn_types::{Function, FunctionName, Qualifier};

use super::configuration::{configuration, listed};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
    page::{Ask, seal},
};

pub(super) async fn get_function(
    ctx: &Ctx<'_>,
    input: GetFunctionRequest,
) -> Result<GetFunctionResponse, Fault> {
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

pub(super) async fn delete_function(
    ctx: &Ctx<'_>,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let registry = &ctx.services().registry;
    match wanted.parsed_qualifier()? {
        None => {
            let not_there = || say::function_not_found(&wanted.arn(&ctx.home));
            let deleted = registry.delete(&ctx.home.namespace, &wanted.name).await;
            deleted.map_err(|e| Fault::from(e).instead("function_not_found", not_there))?;
        }
        Some(Qualifier::Latest) => {
            return Err(say::invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(Qualifier::Alias(_)) => {
            return Err(say::invalid("Deletion of aliases is not currently supported."));
        }
        Some(Qualifier::Version(number)) => {
            let function = ctx.function(&Wanted { qualifier: None, ..wanted }).await?;
            match registry.delete_version(&function.namespace, &function.name, number).await {
                // What is gone already is as good as deleted.
                Err(error) if error.code == "version_not_found" => {}
                other => other?,
            }
        }
    }
    Ok(DeleteFunctionResponse { status_code: Some(204) })
}

pub(super) async fn list_functions(
    ctx: &Ctx<'_>,
    input: ListFunctionsRequest,
) -> Result<ListFunctionsResponse, Fault> {
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let home = &ctx.home;
    if input.function_version.as_deref() == Some("ALL") {
        let (functions, next_marker) = every_version(ctx, &ask).await?;
        return Ok(ListFunctionsResponse { functions: Some(functions), next_marker });
    }
    let page = ctx.services().registry.list(&home.namespace, ask.after.as_deref(), ask.max + 1).await?;
    let (functions, next_marker) = ask.cut(page.items.into_iter().map(|f| (f.name.to_string(), f)));
    let functions = functions.iter().map(|f| listed(home, f, &f.latest, false)).collect();
    Ok(ListFunctionsResponse { functions: Some(functions), next_marker })
}

/// Functions with all their versions. A marker is `name:number` of the last one given.
async fn every_version(
    ctx: &Ctx<'_>,
    ask: &Ask,
) -> Result<(Vec<FunctionConfiguration>, Option<String>), Fault> {
    let registry = &ctx.services().registry;
    let last = ask.after.as_deref().and_then(|key| key.split_once(':'));
    let (mut name, mut from) = (None, 0);
    let mut page = Vec::new();
    if let Some((last, number)) = last {
        (name, from) = (Some(last.to_owned()), number.parse::<u64>().unwrap_or(0) + 1);
    }
    // The function that the page before ended in comes first, unless it is gone.
    let begun = match &name {
        Some(name) => registry.get(&ctx.home.namespace, &FunctionName::new(name.as_str())?).await.ok(),
        None => None,
    };
    let mut functions: Vec<Arc<Function>> = begun.into_iter().collect();
    loop {
        for function in functions.drain(..) {
            let numbers = std::iter::once(0).chain(function.versions.keys().copied());
            for number in numbers.filter(|number| *number >= from) {
                if page.len() == ask.max {
                    let marker = name.as_ref().map(|name| seal(name));
                    return Ok((page, marker));
                }
                let version = registry.version(&function, number).await?;
                page.push(listed(&ctx.home, &function, &version, true));
                name = Some(format!("{}:{number}", function.name));
            }
            from = 0;
            name = Some(name.unwrap_or_else(|| function.name.to_string()));
        }
        let after = name.as_deref().map(|name| name.split(':').next().unwrap_or(name).to_owned());
        let more = registry.list(&ctx.home.namespace, after.as_deref(), ask.max).await?;
        if more.items.is_empty() {
            return Ok((page, None));
        }
        functions = more.items.into_iter().map(Arc::new).collect();
    }
}
