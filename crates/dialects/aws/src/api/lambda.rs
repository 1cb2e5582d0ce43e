//! Lambda: the table of operations and the way of a request through it.

mod check;
mod configuration;
mod create;
mod draft;
mod invoke;
mod payload;
mod read;

use anyfn_aws_model::{Call, ServiceError, Value};
use anyfn_web::{Request, Response};
use anyfn_wire::Typed;

use super::{Shared, context::Ctx, fault::Fault};

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
}

pub(crate) async fn handle(shared: &Shared, request: &Request) -> Response {
    let call = match shared.lambda.accept(&request.parts, request.body.clone()) {
        Ok(call) => call,
        Err(rejection) => {
            let id = shared.services.base.random.uuid_text();
            return anyfn_web::whole(shared.lambda.reject(&rejection, &id));
        }
    };
    let target = call.target;
    let fail = |fault: Fault, id: &str| anyfn_web::whole(shared.lambda.answer(target, Err(fault.said()), id));
    let ctx = match Ctx::new(shared, request).and_then(|ctx| ctx.allowed("lambda", target.operation.name).map(|()| ctx)) {
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
