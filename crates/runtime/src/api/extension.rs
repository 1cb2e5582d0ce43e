//! Calls of extensions.

use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json as value};

use super::{Answered, accepted, error as refuse, json, refused};
use crate::{
    answer::Call,
    hub::Hub,
    machine::{Event, Refusal},
};

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const EVENT_IDENTIFIER: &str = "lambda-extension-event-identifier";
const FEATURES: &str = "lambda-extension-accept-feature";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
/// A registration's body at most.
const BODY_MAX: usize = 64 * 1024;

fn header<'r>(headers: &'r HeaderMap, name: &str) -> &'r str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[derive(serde::Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

/// `POST /extension/register`
pub(super) async fn register(hub: &Hub, headers: &HeaderMap, body: &mut Incoming) -> Answered {
    let name = header(headers, NAME).to_owned();
    let with_account = header(headers, FEATURES).split(',').any(|feature| feature.trim() == "accountId");
    let body = Limited::new(body, BODY_MAX).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let Ok(Registration { events }) = serde_json::from_slice(&body) else {
        return refuse(StatusCode::FORBIDDEN, "InvalidRequestFormat", "the body is no registration");
    };
    let id = hub.base.random.uuid_text();
    if let Err(refusal) = hub.change(|machine| machine.extensions.register(&name, &events, id.clone())) {
        return refused(&refusal);
    }
    let facts = &hub.facts;
    let mut about = value!({
        "functionName": facts.function, "functionVersion": facts.version, "handler": facts.handler,
    });
    if with_account {
        about["accountId"] = facts.account.clone().into();
    }
    let mut response = json(StatusCode::OK, &about);
    insert(&mut response, IDENTIFIER, &id);
    response
}

fn insert(response: &mut Answered, name: &'static str, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

/// The identifier, checked for its form first, as Lambda does.
fn identifier(headers: &HeaderMap) -> Result<&str, Refusal> {
    let id = header(headers, IDENTIFIER);
    if id.is_empty() {
        let text = "Missing Lambda-Extension-Identifier header";
        return Err(Refusal::Extension {
            error_type: "Extension.MissingExtensionIdentifier",
            message: text.to_owned(),
        });
    }
    if anyfn_types::InstanceId::from_uuid(id).is_none() {
        let text = "Invalid Lambda-Extension-Identifier";
        return Err(Refusal::Extension {
            error_type: "Extension.InvalidExtensionIdentifier",
            message: text.to_owned(),
        });
    }
    Ok(id)
}

/// `GET /extension/event/next`: waits for an event.
pub(super) async fn next(hub: &Hub, headers: &HeaderMap) -> Answered {
    let id = match identifier(headers) {
        Ok(id) => id,
        Err(refusal) => return refused(&refusal),
    };
    if let Err(refusal) = hub.change(|machine| machine.extensions.next(id)) {
        return refused(&refusal);
    }
    let event = hub.until(|machine| machine.extensions.take(id)).await;
    let mut response = json(StatusCode::OK, &told(&event));
    insert(&mut response, EVENT_IDENTIFIER, &hub.base.random.uuid_text());
    response
}

fn told(event: &Event) -> Value {
    match event {
        Event::Invoke(call) => invoke(call),
        Event::Shutdown { reason, deadline_ms } => {
            value!({"eventType": "SHUTDOWN", "deadlineMs": deadline_ms, "shutdownReason": reason})
        }
    }
}

fn invoke(call: &Call) -> Value {
    let mut event = value!({
        "eventType": "INVOKE", "deadlineMs": call.deadline_ms, "requestId": call.id,
        "invokedFunctionArn": call.arn,
    });
    if !call.trace.is_empty() {
        event["tracing"] = value!({"type": "X-Amzn-Trace-Id", "value": call.trace});
    }
    event
}

/// `POST /extension/init/error` and `/extension/exit/error`: the process is expected to end now.
pub(super) fn error(hub: &Hub, headers: &HeaderMap, init: bool) -> Answered {
    let id = match identifier(headers) {
        Ok(id) => id,
        Err(refusal) => return refused(&refusal),
    };
    if header(headers, ERROR_TYPE).is_empty() {
        let text = "Lambda-Extension-Function-Error-Type not found";
        return refuse(StatusCode::FORBIDDEN, "Extension.MissingHeader", text);
    }
    match hub.change(|machine| machine.extensions.error(id, init)) {
        Ok(()) => accepted(),
        Err(refusal) => refused(&refusal),
    }
}

/// Subscriptions to logs and telemetry: taken with 202 and the error that Lambda's own emulator answers with where these
/// APIs are off, which published extensions understand as "nothing will come".
pub(super) fn unsupported(api: &str) -> Answered {
    let (error_type, message) = (format!("{api}.NotSupported"), format!("{api} API is not supported"));
    refuse(StatusCode::ACCEPTED, &error_type, &message)
}
