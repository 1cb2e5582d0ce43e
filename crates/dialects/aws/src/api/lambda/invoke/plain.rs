//! The plain `Invoke`: a bare name, nothing but an event, an answer that is waited for. It is most of all requests, and needs
//! nothing of the model's general way: what it may hold is so narrow that every constraint of the model is met by looking.
//! Anything else goes the general way, which the answers here are like, header for header.

use anyfn_core::{Outcome, Reply, ReplyBody};
use anyfn_types::{Failure, FunctionName, InvocationId, Mode};
use anyfn_web::{Request, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE, request::Parts};

use super::{invocation, run};
use crate::api::{
    Shared,
    arn::Wanted,
    collect::collect,
    context::Ctx,
    fault::Fault,
    lambda::{configuration::number, payload},
    trace,
};

/// The longest name that the API takes.
const NAME_MAX: usize = 64;

/// The function's name, if the request is a plain `Invoke`.
pub(in crate::api) fn name(parts: &Parts) -> Option<&str> {
    let path = parts.uri.path().strip_prefix("/2015-03-31/functions/")?;
    let name = path.strip_suffix("/invocations")?;
    let sound = (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let plain =
        sound && parts.method == Method::POST && parts.uri.query().is_none() && asks_nothing(&parts.headers);
    plain.then_some(name)
}

/// No header says more than that there is an event.
fn asks_nothing(headers: &HeaderMap) -> bool {
    const HARMLESS: [&str; 4] =
        ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent"];
    let form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    !form
        && headers.keys().map(http::HeaderName::as_str).all(|name| {
            (!name.starts_with("x-amz-") || HARMLESS.contains(&name)) && name != "smithy-protocol"
        })
}

/// Calls the function.
pub(in crate::api) async fn invoke(shared: &Shared, request: &Request, name: &str) -> Response {
    let id = shared.services.base.random.invocation_id();
    match replied(shared, request, (name, id)).await {
        Ok(response) => response,
        Err(fault) => {
            let uuid = id.uuid();
            let Some(target) = shared.lambda.peek(&request.parts) else {
                return anyfn_web::text(http::StatusCode::INTERNAL_SERVER_ERROR, "application/json", "{}");
            };
            anyfn_web::whole(shared.lambda.answer(target, Err(fault.said()), &uuid))
        }
    }
}

async fn replied(
    shared: &Shared,
    request: &Request,
    (name, id): (&str, InvocationId),
) -> Result<Response, Fault> {
    let ctx = Ctx::new(shared, request)?;
    ctx.allowed("lambda", "Invoke")?;
    let wanted = Wanted { name: FunctionName::new(name)?, qualifier: None };
    let mut invocation = invocation(&ctx, id, &wanted, Mode::Wait)?;
    invocation.body = payload::event(Some(request.body.clone()), Mode::Wait, &shared.services.limits)?;
    let traced = invocation.trace.as_ref().map(trace::header);
    match run(&ctx, &wanted, invocation).await? {
        Outcome::Replied(reply) => Ok(answer(&ctx, reply, (id, traced)).await),
        Outcome::Broken(error) => Err(error.into()),
        Outcome::Accepted(_) | Outcome::WouldRun => {
            Err(anyfn_types::Error::internal("invoke_outcome", "not waited for").into())
        }
    }
}

async fn answer(ctx: &Ctx<'_>, reply: Reply, (id, traced): (InvocationId, Option<String>)) -> Response {
    let result = match reply.result {
        Ok(ReplyBody::Whole(bytes)) => Ok(bytes),
        Ok(ReplyBody::Stream { frames, .. }) => collect(frames, ctx.services().limits.payload_bytes).await,
        Err(failure) => Err(failure),
    };
    let (body, failed) = match result {
        Ok(bytes) => (bytes, false),
        Err(Failure { payload, .. }) => (payload, true),
    };
    let mut response = http::Response::new(anyfn_web::full(body));
    let headers = response.headers_mut();
    headers.reserve(8);
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.insert(name, value);
        }
    };
    put("x-amzn-requestid", id.uuid());
    put("x-amz-executed-version", number(reply.version));
    if let Some(trace) = traced {
        put("x-amzn-trace-id", trace);
    }
    if failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    // What a function returns is JSON, whatever the model says of blobs.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
