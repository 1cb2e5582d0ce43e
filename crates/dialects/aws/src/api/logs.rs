//! CloudWatch Logs: the table of operations and the way of a request through it.

mod events;
mod groups;
mod live;
mod names;
mod streams;

use anyfn_aws_model::{Call, ServiceError, Value};
use anyfn_web::{Request, Response};
use anyfn_wire::Typed;

use super::{
    Shared,
    context::Ctx,
    fault::{Fault, logs::translate},
};

/// One line per operation: its name and who answers it.
macro_rules! operations {
    ($($name:literal => $handler:path,)*) => {
        /// Every operation of the table and the one that answers with a stream.
        pub(crate) const OPERATIONS: &[&str] = &["StartLiveTail", $($name),*];

        async fn dispatch(ctx: &Ctx<'_>, call: Call) -> Result<Value, Fault> {
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
    "CreateLogGroup" => groups::create_log_group,
    "DeleteLogGroup" => groups::delete_log_group,
    "DescribeLogGroups" => groups::describe_log_groups,
    "PutRetentionPolicy" => groups::put_retention_policy,
    "DeleteRetentionPolicy" => groups::delete_retention_policy,
    "ListTagsForResource" => groups::list_tags_for_resource,
    "TagResource" => groups::tag_resource,
    "UntagResource" => groups::untag_resource,
    "CreateLogStream" => streams::create_log_stream,
    "DeleteLogStream" => streams::delete_log_stream,
    "DescribeLogStreams" => streams::describe_log_streams,
    "PutLogEvents" => events::put_log_events,
    "GetLogEvents" => events::get_log_events,
    "FilterLogEvents" => events::filter_log_events,
}

pub(crate) async fn handle(shared: &Shared, request: &Request) -> Response {
    let id = shared.services.base.random.uuid_text();
    let call = match shared.logs.accept(&request.parts, request.body.clone()) {
        Ok(call) => call,
        Err(rejection) => return anyfn_web::whole(shared.logs.reject(&rejection, &id)),
    };
    let target = call.target;
    let fail =
        |fault: Fault| anyfn_web::whole(shared.logs.answer(target, Err(fault.in_words_of(translate)), &id));
    let ctx = match Ctx::new(shared, request)
        .and_then(|ctx| ctx.allowed("logs", target.operation.name).map(|()| ctx))
    {
        Ok(ctx) => ctx,
        Err(fault) => return fail(fault),
    };
    if target.operation.name == "StartLiveTail" {
        return Box::pin(live::start_live_tail(&ctx, call, &id)).await.unwrap_or_else(fail);
    }
    match dispatch(&ctx, call).await {
        Ok(output) => anyfn_web::whole(shared.logs.answer(target, Ok(output), &id)),
        Err(fault) => fail(fault),
    }
}
