//! `InvokeWithResponseStream`: the function's answer as event frames while it comes.

use anyfn_aws_model::{
    Call, Target, Typed,
    lambda::{
        InvokeResponseStreamUpdate, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamRequest,
        InvokeWithResponseStreamResponse,
    },
};
use anyfn_base::TaskKind;
use anyfn_core::{Frame, Outcome, Reply, ReplyBody};
use anyfn_types::{Failure, InvocationId, Mode};
use anyfn_web::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{invocation, run};
use crate::api::{
    context::Ctx,
    fault::Fault,
    lambda::{configuration::number, payload, read::wanted},
};

/// Frames that may wait for a slow reader.
const QUEUE: usize = 16;
/// Bytes of one frame's payload.
const CHUNK: usize = 1 << 20;

pub(in crate::api::lambda) async fn invoke_streaming(
    ctx: &Ctx<'_>,
    call: Call,
    id: InvocationId,
) -> Result<Response, Fault> {
    let target = call.target;
    let input: InvokeWithResponseStreamRequest = call.input()?;
    let dry = input.invocation_type.as_deref() == Some("DryRun");
    let mode = if dry { Mode::DryRun } else { Mode::Stream };
    let wanted = wanted(ctx, input.function_name, input.qualifier.as_deref())?;
    let mut invocation = invocation(ctx, id, &wanted, mode)?;
    invocation.body = payload::event(input.payload, mode, &ctx.services().limits)?;
    invocation.client_context = payload::client_context(input.client_context.as_deref())?;
    invocation.want_log_tail = input.log_type.as_deref() == Some("Tail");
    match run(ctx, &wanted, invocation).await? {
        Outcome::Broken(error) => Err(error.into()),
        Outcome::Replied(reply) => Ok(stream(ctx, target, reply, id)),
        Outcome::WouldRun | Outcome::Accepted(_) => {
            let output = InvokeWithResponseStreamResponse { status_code: Some(204), ..Default::default() };
            let answer = ctx.shared.lambda.answer(target, Ok(output.into_value()), &id.uuid());
            Ok(anyfn_web::whole(answer))
        }
    }
}

fn stream(ctx: &Ctx<'_>, target: Target, reply: Reply, id: InvocationId) -> Response {
    let declared = match &reply.result {
        Ok(ReplyBody::Stream { content_type, .. }) => content_type.clone(),
        Ok(ReplyBody::Whole(_)) | Err(_) => None,
    };
    let output = InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some(number(reply.version)),
        response_stream_content_type: declared,
    };
    let head = ctx.shared.lambda.answer(target, Ok(output.into_value()), &id.uuid());
    let (sender, frames) = mpsc::channel(QUEUE);
    let writer = Writer { api: ctx.shared.lambda.clone(), target, sender };
    let tasks = &ctx.services().base.tasks;
    tasks.spawn(TaskKind::Request, "response-stream", async move {
        let tail = reply.log_tail.map(|tail| STANDARD.encode(tail));
        // A reader that went away ends it.
        let _ = writer.write(reply.result, tail).await;
    });
    head.map(|_| anyfn_web::channel(frames))
}

struct Writer {
    api: std::sync::Arc<anyfn_aws_model::Api>,
    target: Target,
    sender: mpsc::Sender<Bytes>,
}

/// The reader is gone, or a frame could not be made.
struct Ended;

impl Writer {
    async fn write(&self, result: Result<ReplyBody, Failure>, tail: Option<String>) -> Result<(), Ended> {
        let failure = match result {
            Ok(ReplyBody::Whole(bytes)) => self.chunk(bytes).await.map(|()| None)?,
            Ok(ReplyBody::Stream { mut frames, .. }) => loop {
                match frames.recv().await {
                    Some(Frame::Data(bytes)) => self.chunk(bytes).await?,
                    Some(Frame::End) => break None,
                    Some(Frame::Failed(failure)) => break Some(failure),
                    // Without an end the answer must look cut.
                    None => return Err(Ended),
                }
            },
            Err(failure) => Some(failure),
        };
        let (error_code, error_details) = failure.map_or((None, None), |failure| {
            let details = String::from_utf8_lossy(&failure.payload).into_owned();
            (Some(failure.error_type), Some(details))
        });
        let done = InvokeWithResponseStreamCompleteEvent { error_code, error_details, log_result: tail };
        self.event("InvokeComplete", done.into_value()).await
    }

    async fn chunk(&self, bytes: Bytes) -> Result<(), Ended> {
        let mut rest = BytesMut::from(bytes);
        while !rest.is_empty() {
            let payload = Some(rest.split_to(rest.len().min(CHUNK)).freeze());
            self.event("PayloadChunk", InvokeResponseStreamUpdate { payload }.into_value()).await?;
        }
        Ok(())
    }

    async fn event(&self, name: &str, value: anyfn_wire::Value) -> Result<(), Ended> {
        let frame = self.api.event(self.target, name, &value).map_err(|_| Ended)?;
        self.sender.send(frame).await.map_err(|_| Ended)
    }
}
