//! `CreateFunction`.

use std::collections::BTreeMap;

use anyfn_aws_model::lambda::{CreateFunctionRequest, FunctionCode, FunctionConfiguration};
use anyfn_core::{NewFunction, Publish};
use anyfn_types::{Code, Config};
use bytes::Bytes;

use super::{
    check,
    configuration::configuration,
    draft::{self, Draft},
};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
};

pub(super) async fn create_function(
    ctx: &Ctx<'_>,
    mut input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, Fault> {
    let text = input.function_name.clone().unwrap_or_default();
    let name = Wanted::unqualified(&ctx.home, &text)?;
    if name.as_str().len() > 64 {
        return Err(check::one(&text, "functionName", "Member must have length less than or equal to 64"));
    }
    let source = input.code.take().unwrap_or_default();
    let zip = source_of(&source, input.package_type.as_deref())?;
    if input.runtime.is_none() || input.handler.is_none() {
        return Err(say::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    let tags: BTreeMap<String, String> = input.tags.take().unwrap_or_default().into_iter().collect();
    check::tags(tags.len())?;
    let publish = input.publish == Some(true) || input.publish_to.is_some();
    let architecture = input.architectures.as_ref().and_then(|all| all.first()).cloned();
    let draft = Draft::of_create(ctx, input).await?;
    let mut config = draft::defaults(architecture);
    draft.apply(&mut config);
    // A name that is taken is said before a package is unpacked.
    if ctx.services().registry.get(&ctx.home.namespace, &name).await.is_ok() {
        return Err(say::conflict(format!("Function already exist: {name}")));
    }
    let code = ingest(ctx, zip, &config).await?;
    let namespace = ctx.home.namespace.clone();
    let new = NewFunction { namespace, name: name.clone(), code, config, tags, extra: BTreeMap::new() };
    let function = ctx.services().registry.create(new).await?;
    if publish {
        let function = ctx.services().engine.activate_now(&function).await?;
        let at = ctx.services().registry.publish(&function.namespace, &name, Publish::default()).await?;
        return Ok(configuration(&ctx.home, &at.function, &at.version, Some(&at.version.number.to_string())));
    }
    ctx.services().engine.activate(&function);
    Ok(configuration(&ctx.home, &function, &function.latest, None))
}

/// The zip that a request brings; other sources are not served yet.
pub(super) fn source_of(source: &FunctionCode, package_type: Option<&str>) -> Result<Bytes, Fault> {
    if source.image_uri.is_some() || package_type == Some("Image") {
        return Err(say::invalid(
            "Container images are not served yet: send the code as a zip file (ZipFile).",
        ));
    }
    if source.s3_bucket.is_some() || source.s3_key.is_some() {
        return Err(say::invalid("Code from S3 is not served yet: send the code as a zip file (ZipFile)."));
    }
    let zip =
        source.zip_file.clone().ok_or_else(|| say::invalid("Please provide a source for function code."))?;
    if zip.is_empty() {
        return Err(say::invalid("Uploaded file must be a non-empty zip"));
    }
    Ok(zip)
}

/// Checks and keeps a package, together with the layers that will lie under it.
pub(super) async fn ingest(ctx: &Ctx<'_>, zip: Bytes, config: &Config) -> Result<Code, Fault> {
    let limits = &ctx.services().limits;
    check::zipped(zip.len(), limits)?;
    let code = ctx.services().artifacts.ingest(zip).await?.code;
    check::unpacked(code.unpacked, layer_bytes(config), limits)?;
    Ok(code)
}

pub(super) fn layer_bytes(config: &Config) -> u64 {
    config.layers.iter().map(|layer| layer.code.unpacked).sum()
}
