//! `UpdateFunctionCode` and `UpdateFunctionConfiguration`.

use anyfn_aws_model::lambda::{
    FunctionCode, FunctionConfiguration, UpdateFunctionCodeRequest, UpdateFunctionConfigurationRequest,
};
use anyfn_core::Publish;
use anyfn_types::{Code, Function, VersionState};

use super::{
    check,
    configuration::{UPDATED, configuration},
    create::{layer_bytes, source_of},
    draft::Draft,
    read::wanted,
};
use crate::api::{
    arn::Wanted,
    context::Ctx,
    fault::{Fault, lambda as say},
};

pub(super) async fn update_function_code(
    ctx: &Ctx<'_>,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name, None)?);
    let function = ctx.function(&wanted).await?;
    fresh(&function, input.revision_id.as_deref())?;
    if input.image_uri.is_some() {
        return Err(say::invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    let source = FunctionCode {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        ..FunctionCode::default()
    };
    let zip = source_of(&source, None)?;
    check::zipped(zip.len(), &ctx.services().limits)?;
    let code = ctx.services().artifacts.ingest(zip).await?.code;
    check::unpacked(code.unpacked, layer_bytes(&function.latest.config), &ctx.services().limits)?;
    let architecture = input.architectures.and_then(|all| all.into_iter().next());
    if input.dry_run == Some(true) {
        let mut trial = Function::clone(&function);
        trial.latest.code = code;
        return Ok(configuration(&ctx.home, &trial, &trial.latest, None));
    }
    let _turn = ctx.turn(&wanted).await;
    let change = Change { revision: input.revision_id };
    let function = change
        .make(ctx, &wanted, |function| {
            set_code(function, &code, architecture.as_ref());
            Ok(())
        })
        .await?;
    if input.publish == Some(true) || input.publish_to.is_some() {
        let function = ctx.services().engine.activate_now(&function).await?;
        let (namespace, name) = (&function.namespace, &function.name);
        // Another update in between would become this one's version.
        let with = Publish { revision: Some(function.latest.revision.clone()), ..Publish::default() };
        let overtaken = || {
            let arn = wanted.arn(&ctx.home);
            say::conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
            ))
        };
        let at = ctx.services().registry.publish(namespace, name, with).await;
        let at = at.map_err(|e| Fault::from(e).instead("revision_mismatch", overtaken))?;
        return Ok(configuration(&ctx.home, &at.function, &at.version, Some(&at.version.number.to_string())));
    }
    Ok(configuration(&ctx.home, &function, &function.latest, None))
}

fn set_code(function: &mut Function, code: &Code, architecture: Option<&String>) {
    function.latest.code.clone_from(code);
    if let Some(architecture) = architecture {
        function.latest.config.architecture.clone_from(architecture);
    }
}

pub(super) async fn update_function_configuration(
    ctx: &Ctx<'_>,
    mut input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, Fault> {
    let wanted = unqualified(wanted(ctx, input.function_name.take(), None)?);
    let revision = input.revision_id.take();
    let _turn = ctx.turn(&wanted).await;
    let function = ctx.function(&wanted).await?;
    fresh(&function, revision.as_deref())?;
    let draft = Draft::of_update(ctx, input).await?;
    let limits = &ctx.services().limits;
    let change = Change { revision };
    let function = change
        .make(ctx, &wanted, |function| {
            draft.apply(&mut function.latest.config);
            check::unpacked(function.latest.code.unpacked, layer_bytes(&function.latest.config), limits)
        })
        .await?;
    Ok(configuration(&ctx.home, &function, &function.latest, None))
}

/// A change of `$LATEST`: what it was is never seen under the same id again.
pub(super) struct Change {
    /// The revision that `$LATEST` must have.
    pub(super) revision: Option<String>,
}

impl Change {
    pub(super) async fn make(
        self,
        ctx: &Ctx<'_>,
        wanted: &Wanted,
        mut change: impl FnMut(&mut Function) -> Result<(), Fault> + Send,
    ) -> Result<std::sync::Arc<Function>, Fault> {
        let (id, revision, now) = (ctx.services().base.random.version_id(), ctx.revision(), ctx.now());
        let (function, ()) = ctx
            .update(wanted, |function| {
                fresh(function, self.revision.as_deref())?;
                change(function)?;
                function.extra.insert(UPDATED.to_owned(), true.into());
                let latest = &mut function.latest;
                (latest.id, latest.modified) = (id, now);
                latest.revision.clone_from(&revision);
                latest.state = VersionState::Pending;
                latest.notice = None;
                Ok(())
            })
            .await?;
        ctx.services().engine.activate(&function);
        Ok(function)
    }
}

/// A change is always one of the function itself.
pub(super) fn unqualified(wanted: Wanted) -> Wanted {
    Wanted { qualifier: None, ..wanted }
}

pub(super) fn fresh(function: &Function, revision: Option<&str>) -> Result<(), Fault> {
    match revision {
        Some(revision) if revision != function.latest.revision => {
            Err(say::stale_revision("GetFunction/GetAlias"))
        }
        _ => Ok(()),
    }
}
