//! Tags of functions.

use anyfn_aws_model::lambda::{ListTagsRequest, ListTagsResponse, TagResourceRequest, UntagResourceRequest};

use super::check;
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
};

pub(super) async fn list_tags(ctx: &Ctx<'_>, input: ListTagsRequest) -> Result<ListTagsResponse, Fault> {
    let function = ctx.function(&tagged(ctx, input.resource)?).await?;
    let tags = function.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Ok(ListTagsResponse { tags: Some(tags) })
}

pub(super) async fn tag_resource(ctx: &Ctx<'_>, input: TagResourceRequest) -> Result<(), Fault> {
    let wanted = tagged(ctx, input.resource)?;
    let tags = input.tags.unwrap_or_default();
    if tags.is_empty() {
        return Err(say::invalid("An error occurred and the request cannot be processed."));
    }
    let revision = ctx.revision();
    ctx.update(&wanted, |function| {
        let new = tags.iter().map(|(key, value)| (key.clone(), value.clone()));
        function.tags.extend(new);
        check::tags(function.tags.len())?;
        function.latest.revision.clone_from(&revision);
        Ok(())
    })
    .await?;
    Ok(())
}

pub(super) async fn untag_resource(ctx: &Ctx<'_>, input: UntagResourceRequest) -> Result<(), Fault> {
    let wanted = tagged(ctx, input.resource)?;
    let keys = input.tag_keys.unwrap_or_default();
    let revision = ctx.revision();
    ctx.update(&wanted, |function| {
        function.tags.retain(|key, _| !keys.contains(key));
        function.latest.revision.clone_from(&revision);
        Ok(())
    })
    .await?;
    Ok(())
}

/// The function that an ARN names; nothing else has tags here.
fn tagged(ctx: &Ctx<'_>, resource: Option<String>) -> Result<Wanted, Fault> {
    let arn = resource.unwrap_or_default();
    if arn.split(':').nth(5) != Some("function") {
        return Err(say::no_such_resource());
    }
    let wanted = Wanted::parse(&ctx.home, &arn, None)?;
    if wanted.qualifier.is_some() {
        return Err(say::invalid(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        ));
    }
    Ok(wanted)
}
