//! Log events: put, read by stream, search by group.

use anyfn_aws_model::logs::{
    FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent, GetLogEventsRequest, GetLogEventsResponse,
    OutputLogEvent, PutLogEventsRequest, PutLogEventsResponse, RejectedLogEventsInfo,
};
use anyfn_logs::{Event, FilterEvents, GetEvents, Pattern, PutEvent, Streams};
use anyfn_types::Millis;

use super::names::group;
use crate::api::{
    context::Ctx,
    fault::{Fault, logs as say},
    lambda::signed,
};

/// Events of a page unless the request asks for fewer.
const LIMIT: usize = 10_000;

pub(super) async fn put_log_events(
    ctx: &Ctx<'_>,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, Fault> {
    let (group, stream) = (input.log_group_name.unwrap_or_default(), input.log_stream_name.unwrap_or_default());
    let events = input.log_events.unwrap_or_default().into_iter().map(|event| PutEvent {
        at: millis(event.timestamp).unwrap_or(0),
        text: event.message.unwrap_or_default().into(),
    });
    let result =
        ctx.services().logs.put_events(&ctx.home.namespace, &group, &stream, events.collect()).await?;
    let index = |at: Option<usize>| at.and_then(|at| i64::try_from(at).ok());
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: index(result.too_new_start),
        too_old_log_event_end_index: index(result.too_old_end),
        expired_log_event_end_index: index(result.expired_end),
    };
    let some = rejected != RejectedLogEventsInfo::default();
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(result.next_token),
        rejected_log_events_info: some.then_some(rejected),
        rejected_entity_info: None,
    })
}

pub(super) async fn get_log_events(
    ctx: &Ctx<'_>,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, Fault> {
    let group = group(&ctx.home, input.log_group_name, input.log_group_identifier)?;
    let stream = input.log_stream_name.unwrap_or_default();
    let request = GetEvents {
        start: millis(input.start_time),
        end: millis(input.end_time),
        from_head: input.start_from_head.unwrap_or(false),
        limit: limit(input.limit),
        token: input.next_token,
    };
    ctx.services().logs.flush().await;
    let page = ctx.services().logs.get_events(&ctx.home.namespace, &group, &stream, &request).await?;
    let print = |event: &Event| OutputLogEvent {
        timestamp: Some(signed(event.at)),
        message: Some(text(event)),
        ingestion_time: Some(signed(event.ingested)),
    };
    Ok(GetLogEventsResponse {
        events: Some(page.events.iter().map(print).collect()),
        next_forward_token: Some(page.forward),
        next_backward_token: Some(page.backward),
    })
}

pub(super) async fn filter_log_events(
    ctx: &Ctx<'_>,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, Fault> {
    let group = group(&ctx.home, input.log_group_name, input.log_group_identifier)?;
    let streams = match (input.log_stream_names, input.log_stream_name_prefix) {
        (Some(_), Some(_)) => {
            return Err(say::invalid("logStreamNames and logStreamNamePrefix cannot be specified together."));
        }
        (Some(names), None) => Streams::Named(names),
        (None, Some(prefix)) => Streams::Prefix(prefix),
        (None, None) => Streams::All,
    };
    let request = FilterEvents {
        streams,
        start: millis(input.start_time),
        end: millis(input.end_time),
        pattern: Pattern::parse(&input.filter_pattern.unwrap_or_default())?,
        limit: limit(input.limit),
        token: input.next_token,
    };
    ctx.services().logs.flush().await;
    let page = ctx.services().logs.filter_events(&ctx.home.namespace, &group, &request).await?;
    let print = |event: &Event| FilteredLogEvent {
        log_stream_name: Some(event.stream.to_string()),
        timestamp: Some(signed(event.at)),
        message: Some(text(event)),
        ingestion_time: Some(signed(event.ingested)),
        event_id: Some(event.id()),
    };
    Ok(FilterLogEventsResponse {
        events: Some(page.events.iter().map(print).collect()),
        // AWS no longer says which streams it searched.
        searched_log_streams: Some(Vec::new()),
        next_token: page.next,
    })
}

pub(super) fn text(event: &Event) -> String {
    String::from_utf8_lossy(&event.text).into_owned()
}

fn millis(at: Option<i64>) -> Option<Millis> {
    at.map(|at| Millis::try_from(at).unwrap_or(0))
}

fn limit(limit: Option<i64>) -> usize {
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIMIT)
}
