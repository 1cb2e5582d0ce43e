//! `Invoke`, `InvokeAsync` and `InvokeWithResponseStream`.

pub(in crate::api) mod plain;
mod streaming;

use anyfn_aws_model::{
    Call, Target, Typed,
    lambda::{InvocationRequest, InvocationResponse, InvokeAsyncRequest, InvokeAsyncResponse},
};
use anyfn_core::{Outcome, Reply, ReplyBody, ports::Invoke as _};
use anyfn_types::{Failure, Invocation, InvocationId, Mode};
use anyfn_web::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};

pub(super) use streaming::invoke_streaming;

use super::{configuration::number, payload, read::wanted};
use crate::api::{
    arn::Wanted,
    collect::collect,
    context::Ctx,
    fault::{Fault, lambda as say},
    trace,
};

pub(super) async fn invoke(ctx: &Ctx<'_>, call: Call, id: InvocationId) -> Result<Response, Fault> {
    let target = call.target;
    let input: InvocationRequest = call.input()?;
    let mode = match input.invocation_type.as_deref() {
        Some("Event") => Mode::Queue,
        Some("DryRun") => Mode::DryRun,
        _ => Mode::Wait,
    };
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let tail = mode == Mode::Wait && input.log_type.as_deref() == Some("Tail");
    let mut invocation = invocation(ctx, id, &wanted, mode)?;
    invocation.body = payload::event(input.payload, mode, &ctx.services().limits)?;
    invocation.client_context = payload::client_context(input.client_context.as_deref())?;
    invocation.want_log_tail = tail;
    let traced = invocation.trace.as_ref().map(trace::header);
    let output = match run(ctx, &wanted, invocation).await? {
        Outcome::Accepted(_) => {
            InvocationResponse { status_code: Some(202), ..InvocationResponse::default() }
        }
        Outcome::WouldRun => InvocationResponse { status_code: Some(204), ..InvocationResponse::default() },
        Outcome::Broken(error) => return Err(error.into()),
        Outcome::Replied(reply) => replied(ctx, reply).await,
    };
    let mut response = answer(ctx, target, output, id);
    if let Some(value) = traced.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert("x-amzn-trace-id", value);
    }
    Ok(response)
}

/// The call as far as its name tells it.
pub(super) fn invocation(
    ctx: &Ctx<'_>,
    id: InvocationId,
    wanted: &Wanted,
    mode: Mode,
) -> Result<Invocation, Fault> {
    let (headers, random, now) = (&ctx.request.parts.headers, &ctx.services().base.random, ctx.now());
    let trace = trace::read(headers, random).unwrap_or_else(|| trace::fresh(random, now));
    Ok(Invocation {
        id,
        namespace: ctx.home.namespace.clone(),
        function: wanted.name.clone(),
        qualifier: wanted.parsed_qualifier()?,
        mode,
        body: Bytes::new(),
        invoked_as: wanted.arn(&ctx.home),
        client_context: None,
        trace: Some(trace),
        want_log_tail: false,
        accepted: now,
        http: None,
    })
}

/// Hands the call to the engine; what does not exist is said by its ARN.
pub(super) async fn run(ctx: &Ctx<'_>, wanted: &Wanted, invocation: Invocation) -> Result<Outcome, Fault> {
    let not_there = || say::function_not_found(&wanted.arn(&ctx.home));
    let result = ctx.services().engine.invoke(invocation).await;
    result.map_err(|error| {
        Fault::from(error).instead("function_not_found", not_there).instead("version_not_found", not_there)
    })
}

async fn replied(ctx: &Ctx<'_>, reply: Reply) -> InvocationResponse {
    let result = match reply.result {
        Ok(ReplyBody::Whole(bytes)) => Ok(bytes),
        Ok(ReplyBody::Stream { frames, .. }) => collect(frames, ctx.services().limits.payload_bytes).await,
        Err(failure) => Err(failure),
    };
    let (payload, function_error) = match result {
        Ok(bytes) => (bytes, None),
        Err(Failure { payload, .. }) => (payload, Some("Unhandled".to_owned())),
    };
    InvocationResponse {
        status_code: Some(200),
        function_error,
        log_result: reply.log_tail.map(|tail| STANDARD.encode(tail)),
        payload: Some(payload),
        executed_version: Some(number(reply.version)),
        ..InvocationResponse::default()
    }
}

fn answer(ctx: &Ctx<'_>, target: Target, output: InvocationResponse, id: InvocationId) -> Response {
    let ran = output.status_code == Some(200);
    let mut response = ctx.shared.lambda.answer(target, Ok(output.into_value()), &id.uuid());
    if ran {
        // What a function returns is JSON, whatever the model says of blobs.
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    anyfn_web::whole(response)
}

/// The old way to queue a call.
pub(super) async fn invoke_async(ctx: &Ctx<'_>, call: Call, id: InvocationId) -> Result<Response, Fault> {
    let target = call.target;
    let input: InvokeAsyncRequest = call.input()?;
    let wanted = wanted(ctx, input.function_name, None)?;
    let mut invocation = invocation(ctx, id, &wanted, Mode::Queue)?;
    invocation.body = payload::event(input.invoke_args, Mode::Queue, &ctx.services().limits)?;
    run(ctx, &wanted, invocation).await?;
    let output = InvokeAsyncResponse { status: Some(202) };
    Ok(anyfn_web::whole(ctx.shared.lambda.answer(target, Ok(output.into_value()), &id.uuid())))
}
