//! Calls of the runtime.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::{Answered, accepted, error as refuse, plain, refused, with_type};
use crate::{
    answer::{Answer, Call},
    failure,
    hub::Hub,
};

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
/// An error's body at most; more is cut off by refusing it.
const ERROR_MAX: u64 = 256 * 1024 * 4;

/// `GET /runtime/invocation/next`: waits for a call.
pub(super) async fn next(hub: &Hub) -> Answered {
    if let Err(refusal) = hub.change(|machine| machine.next()) {
        return refused(&refusal);
    }
    let call = hub.until(|machine| machine.take()).await;
    let mut response = with_type(StatusCode::OK, "application/json", call.body.clone());
    head(response.headers_mut(), &call);
    response
}

fn head(headers: &mut HeaderMap, call: &Call) {
    let deadline = call.deadline_ms.to_string();
    let fields = [
        ("lambda-runtime-aws-request-id", call.id.as_str()),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", &call.arn),
        ("lambda-runtime-trace-id", &call.trace),
        ("lambda-runtime-client-context", &call.client_context),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

/// `POST /runtime/invocation/{id}/response`
pub(super) async fn response(hub: &Hub, id: &str, headers: &HeaderMap, body: &mut Incoming) -> Answered {
    if let Err(refusal) = hub.change(|machine| machine.answer(id)) {
        return refused(&refusal);
    }
    match headers.get(RESPONSE_MODE).map(HeaderValue::as_bytes) {
        None => whole(hub, body).await,
        Some(mode) if mode.eq_ignore_ascii_case(b"streaming") => stream(hub, headers, body).await,
        Some(_) => {
            let failure = failure::found(
                "Runtime.InvalidResponseModeHeader",
                Some(id),
                "Invalid function response mode",
            );
            done(hub, Answer::Failed(failure)).await;
            refuse(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", "Invalid function response mode")
        }
    }
}

/// The machine is told first, so that the runtime may ask for its next call as soon as it has our answer.
async fn done(hub: &Hub, answer: Answer) {
    hub.change(|machine| machine.answered());
    let _retired = hub.answers.send(answer).await;
}

async fn whole(hub: &Hub, body: &mut Incoming) -> Answered {
    let limit = hub.facts.payload_max;
    match collect(body, limit).await {
        Collected::Whole(body) => {
            done(hub, Answer::Whole(body)).await;
            accepted()
        }
        Collected::TooLarge(size) => {
            done(hub, Answer::TooLarge(size)).await;
            let message = format!("Exceeded maximum allowed payload size ({limit} bytes).");
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        }
        Collected::Broken => {
            let failure =
                failure::found("Runtime.TruncatedResponse", None, "HTTP request detected as truncated");
            done(hub, Answer::Failed(failure)).await;
            refuse(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", "HTTP request detected as truncated")
        }
    }
}

enum Collected {
    Whole(Bytes),
    /// How large it says it is, or what came before we stopped to count.
    TooLarge(u64),
    Broken,
}

/// Reads a body; what is over the limit is read and thrown away, so that the client sees our answer and not a reset.
async fn collect(body: &mut Incoming, limit: u64) -> Collected {
    let expected = body.size_hint().lower();
    let mut kept = BytesMut::with_capacity(usize::try_from(expected.min(limit)).unwrap_or(0));
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Collected::Broken };
        let Ok(data) = frame.into_data() else { continue };
        size += data.len() as u64;
        if size > limit.saturating_mul(4) {
            return Collected::TooLarge(size.max(expected));
        }
        if size <= limit {
            kept.extend_from_slice(&data);
        } else {
            kept = BytesMut::new();
        }
    }
    if size > limit { Collected::TooLarge(size) } else { Collected::Whole(kept.freeze()) }
}

async fn stream(hub: &Hub, headers: &HeaderMap, body: &mut Incoming) -> Answered {
    let content_type = headers.get(http::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let _retired = hub.answers.send(Answer::StreamHead { content_type }).await;
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let text = "HTTP request detected as truncated";
            done(hub, Answer::StreamFailed(failure::found("Runtime.TruncatedResponse", None, text))).await;
            return refuse(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", text);
        };
        match frame.into_data() {
            Ok(data) => {
                let _retired = hub.answers.send(Answer::Chunk(data)).await;
            }
            Err(frame) => failed = frame.into_trailers().ok().and_then(|trailers| trailer(&trailers)),
        }
    }
    done(hub, failed.map_or(Answer::StreamEnd, Answer::StreamFailed)).await;
    accepted()
}

/// A failure in the middle of a stream comes as trailers; its body is base64.
fn trailer(trailers: &HeaderMap) -> Option<anyfn_types::Failure> {
    use base64::Engine as _;
    let error_type = trailers.get(ERROR_TYPE)?.to_str().ok();
    let body = trailers.get(ERROR_BODY).map(HeaderValue::as_bytes).unwrap_or_default();
    let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
    Some(failure::reported(&failure::clean_type(error_type), body.into()))
}

/// The type as the header has it, or else as the body has it.
fn error_type(headers: &HeaderMap, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "errorType")]
        error_type: Option<String>,
    }
    let given = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let given = given.or_else(|| serde_json::from_slice::<Typed>(body).ok()?.error_type);
    failure::clean_type(given.as_deref())
}

async fn reported(headers: &HeaderMap, body: &mut Incoming) -> Option<anyfn_types::Failure> {
    match collect(body, ERROR_MAX).await {
        Collected::Whole(body) => Some(failure::reported(&error_type(headers, &body), body)),
        Collected::TooLarge(size) => Some(failure::too_large(size, ERROR_MAX)),
        Collected::Broken => None,
    }
}

/// `POST /runtime/invocation/{id}/error`
pub(super) async fn error(hub: &Hub, id: &str, headers: &HeaderMap, body: &mut Incoming) -> Answered {
    if let Err(refusal) = hub.change(|machine| machine.answer(id)) {
        return refused(&refusal);
    }
    let broken =
        || failure::found("Runtime.TruncatedResponse", Some(id), "HTTP request detected as truncated");
    let failure = reported(headers, body).await.unwrap_or_else(broken);
    done(hub, Answer::Failed(failure)).await;
    accepted()
}

/// `POST /runtime/init/error`
pub(super) async fn init_error(hub: &Hub, headers: &HeaderMap, body: &mut Incoming) -> Answered {
    if let Err(refusal) = hub.change(|machine| machine.init_error()) {
        return refused(&refusal);
    }
    let broken = || failure::found("Runtime.TruncatedResponse", None, "HTTP request detected as truncated");
    let failure = reported(headers, body).await.unwrap_or_else(broken);
    let _retired = hub.answers.send(Answer::InitFailed(failure)).await;
    accepted()
}

/// `/runtime/restore/*`: there only where snapshots are restored, which this contract never says it does.
pub(super) fn restore() -> Answered {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}
