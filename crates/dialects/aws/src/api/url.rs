//! Functions' own addresses: an HTTP request becomes an event, what the function returns becomes an HTTP answer.

mod answer;
mod cors;
mod event;
mod pass;
mod reply;

use std::sync::Arc;

use anyfn_core::{Outcome, ports::Invoke as _};
use anyfn_types::{
    Error, Function, FunctionUrl, Invocation, InvocationId, Kind, Mode, Qualifier, TraceContext, UrlAuth,
    VersionState,
};
use anyfn_web::{Request, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use self::{answer::Answer, cors::Cors, event::Asked};
use super::{Shared, arn::Home, trace};

/// A request that found its function.
struct Visit<'a> {
    shared: &'a Shared,
    request: &'a Request,
    function: Arc<Function>,
    url: FunctionUrl,
    id: InvocationId,
    trace: TraceContext,
}

pub(crate) async fn handle(shared: &Shared, url_id: &str, path: &str, request: &Request) -> Response {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let known = (1..=64).contains(&url_id.len()) && url_id.bytes().all(plain);
    let found = if known { shared.services.registry.by_url(url_id).await } else { Ok(None) };
    let (function, url) = match found {
        Ok(Some(found)) => found,
        // Who guesses learns nothing from the answer.
        Ok(None) => return forbidden(),
        Err(error) if error.kind == Kind::NotFound => return forbidden(),
        Err(error) => return failed(&error),
    };
    let (base, headers) = (&shared.services.base, &request.parts.headers);
    let trace =
        trace::read(headers, &base.random).unwrap_or_else(|| trace::fresh(&base.random, base.clock.wall()));
    let visit = Visit { shared, request, function, url, id: base.random.invocation_id(), trace };
    let cors = Cors::of(visit.url.cors.as_ref());
    let mut response = visit.serve(path, cors.as_ref()).await;
    visit.sign(response.headers_mut());
    if let Some(cors) = cors.filter(|_| !Cors::is_preflight(&request.parts.method, headers)) {
        cors.apply(headers, response.headers_mut());
    }
    response
}

impl Visit<'_> {
    async fn serve(&self, path: &str, cors: Option<&Cors>) -> Response {
        let parts = &self.request.parts;
        if let Some(cors) = cors.filter(|_| Cors::is_preflight(&parts.method, &parts.headers)) {
            let mut response = anyfn_web::text(StatusCode::OK, "application/json", "");
            response.headers_mut().extend(cors.preflight(&parts.headers));
            return response;
        }
        let home = Home::of(&self.function.namespace);
        if !self.allowed(&home) {
            return forbidden();
        }
        if self.function.latest.state == VersionState::Pending {
            self.shared.services.engine.activate(&self.function);
        }
        let invocation = match self.invocation(&home, path).await {
            Ok(invocation) => invocation,
            Err(error) => return failed(&error),
        };
        match self.shared.services.engine.invoke(invocation).await {
            Ok(Outcome::Replied(reply)) => self.answer().give(reply).await,
            Ok(Outcome::Broken(error)) | Err(error) => failed(&error),
            Ok(Outcome::Accepted(_) | Outcome::WouldRun) => {
                failed(&Error::internal("url_outcome", "not waited for"))
            }
        }
    }

    /// An address that asks for a signature serves keys of its own account that may call functions.
    fn allowed(&self, home: &Home) -> bool {
        let caller = &self.request.caller;
        match self.url.auth {
            UrlAuth::None => true,
            UrlAuth::Iam => {
                !caller.key.0.is_empty() && caller.rights.invoke && caller.account == home.account
            }
        }
    }

    /// Whether the function behind the address takes HTTP as it is.
    async fn takes_http(&self) -> Result<bool, Error> {
        let Some(alias) = self.url.alias.as_ref().and_then(|name| self.function.aliases.get(name)) else {
            return Ok(self.function.latest.config.contract.takes_http());
        };
        let version = self.shared.services.registry.version(&self.function, alias.version).await?;
        Ok(version.config.contract.takes_http())
    }

    async fn invocation(&self, home: &Home, path: &str) -> Result<Invocation, Error> {
        let services = &self.shared.services;
        let passes = self.takes_http().await?;
        let alias = self.url.alias.as_deref();
        let now = services.base.clock.wall();
        let asked = self.asked(home, path, now);
        let (body, http) = match passes {
            true => (self.request.body.clone(), Some(Box::new(pass::head(&asked)))),
            false => (event::event(&asked), None),
        };
        Ok(Invocation {
            id: self.id,
            namespace: self.function.namespace.clone(),
            function: self.function.name.clone(),
            qualifier: alias.map(|name| Qualifier::Alias(name.to_owned())),
            mode: if self.url.stream { Mode::Stream } else { Mode::Wait },
            body,
            invoked_as: home.function_at(&self.function.name, alias),
            client_context: None,
            trace: Some(self.trace.clone()),
            want_log_tail: false,
            accepted: now,
            http,
        })
    }

    fn asked<'a>(&'a self, home: &'a Home, path: &'a str, now: u64) -> Asked<'a> {
        let request = self.request;
        let (scheme, rest) = request.base_url.split_once("://").unwrap_or(("http", &request.base_url));
        let port = rest.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
        let signed = self.url.auth == UrlAuth::Iam;
        Asked {
            parts: &request.parts,
            body: &request.body,
            path: if path.is_empty() { "/" } else { path },
            url_id: &self.url.id,
            peer: request.peer,
            scheme,
            port: port.unwrap_or(if scheme == "https" { 443 } else { 80 }),
            id: self.id,
            trace: &self.trace,
            now,
            account: signed.then_some(home.account.as_str()),
            key: signed.then_some(request.caller.key.0.as_str()),
        }
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            tasks: &self.shared.services.base.tasks,
            function: &self.function,
            stream: self.url.stream,
            limit: self.shared.services.limits.payload_bytes,
            id: self.id,
        }
    }

    /// What every answer carries.
    fn sign(&self, headers: &mut HeaderMap) {
        let mut put = |name: &'static str, value: String| {
            if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        put("x-amzn-requestid", self.id.uuid());
        put("x-amzn-trace-id", trace::header(&self.trace));
    }
}

fn forbidden() -> Response {
    let mut response = message(StatusCode::FORBIDDEN, r#"{"Message":"Forbidden"}"#);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static("AccessDeniedException"));
    response
}

/// The call never ran, or the platform broke while it did.
fn failed(error: &Error) -> Response {
    match error.kind {
        Kind::Throttled => message(StatusCode::TOO_MANY_REQUESTS, r#"{"Message":"Rate Exceeded."}"#),
        Kind::TooLarge => message(StatusCode::PAYLOAD_TOO_LARGE, r#"{"Message":"Request Entity Too Large"}"#),
        Kind::NotFound | Kind::Denied | Kind::Unauthenticated => forbidden(),
        Kind::Unavailable => message(StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Service Unavailable"}"#),
        Kind::Timeout => message(StatusCode::GATEWAY_TIMEOUT, r#"{"message":"Endpoint request timed out"}"#),
        Kind::Invalid | Kind::Conflict | Kind::Precondition | Kind::Unsupported | Kind::Internal => {
            tracing::error!(?error, "a call at a function's address failed");
            message(StatusCode::BAD_GATEWAY, BROKEN)
        }
    }
}

/// What the caller hears when the function failed or said nothing that can be sent.
const BROKEN: &str = r#"{"message":"Internal Server Error"}"#;

fn message(status: StatusCode, body: &'static str) -> Response {
    anyfn_web::text(status, "application/json", body)
}
