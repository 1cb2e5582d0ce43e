//! One request's way: route, bound, find out who calls, hand to a dialect.

use std::net::SocketAddr;

use anyfn_base::Base;
use anyfn_dialect_aws::Aws;
use anyfn_dialect_native::Native;
use anyfn_dialect_openwhisk::OpenWhisk;
use anyfn_types::{Error, Kind};
use anyfn_web::{Request, Response};
use http::{HeaderValue, StatusCode, Version, header, request::Parts};

use crate::{
    Body,
    authn::{Identity, Keys, Trust},
    body::Budget,
    connection::Handler,
    doors::Doors,
    meters::Meters,
    route::{Target, target},
};

/// Bytes of a deploy's JSON: a package of 50 MiB in base64 and its settings.
const DEPLOY_BYTES: u64 = 70 * 1024 * 1024;
/// Bytes of all bodies that are being read or worked on.
const BODIES_BYTES: usize = 512 * 1024 * 1024;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    base: Base,
    aws: Aws,
    native: Native,
    whisk: OpenWhisk,
    keys: Keys,
    bodies: Budget,
    meters: Meters,
    /// The parent domain of function addresses, where one is configured.
    domain: Option<std::sync::Arc<str>>,
    doors: Doors,
}

impl Handler for Gateway {
    async fn handle(&self, request: http::Request<Body>, peer: SocketAddr, trust: Trust) -> Response {
        let target = target(request.uri(), request.headers(), self.domain.as_deref());
        let counted = self.meters.of(&target);
        let reusable = request.version() > Version::HTTP_11;
        let mut response = self.serve(target, request, peer, trust).await;
        // The next request of this client belongs to another server. HTTP/2 has a frame of its own for that.
        if self.base.tasks.is_stopping() && !reusable {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        counted.count(response.status());
        response
    }
}

impl Gateway {
    pub fn new(
        base: Base,
        aws: Aws,
        native: Native,
        whisk: OpenWhisk,
        keys: Keys,
        domain: Option<String>,
    ) -> Self {
        let (bodies, meters) = (Budget::new(BODIES_BYTES), Meters::new(&base.metrics));
        Self {
            base,
            aws,
            native,
            whisk,
            keys,
            bodies,
            meters,
            domain: domain.map(Into::into),
            doors: Doors::new(),
        }
    }

    /// Ends when no request is being answered; what comes meanwhile is told that the server is going.
    pub async fn idle(&self) {
        self.doors.empty().await;
    }

    /// Ends listeners and connections that were given `closing`; requests that are being answered are answered.
    pub fn close(&self) {
        self.doors.close();
    }

    /// For `Options::closing`.
    pub fn closing(&self) -> tokio_util::sync::CancellationToken {
        self.doors.closing().clone()
    }

    async fn serve(
        &self,
        target: Target,
        request: http::Request<Body>,
        peer: SocketAddr,
        trust: Trust,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        match target {
            Target::Health => return anyfn_web::text(StatusCode::OK, "text/plain", "ok\n"),
            Target::Ready => return self.ready(),
            Target::Metrics => return self.metrics(&parts, trust, peer),
            _ => {}
        }
        let _inside = self.doors.enter();
        name_host(&mut parts);
        let base_url = base_url(&parts);
        let limit = match target {
            Target::Aws => self.aws.body_limit(&parts),
            Target::Url { .. } => self.aws.url_body_limit(),
            Target::Whisk | Target::WhiskWeb => self.whisk.body_limit(&parts),
            _ => DEPLOY_BYTES,
        };
        if let Err(error) = self.keys.admit(&parts, trust, &target, peer) {
            return self.refuse(&target, &parts, &error);
        }
        let held = match self.bodies.read(&self.base.clock, body, limit).await {
            Ok(held) => held,
            Err(error) => return self.refuse(&target, &parts, &error),
        };
        self.meters.body(held.bytes.len());
        let identity = match self.keys.identify(&parts, &held.bytes, trust, &target, peer).await {
            Ok(identity) => identity,
            Err(error) => return self.refuse(&target, &parts, &error),
        };
        let Identity { caller, service, region, body } = identity;
        let body = body.unwrap_or_else(|| held.bytes.clone());
        let request = Request { parts, body, caller, service, region, base_url, peer };
        match target {
            // In boxes, so that calls need no room for what is seldom.
            Target::Native => Box::pin(self.native.handle(request)).await,
            Target::Url { id, path } => self.aws.url(&id, &path, request).await,
            Target::Code => Box::pin(self.aws.code(request)).await,
            Target::Whisk | Target::WhiskWeb => Box::pin(self.whisk.handle(request)).await,
            _ => self.aws.handle(request).await,
        }
    }

    fn ready(&self) -> Response {
        if self.base.tasks.is_stopping() {
            return anyfn_web::text(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n");
        }
        anyfn_web::text(StatusCode::OK, "text/plain", "ready\n")
    }

    /// Metrics name functions of all namespaces: without keys only for callers on this machine.
    fn metrics(&self, parts: &Parts, trust: Trust, peer: SocketAddr) -> Response {
        let local = trust == Trust::Local || peer.ip().is_loopback();
        if !local && !self.keys.bearer_admin(parts) {
            return anyfn_web::text(StatusCode::FORBIDDEN, "text/plain", "metrics need an admin key\n");
        }
        anyfn_web::text(StatusCode::OK, "text/plain; version=0.0.4", self.base.metrics.text())
    }

    fn refuse(&self, target: &Target, parts: &Parts, error: &Error) -> Response {
        if error.kind == Kind::Internal {
            tracing::error!(?error, "request failed");
        }
        match target {
            Target::Native | Target::Code => anyfn_dialect_native::problem(error),
            Target::Whisk | Target::WhiskWeb => self.whisk.refuse(error),
            Target::Url { .. } => {
                let status = anyfn_dialect_native::status(error.kind);
                anyfn_web::json(status, &serde_json::json!({ "Message": error.public }))
            }
            _ => self.aws.refuse(parts, error),
        }
    }
}

/// HTTP/2 says the host in `:authority`; signatures and dialects look for the header.
fn name_host(parts: &mut Parts) {
    if parts.headers.contains_key(header::HOST) {
        return;
    }
    let host = parts.uri.authority().and_then(|a| header::HeaderValue::from_str(a.as_str()).ok());
    if let Some(host) = host {
        parts.headers.insert(header::HOST, host);
    }
}

/// The scheme and host that the caller used, for addresses in answers.
fn base_url(parts: &Parts) -> String {
    let host = parts.headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let host =
        host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("127.0.0.1:4566");
    format!("http://{host}")
}
