//! The Runtime API 2018-06-01, the Extensions API 2020-01-01 and what is left of the Logs and Telemetry APIs, over
//! HTTP/1.1 on the guest's own loopback. The listener lies in the guest's network, so a guest can only speak for itself.

use std::{convert::Infallible, io, net::TcpListener, sync::Arc, time::Duration};

use anyfn_base::TaskKind;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{hub::Hub, machine::Refusal};

mod extension;
mod runtime;

/// Connections of one guest at once; a client beyond it waits to be accepted.
const CONNECTIONS: usize = 64;
/// Bytes of a refused body that are read and thrown away.
const UNREAD_MAX: usize = 64 << 20;

/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(10);

type Answered = Response<Full<Bytes>>;

/// Serves until `end`. Must be called within the runtime.
pub(crate) fn serve(listener: TcpListener, hub: Arc<Hub>, end: CancellationToken) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = hub.base.tasks.clone();
    let until = end.clone();
    let accept = async move {
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, or a client that left: trying again at once would only burn a core.
                hub.base.clock.sleep(PAUSE).await;
                continue;
            };
            let _slower_without = stream.set_nodelay(true);
            let (hub, end) = (hub.clone(), end.clone());
            let tasks = hub.base.tasks.clone();
            let connection = async move {
                let _permit = permit;
                let service = service_fn(move |request| route(hub.clone(), request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                let _closed = end.run_until_cancelled(connection).await;
            };
            tasks.spawn(TaskKind::Background, "runtime api connection", connection);
        }
    };
    // With the listener goes the last that holds the guest's network namespace.
    let serving = async move { until.run_until_cancelled(accept).await };
    tasks.spawn(TaskKind::Background, "runtime api", serving);
    Ok(())
}

async fn route(hub: Arc<Hub>, request: Request<Incoming>) -> Result<Answered, Infallible> {
    let (head, mut body) = request.into_parts();
    let answer = dispatch(&hub, &head, &mut body).await;
    // A body that nobody read would make the server close the connection, and the client miss the answer.
    let mut left = UNREAD_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
    Ok(answer)
}

async fn dispatch(hub: &Hub, head: &Parts, body: &mut Incoming) -> Answered {
    let parts: Vec<&str> = head.uri.path().split('/').skip(1).collect();
    let headers = &head.headers;
    match (&head.method, parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => runtime::next(hub).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            runtime::response(hub, id, headers, body).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            runtime::error(hub, id, headers, body).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            runtime::init_error(hub, headers, body).await
        }
        (_, ["2018-06-01", "runtime", "restore", "next" | "error"]) => runtime::restore(),
        (&Method::GET, ["2018-06-01", "ping"] | ["ping"]) => text("pong"),
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            extension::register(hub, headers, body).await
        }
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => extension::next(hub, headers).await,
        (&Method::POST, ["2020-01-01", "extension", "init", "error"]) => extension::error(hub, headers, true),
        (&Method::POST, ["2020-01-01", "extension", "exit", "error"]) => {
            extension::error(hub, headers, false)
        }
        (&Method::PUT, ["2020-08-15", "logs"]) => extension::unsupported("Logs"),
        (&Method::PUT, ["2022-07-01", "telemetry"]) => extension::unsupported("Telemetry"),
        _ => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Answered {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

fn plain(status: StatusCode, body: &'static str) -> Answered {
    with_type(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

fn text(body: &'static str) -> Answered {
    plain(StatusCode::OK, body)
}

fn json(status: StatusCode, body: &serde_json::Value) -> Answered {
    with_type(status, "application/json", body.to_string().into())
}

fn accepted() -> Answered {
    with_type(StatusCode::ACCEPTED, "application/json", Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

fn error(status: StatusCode, error_type: &str, message: &str) -> Answered {
    json(status, &serde_json::json!({"errorMessage": message, "errorType": error_type}))
}

fn refused(refusal: &Refusal) -> Answered {
    match refusal {
        Refusal::InvalidRequestId => error(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        Refusal::InvalidState { from, to } => {
            let message = format!(
                "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
            );
            error(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
        }
        Refusal::Extension { error_type, message } => error(StatusCode::FORBIDDEN, error_type, message),
    }
}
