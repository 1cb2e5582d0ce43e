//! STS: who the caller is.

use anyfn_aws_model::{ServiceError, Typed, sts::GetCallerIdentityResponse};
use anyfn_web::{Request, Response};

use super::{Shared, context::Ctx, fault::Fault};

pub(crate) const OPERATIONS: &[&str] = &["GetCallerIdentity"];

pub(crate) fn handle(shared: &Shared, request: &Request) -> Response {
    let id = shared.services.base.random.uuid_text();
    let call = match shared.sts.accept(&request.parts, request.body.clone()) {
        Ok(call) => call,
        Err(rejection) => return anyfn_web::whole(shared.sts.reject(&rejection, &id)),
    };
    let result = match call.target.operation.name {
        "GetCallerIdentity" => Ctx::new(shared, request).map(|ctx| identity(&ctx).into_value()),
        other => Err(ServiceError::not_served(other).into()),
    };
    anyfn_web::whole(shared.sts.answer(call.target, result.map_err(Fault::said), &id))
}

/// Keys belong to accounts; there are no users below.
fn identity(ctx: &Ctx<'_>) -> GetCallerIdentityResponse {
    let home = &ctx.home;
    GetCallerIdentityResponse {
        user_id: Some(home.account.clone()),
        account: Some(home.account.clone()),
        arn: Some(format!("arn:{}:iam::{}:root", home.partition(), home.account)),
    }
}
