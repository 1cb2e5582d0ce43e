//! Published versions.

use anyfn_aws_model::lambda::{
    FunctionConfiguration, ListVersionsByFunctionRequest, ListVersionsByFunctionResponse,
    PublishVersionRequest,
};
use anyfn_core::Publish;
use anyfn_types::VersionState;

use super::{
    configuration::{configuration, listed},
    read::wanted,
    update::unqualified,
};
use crate::api::{
    context::Ctx,
    fault::{Fault, lambda as say},
    page::Ask,
};

pub(super) async fn publish_version(
    ctx: &Ctx<'_>,
    input: PublishVersionRequest,
) -> Result<FunctionConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let _turn = ctx.turn(&wanted).await;
    let mut function = ctx.function(&wanted).await?;
    if function.latest.state == VersionState::Pending {
        // A version is never changed, so what becomes one is ready before.
        function = ctx.services().engine.activate_now(&function).await?;
    }
    if matches!(function.latest.state, VersionState::Failed { .. }) {
        return Err(say::conflict(
            "The operation cannot be performed at this time. The function is currently in the following state: Failed",
        ));
    }
    let with = Publish {
        description: input.description,
        code_sha256: input.code_sha256.filter(|text| !text.is_empty()),
        revision: input.revision_id,
    };
    let at = ctx.services().registry.publish(&function.namespace, &function.name, with).await?;
    Ok(configuration(&ctx.home, &at.function, &at.version, Some(&at.version.number.to_string())))
}

pub(super) async fn list_versions_by_function(
    ctx: &Ctx<'_>,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let function = ctx.function(&wanted).await?;
    let ask = Ask::new(input.marker.as_deref(), input.max_items)?;
    let numbers = std::iter::once(0).chain(function.versions.keys().copied());
    let (numbers, next_marker) = ask.cut(numbers.map(|number| (format!("{number:020}"), number)));
    let mut versions = Vec::with_capacity(numbers.len());
    for number in numbers {
        let version = ctx.services().registry.version(&function, number).await?;
        versions.push(listed(&ctx.home, &function, &version, true));
    }
    Ok(ListVersionsByFunctionResponse { versions: Some(versions), next_marker })
}
