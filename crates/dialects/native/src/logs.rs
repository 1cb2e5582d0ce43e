//! A function's log lines, and more as they come.

use anyfn_base::TaskKind;
use anyfn_logs::{Event, FilterEvents, FollowRequest, Pattern, Streams};
use anyfn_types::{Error, Function, Kind, Result};
use anyfn_web::Response;
use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc;

use crate::{
    api::LogEvent,
    handle::{Call, number},
};

/// Events of one page of the store.
const PAGE: usize = 1000;
const QUEUE: usize = 64;

pub(crate) async fn logs(call: &Call<'_>, function: &Function) -> Result<Response> {
    let group = function.latest.config.logging.group.clone();
    let group = group.unwrap_or_else(|| format!("/aws/lambda/{}", function.name));
    let limit =
        usize::try_from(number(&call.query, "limit")?.unwrap_or(1000)).unwrap_or(1000).clamp(1, 100_000);
    let since = number(&call.query, "since")?;
    let pattern =
        call.query.get("filter").map_or_else(|| Ok(Pattern::default()), |text| Pattern::parse(text))?;
    let services = call.services;
    let follow = if call.query.contains_key("follow") {
        let request = FollowRequest {
            namespace: call.namespace.clone(),
            groups: vec![group.clone()],
            streams: Streams::All,
            pattern: pattern.clone(),
        };
        Some(services.logs.follow(request)?)
    } else {
        None
    };
    services.logs.flush().await;
    let (sender, lines) = mpsc::channel::<Bytes>(QUEUE);
    let (logs, namespace) = (services.logs.clone(), call.namespace.clone());
    services.base.tasks.spawn(TaskKind::Background, "log-reader", async move {
        let request = FilterEvents {
            streams: Streams::All,
            start: since,
            end: None,
            pattern,
            limit: PAGE,
            token: None,
        };
        let Ok(last) = past(&logs, &namespace, &group, request, limit, &sender).await else { return };
        let Some(mut follow) = follow else { return };
        while let Some(followed) = follow.next().await {
            for event in followed.events.iter().filter(|event| Some(event.id()) > last) {
                if sender.send(line(event)).await.is_err() {
                    return;
                }
            }
        }
    });
    let mut response = http::Response::new(anyfn_web::channel(lines));
    *response.status_mut() = StatusCode::OK;
    let kind = http::HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Sends the last `limit` of what is there; gives the id of the last one sent.
async fn past(
    logs: &anyfn_logs::Logs,
    namespace: &anyfn_types::Namespace,
    group: &str,
    mut request: FilterEvents,
    limit: usize,
    sender: &mpsc::Sender<Bytes>,
) -> Result<Option<String>> {
    let mut tail = std::collections::VecDeque::with_capacity(limit.min(PAGE));
    loop {
        let page = match logs.filter_events(namespace, group, &request).await {
            Ok(page) => page,
            Err(e) if e.kind == Kind::NotFound => break,
            Err(e) => return Err(e),
        };
        for event in page.events {
            if tail.len() == limit {
                tail.pop_front();
            }
            tail.push_back(event);
        }
        match page.next {
            Some(token) => request.token = Some(token),
            None => break,
        }
    }
    let last = tail.back().map(Event::id);
    for event in &tail {
        let gone = |_| Error::new(Kind::Unavailable, "reader_gone", "the reader went away");
        sender.send(line(event)).await.map_err(gone)?;
    }
    Ok(last)
}

fn line(event: &Event) -> Bytes {
    let text = String::from_utf8_lossy(&event.text).into_owned();
    let event = LogEvent { at: event.at, stream: event.stream.to_string(), text };
    let mut bytes = serde_json::to_vec(&event).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}
