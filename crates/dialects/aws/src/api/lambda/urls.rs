//! The settings of functions' own addresses.

use anyfn_aws_model::lambda::{
    Cors, CreateFunctionUrlConfigRequest, CreateFunctionUrlConfigResponse, DeleteFunctionUrlConfigRequest,
    FunctionUrlConfig, GetFunctionUrlConfigRequest, GetFunctionUrlConfigResponse,
    ListFunctionUrlConfigsRequest, ListFunctionUrlConfigsResponse, UpdateFunctionUrlConfigRequest,
    UpdateFunctionUrlConfigResponse,
};
use anyfn_types::{FunctionName, FunctionUrl, UrlAuth};

use super::{configuration::date, read::wanted};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    document::{give, keep},
    fault::{Fault, lambda as say},
    page::Ask,
};

/// Characters of an address' id.
const ID_LEN: usize = 32;

pub(super) async fn create_function_url_config(
    ctx: &Ctx<'_>,
    input: CreateFunctionUrlConfigRequest,
) -> Result<CreateFunctionUrlConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let function = ctx
        .function(&wanted)
        .await
        .map_err(|e| e.if_not_found(|| say::not_found("Function does not exist")))?;
    let at = at(&wanted);
    if !at.is_empty() && !function.aliases.contains_key(&at) {
        return Err(say::not_found("Function does not exist"));
    }
    let now = ctx.now();
    let url = FunctionUrl {
        id: ctx.services().base.random.label(ID_LEN),
        alias: (!at.is_empty()).then_some(at),
        auth: auth(input.auth_type.as_deref()),
        stream: input.invoke_mode.as_deref() == Some("RESPONSE_STREAM"),
        cors: input.cors.map(keep),
        created: now,
        modified: now,
    };
    let exists = || {
        let arn = wanted.arn(&ctx.home);
        say::conflict(format!(
            "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
        ))
    };
    let put = ctx.services().registry.put_url(&function, url.clone(), true).await;
    put.map_err(|e| Fault::from(e).instead("url_exists", exists))?;
    let printed = print(ctx, &wanted.name, &url);
    Ok(CreateFunctionUrlConfigResponse {
        function_url: printed.function_url,
        function_arn: printed.function_arn,
        auth_type: printed.auth_type,
        cors: printed.cors,
        creation_time: printed.creation_time,
        invoke_mode: printed.invoke_mode,
    })
}

pub(super) async fn get_function_url_config(
    ctx: &Ctx<'_>,
    input: GetFunctionUrlConfigRequest,
) -> Result<GetFunctionUrlConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let function = ctx.function(&wanted).await.map_err(|e| e.if_not_found(say::no_such_resource))?;
    let url = function.urls.get(&at(&wanted)).ok_or_else(say::no_such_resource)?;
    let printed = print(ctx, &wanted.name, url);
    Ok(GetFunctionUrlConfigResponse {
        function_url: printed.function_url,
        function_arn: printed.function_arn,
        auth_type: printed.auth_type,
        cors: printed.cors,
        creation_time: printed.creation_time,
        last_modified_time: printed.last_modified_time,
        invoke_mode: printed.invoke_mode,
    })
}

pub(super) async fn update_function_url_config(
    ctx: &Ctx<'_>,
    input: UpdateFunctionUrlConfigRequest,
) -> Result<UpdateFunctionUrlConfigResponse, Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    ctx.function(&wanted).await.map_err(|e| e.if_not_found(|| say::not_found("Function does not exist")))?;
    let (at, now) = (at(&wanted), ctx.now());
    let cors = input.cors.map(keep);
    let (_, url) = ctx
        .update(&wanted, |function| {
            let url = function.urls.get_mut(&at).ok_or_else(say::no_such_resource)?;
            if input.auth_type.is_some() {
                url.auth = auth(input.auth_type.as_deref());
            }
            if let Some(mode) = &input.invoke_mode {
                url.stream = mode == "RESPONSE_STREAM";
            }
            if let Some(cors) = &cors {
                url.cors = Some(cors.clone());
            }
            url.modified = now;
            Ok(url.clone())
        })
        .await?;
    let printed = print(ctx, &wanted.name, &url);
    Ok(UpdateFunctionUrlConfigResponse {
        function_url: printed.function_url,
        function_arn: printed.function_arn,
        auth_type: printed.auth_type,
        cors: printed.cors,
        creation_time: printed.creation_time,
        last_modified_time: printed.last_modified_time,
        invoke_mode: printed.invoke_mode,
    })
}

pub(super) async fn delete_function_url_config(
    ctx: &Ctx<'_>,
    input: DeleteFunctionUrlConfigRequest,
) -> Result<(), Fault> {
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let function = ctx.function(&wanted).await.map_err(|e| e.if_not_found(say::no_such_resource))?;
    Ok(ctx.services().registry.delete_url(&function.namespace, &function.name, &at(&wanted)).await?)
}

pub(super) async fn list_function_url_configs(
    ctx: &Ctx<'_>,
    input: ListFunctionUrlConfigsRequest,
) -> Result<ListFunctionUrlConfigsResponse, Fault> {
    let wanted = Wanted { qualifier: None, ..wanted(ctx, input.function_name, None)? };
    let function = ctx.function(&wanted).await.map_err(|e| e.if_not_found(say::no_such_resource))?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    // The function's own has the empty key, which no marker can name: it stands before all others.
    let all = function.urls.iter().map(|(key, url)| (format!("/{key}"), url));
    let (urls, next_marker) = ask.cut(all);
    let urls = urls.into_iter().map(|url| print(ctx, &wanted.name, url)).collect();
    Ok(ListFunctionUrlConfigsResponse { function_url_configs: Some(urls), next_marker })
}

/// The key of an address within its function: an alias, or nothing.
fn at(wanted: &Wanted) -> String {
    wanted.qualifier.clone().filter(|q| q != "$LATEST").unwrap_or_default()
}

fn auth(text: Option<&str>) -> UrlAuth {
    if text == Some("NONE") { UrlAuth::None } else { UrlAuth::Iam }
}

fn print(ctx: &Ctx<'_>, name: &FunctionName, url: &FunctionUrl) -> FunctionUrlConfig {
    let auth = match url.auth {
        UrlAuth::None => "NONE",
        UrlAuth::Iam => "AWS_IAM",
    };
    FunctionUrlConfig {
        function_url: Some(format!("{}/_url/{}/", ctx.request.base_url, url.id)),
        function_arn: Some(ctx.home.function_at(name, url.alias.as_deref())),
        creation_time: Some(date(url.created)),
        last_modified_time: Some(date(url.modified)),
        cors: url.cors.as_ref().and_then(give::<Cors>),
        auth_type: Some(auth.to_owned()),
        invoke_mode: Some(if url.stream { "RESPONSE_STREAM" } else { "BUFFERED" }.to_owned()),
    }
}
