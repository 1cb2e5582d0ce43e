//! Log streams.

use anyfn_aws_model::logs::{
    CreateLogStreamRequest, DeleteLogStreamRequest, DescribeLogStreamsRequest, DescribeLogStreamsResponse,
    LogStream,
};
use anyfn_logs::{ListStreams, OrderBy, StreamInfo};

use super::names::group;
use crate::api::{
    context::Ctx,
    fault::{Fault, logs as say},
    lambda::signed,
};

pub(super) async fn create_log_stream(ctx: &Ctx<'_>, input: CreateLogStreamRequest) -> Result<(), Fault> {
    let (group, stream) = (input.log_group_name.unwrap_or_default(), input.log_stream_name.unwrap_or_default());
    Ok(ctx.services().logs.create_stream(&ctx.home.namespace, &group, &stream).await?)
}

pub(super) async fn delete_log_stream(ctx: &Ctx<'_>, input: DeleteLogStreamRequest) -> Result<(), Fault> {
    let (group, stream) = (input.log_group_name.unwrap_or_default(), input.log_stream_name.unwrap_or_default());
    Ok(ctx.services().logs.delete_stream(&ctx.home.namespace, &group, &stream).await?)
}

pub(super) async fn describe_log_streams(
    ctx: &Ctx<'_>,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, Fault> {
    let group = group(&ctx.home, input.log_group_name, input.log_group_identifier)?;
    let order = if input.order_by.as_deref() == Some("LastEventTime") { OrderBy::LastEvent } else { OrderBy::Name };
    if order == OrderBy::LastEvent && input.log_stream_name_prefix.is_some() {
        return Err(say::invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let request = ListStreams {
        prefix: input.log_stream_name_prefix,
        order,
        descending: input.descending.unwrap_or(false),
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(50),
        token: input.next_token,
    };
    // What functions printed a moment ago is there too.
    ctx.services().logs.flush().await;
    let page = ctx.services().logs.list_streams(&ctx.home.namespace, &group, &request).await?;
    let streams = page.streams.into_iter().map(|info| print(ctx, &group, info)).collect();
    Ok(DescribeLogStreamsResponse { log_streams: Some(streams), next_token: page.next })
}

fn print(ctx: &Ctx<'_>, group: &str, info: StreamInfo) -> LogStream {
    LogStream {
        arn: Some(format!("{}:log-stream:{}", ctx.home.log_group(group), info.name)),
        log_stream_name: Some(info.name),
        creation_time: Some(signed(info.created)),
        first_event_timestamp: info.first_event.map(signed),
        last_event_timestamp: info.last_event.map(signed),
        last_ingestion_time: info.last_ingestion.map(signed),
        upload_sequence_token: Some(info.upload_token),
        // AWS stopped counting bytes of streams in 2019 and answers 0.
        stored_bytes: Some(0),
    }
}
