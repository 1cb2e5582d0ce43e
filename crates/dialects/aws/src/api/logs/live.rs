//! `StartLiveTail`: events as they are written, in frames, one update a second.

use std::{sync::Arc, time::Duration};

use anyfn_aws_model::{
    Api, Call, Target, Typed,
    logs::{
        LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart, LiveTailSessionUpdate,
        StartLiveTailRequest, StartLiveTailResponse,
    },
};
use anyfn_base::{Clock, TaskKind};
use anyfn_logs::{Follow, FollowRequest, Followed, Pattern, Streams};
use anyfn_web::Response;
use anyfn_wire::{Map, Value};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{events::text, names::by_identifier};
use crate::api::{
    context::Ctx,
    fault::{Fault, logs as say},
    lambda::signed,
};

/// Frames that may wait for a slow reader.
const QUEUE: usize = 4;
/// Events of one update; what is more is left out and the update says so.
const MOST: usize = 500;
const EVERY: Duration = Duration::from_secs(1);
/// A session ends by itself after this.
const SESSION: Duration = Duration::from_secs(3 * 3600);

pub(super) async fn start_live_tail(ctx: &Ctx<'_>, call: Call, id: &str) -> Result<Response, Fault> {
    let target = call.target;
    let input: StartLiveTailRequest = call.input()?;
    let identifiers = input.log_group_identifiers.clone().unwrap_or_default();
    let groups =
        identifiers.iter().map(|text| by_identifier(&ctx.home, text)).collect::<Result<Vec<_>, _>>()?;
    for group in &groups {
        ctx.services().logs.get_group(&ctx.home.namespace, group).await?;
    }
    let streams = match (&input.log_stream_names, &input.log_stream_name_prefixes) {
        (Some(names), None) => Streams::Named(names.clone()),
        (None, Some(prefixes)) => match prefixes.as_slice() {
            [one] => Streams::Prefix(one.clone()),
            _ => return Err(say::invalid("One prefix of log streams at a time is followed.")),
        },
        (None, None) => Streams::All,
        (Some(_), Some(_)) => {
            return Err(say::invalid(
                "logStreamNames and logStreamNamePrefixes cannot be specified together.",
            ));
        }
    };
    let filter = input.log_event_filter_pattern.clone();
    let pattern = Pattern::parse(filter.as_deref().unwrap_or_default())?;
    let namespace = ctx.home.namespace.clone();
    let follow = ctx.services().logs.follow(FollowRequest { namespace, groups, streams, pattern })?;
    let start = LiveTailSessionStart {
        request_id: Some(id.to_owned()),
        session_id: Some(ctx.services().base.random.uuid_text()),
        log_group_identifiers: Some(identifiers),
        log_stream_names: input.log_stream_names,
        log_stream_name_prefixes: input.log_stream_name_prefixes,
        log_event_filter_pattern: filter,
    };
    let (sender, frames) = mpsc::channel(QUEUE);
    let api = ctx.shared.logs.clone();
    let session = Session {
        api,
        target,
        sender,
        account: ctx.home.account.clone(),
        clock: ctx.services().base.clock.clone(),
    };
    let tasks = &ctx.services().base.tasks;
    tasks.spawn(TaskKind::Background, "live-tail", async move {
        // It ends when its reader goes away.
        let _ = session.run(start, follow).await;
    });
    let head = ctx.shared.logs.answer(target, Ok(StartLiveTailResponse::default().into_value()), id);
    Ok(head.map(|_| anyfn_web::channel(frames)))
}

struct Session {
    api: Arc<Api>,
    target: Target,
    sender: mpsc::Sender<Bytes>,
    account: String,
    clock: Clock,
}

struct Ended;

impl Session {
    async fn run(&self, start: LiveTailSessionStart, mut follow: Follow) -> Result<(), Ended> {
        let first = self.api.initial_response(self.target, &Value::empty()).map_err(|_| Ended)?;
        self.send(first).await?;
        self.event("sessionStart", start.into_value()).await?;
        let end = self.clock.now() + SESSION;
        while self.clock.now() < end {
            let (update, open) = self.gather(&mut follow).await;
            self.event("sessionUpdate", update.into_value()).await?;
            if !open {
                return Ok(());
            }
        }
        let mut members = Map::new();
        members.insert("message".to_owned(), Value::from("The session has expired."));
        self.event("SessionTimeoutException", Value::Map(members)).await
    }

    /// What comes within one period, and whether more can come.
    async fn gather(&self, follow: &mut Follow) -> (LiveTailSessionUpdate, bool) {
        let (mut results, mut sampled, mut open) = (Vec::new(), false, true);
        let until = self.clock.now() + EVERY;
        loop {
            tokio::select! {
                biased;
                () = self.clock.sleep_until(until) => break,
                next = follow.next(), if open => match next {
                    Some(followed) => sampled |= self.take(&followed, &mut results),
                    None => { open = false; break }
                },
            }
        }
        let metadata = LiveTailSessionMetadata { sampled: Some(sampled) };
        let update =
            LiveTailSessionUpdate { session_metadata: Some(metadata), session_results: Some(results) };
        (update, open)
    }

    /// True if some are left out.
    fn take(&self, followed: &Followed, results: &mut Vec<LiveTailSessionLogEvent>) -> bool {
        let group = format!("{}:{}", self.account, followed.group);
        let room = MOST.saturating_sub(results.len());
        results.extend(followed.events.iter().take(room).map(|event| LiveTailSessionLogEvent {
            log_stream_name: Some(event.stream.to_string()),
            log_group_identifier: Some(group.clone()),
            message: Some(text(event)),
            timestamp: Some(signed(event.at)),
            ingestion_time: Some(signed(event.ingested)),
        }));
        followed.missed > 0 || followed.events.len() > room
    }

    async fn event(&self, name: &str, value: Value) -> Result<(), Ended> {
        let frame = self.api.event(self.target, name, &value).map_err(|_| Ended)?;
        self.send(frame).await
    }

    async fn send(&self, frame: Bytes) -> Result<(), Ended> {
        self.sender.send(frame).await.map_err(|_| Ended)
    }
}
