//! Paths to actions.

use std::{collections::HashMap, sync::Arc};

use anyfn_base::Base;
use anyfn_core::{
    NewFunction, Outcome, Registry, ReplyBody,
    ports::{Artifacts, Capabilities, Invoke as _},
};
use anyfn_engine::Engine;
use anyfn_logs::Logs;
use anyfn_policy::Action;
use anyfn_types::{
    Config, Contract, Ephemeral, Error, Function, FunctionName, FunctionUrl, Invocation, Kind, Limits,
    Logging, Mode, Namespace, Qualifier, Result, UrlAuth, Version, VersionState,
};
use anyfn_web::{Request, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::{
    access,
    api::{Deploy, DeployConfig, Listing, Problem, ServerInfo, headers},
    describe, logs,
};

/// Method and path of every route, for the table that tests read.
pub const ROUTES: [(&str, &str); 7] = [
    ("GET", "/_anyfn/v1/functions"),
    ("PUT", "/_anyfn/v1/functions/{name}"),
    ("GET", "/_anyfn/v1/functions/{name}"),
    ("DELETE", "/_anyfn/v1/functions/{name}"),
    ("POST", "/_anyfn/v1/functions/{name}/invoke"),
    ("GET", "/_anyfn/v1/functions/{name}/logs"),
    ("GET", "/_anyfn/v1/server"),
];

/// What the dialect works on.
#[derive(Clone)]
pub struct Services {
    pub base: Base,
    pub registry: Registry,
    pub artifacts: Arc<dyn Artifacts>,
    pub engine: Engine,
    pub logs: Logs,
    pub limits: Limits,
    /// For calls that name none.
    pub namespace: Namespace,
    pub isolation: Capabilities,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The dialect. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Native(pub(crate) Arc<Services>);

pub(crate) struct Call<'a> {
    pub(crate) services: &'a Services,
    pub(crate) request: &'a Request,
    pub(crate) namespace: Namespace,
    pub(crate) query: HashMap<String, String>,
}

impl Native {
    pub fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    pub async fn handle(&self, request: Request) -> Response {
        match self.route(&request).await {
            Ok(response) => response,
            Err(error) => {
                if matches!(error.kind, Kind::Internal) {
                    tracing::error!(?error, path = request.parts.uri.path(), "request failed");
                }
                problem(&error)
            }
        }
    }

    async fn route(&self, request: &Request) -> Result<Response> {
        let query = query(request.parts.uri.query().unwrap_or_default());
        let path = request.parts.uri.path().strip_prefix("/_anyfn/v1/").unwrap_or_default();
        let parts: Vec<&str> = path.split('/').collect();
        let invokes = matches!(parts.as_slice(), ["functions", _, "invoke"]);
        let action = if invokes { Action::Invoke } else { Action::Admin };
        let namespace =
            access::namespace(&self.0.namespace, &request.caller, action, query.get("namespace"))?;
        let call = Call { services: &self.0, request, namespace, query };
        match (&request.parts.method, parts.as_slice()) {
            (&Method::GET, ["server"]) => Ok(anyfn_web::json(StatusCode::OK, &call.server())),
            (&Method::GET, ["functions"]) => call.list().await,
            (&Method::PUT, ["functions", name]) => call.deploy(&function_name(name)?).await,
            (&Method::GET, ["functions", name]) => {
                let function = self.0.registry.get(&call.namespace, &function_name(name)?).await?;
                let described = describe::describe(&call, &function).await?;
                Ok(anyfn_web::json(StatusCode::OK, &described))
            }
            (&Method::DELETE, ["functions", name]) => {
                self.0.registry.delete(&call.namespace, &function_name(name)?).await?;
                Ok(anyfn_web::text(StatusCode::NO_CONTENT, "text/plain", ""))
            }
            (&Method::POST, ["functions", name, "invoke"]) => call.invoke(function_name(name)?).await,
            (&Method::GET, ["functions", name, "logs"]) => {
                let function = self.0.registry.get(&call.namespace, &function_name(name)?).await?;
                logs::logs(&call, &function).await
            }
            _ => Err(Error::not_found(
                "route_not_found",
                "there is no such route; see the documentation of /_anyfn/v1",
            )),
        }
    }
}

impl Call<'_> {
    fn server(&self) -> ServerInfo {
        ServerInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            namespace: self.namespace.to_string(),
            isolation: self.services.isolation.parts.clone(),
            instances: self.services.engine.instances(),
        }
    }

    async fn list(&self) -> Result<Response> {
        let limit = number(&self.query, "limit")?.unwrap_or(1000).clamp(1, 1000);
        let limit = usize::try_from(limit).unwrap_or(1000);
        let after = self.query.get("after").map(String::as_str);
        let page = self.services.registry.list(&self.namespace, after, limit).await?;
        let functions = page.items.iter().map(|f| describe::summary(self, f)).collect();
        Ok(anyfn_web::json(StatusCode::OK, &Listing { functions, next: page.next }))
    }

    async fn deploy(&self, name: &FunctionName) -> Result<Response> {
        let deploy: Deploy = serde_json::from_slice(&self.request.body)
            .map_err(|e| Error::invalid("body_invalid", format!("the body is no valid deploy: {e}")))?;
        let zip = STANDARD
            .decode(&deploy.zip)
            .map_err(|e| Error::invalid("body_invalid", format!("`zip` is no base64: {e}")))?;
        let config = self.config(&deploy.config)?;
        let package = self.services.artifacts.ingest(Bytes::from(zip)).await?;
        let new = NewFunction {
            namespace: self.namespace.clone(),
            name: name.clone(),
            code: package.code,
            config,
            tags: Default::default(),
            extra: Default::default(),
        };
        let function = match self.services.registry.create(new.clone()).await {
            Err(e) if e.code == "function_exists" => self.replace(new).await?,
            other => other?,
        };
        let mut function = self.services.engine.activate_now(&function).await?;
        if deploy.config.url == Some(true) && !function.urls.contains_key("") {
            function = self.services.registry.put_url(&function, self.url(), true).await?;
        }
        let described = describe::describe(self, &function).await?;
        Ok(anyfn_web::json(StatusCode::OK, &described))
    }

    async fn replace(&self, new: NewFunction) -> Result<Arc<Function>> {
        let registry = &self.services.registry;
        let (id, revision) = (self.services.base.random.version_id(), registry.revision());
        let modified = self.services.base.clock.wall();
        let change = |f: &mut Function| {
            f.latest = Version {
                id,
                number: 0,
                code: new.code.clone(),
                config: Config { extra: extra(&f.latest.config, &new.config), ..new.config.clone() },
                modified,
                revision: revision.clone(),
                state: VersionState::Pending,
                notice: None,
            };
            Ok(())
        };
        Ok(registry.update(&new.namespace, &new.name, change).await?.0)
    }

    fn url(&self) -> FunctionUrl {
        let now = self.services.base.clock.wall();
        let id = self.services.base.random.label(32);
        FunctionUrl {
            id,
            alias: None,
            auth: UrlAuth::None,
            stream: false,
            cors: None,
            created: now,
            modified: now,
        }
    }

    fn config(&self, from: &DeployConfig) -> Result<Config> {
        let limits = &self.services.limits;
        let range = |name: &str, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                return Ok(value);
            }
            Err(Error::invalid("config_invalid", format!("`{name}` is {value}; it must be {min} to {max}")))
        };
        let memory = range("memory_mib", from.memory_mib.unwrap_or(128).into(), 128, 10_240)?;
        let most = if limits.timeout_ms_max == 0 { u64::MAX } else { limits.timeout_ms_max };
        let least = u64::from(limits.timeout_ms_max != 0);
        let timeout_ms = range("timeout_ms", from.timeout_ms.unwrap_or(3000), least, most)?;
        let tmp = range("tmp_mib", from.tmp_mib.unwrap_or(512).into(), 512, 10_240)?;
        let env_bytes: usize = from.env.iter().map(|(k, v)| k.len() + v.len()).sum();
        range("env", env_bytes as u64, 0, limits.env_bytes)?;
        Ok(Config {
            contract: Contract::of(&from.runtime, &from.handler),
            runtime: from.runtime.clone(),
            handler: from.handler.clone(),
            command: from.command.clone(),
            description: from.description.clone(),
            role: format!(
                "arn:aws:iam::{}:role/anyfn",
                self.namespace.as_str().split('.').next().unwrap_or_default()
            ),
            env: from.env.clone(),
            memory_mib: u32::try_from(memory).unwrap_or(128),
            timeout_ms,
            ephemeral: Ephemeral { mib: u32::try_from(tmp).unwrap_or(512) },
            layers: Vec::new(),
            architecture: architecture().to_owned(),
            logging: Logging::default(),
            placement: anyfn_types::Placement { tier: from.isolation, calls_max: from.calls_max },
            extra: from.http.iter().map(|http| ("http".to_owned(), http.clone())).collect(),
        })
    }

    async fn invoke(&self, function: FunctionName) -> Result<Response> {
        let mode = match self.query.get("mode").map_or("wait", String::as_str) {
            "wait" => Mode::Wait,
            "queue" => Mode::Queue,
            other => {
                return Err(Error::invalid(
                    "mode_invalid",
                    format!("`mode` is `wait` or `queue`, not `{other}`"),
                ));
            }
        };
        let qualifier = self.query.get("qualifier").map(|q| Qualifier::parse(q)).transpose()?;
        let body =
            if self.request.body.is_empty() { Bytes::from_static(b"{}") } else { self.request.body.clone() };
        let invocation = Invocation {
            id: self.services.base.random.invocation_id(),
            namespace: self.namespace.clone(),
            invoked_as: describe::arn(&self.namespace, &function, qualifier.as_ref()),
            function,
            qualifier,
            mode,
            body,
            client_context: None,
            trace: None,
            want_log_tail: self.query.contains_key("tail"),
            accepted: self.services.base.clock.wall(),
            http: None,
        };
        let outcome = self.services.engine.invoke(invocation).await?;
        encode(outcome)
    }
}

/// What other dialects keep stays; what this one sets is as the deploy says.
fn extra(old: &Config, new: &Config) -> std::collections::BTreeMap<String, serde_json::Value> {
    let kept = old.extra.iter().filter(|(name, _)| *name != "http");
    kept.chain(&new.extra).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn encode(outcome: Outcome) -> Result<Response> {
    let mut extra: Vec<(&'static str, String)> = Vec::new();
    let mut response = match outcome {
        Outcome::Accepted(id) => {
            extra.extend([(headers::OUTCOME, "accepted".into()), (headers::INVOCATION, id.uuid())]);
            anyfn_web::text(StatusCode::ACCEPTED, "application/json", "")
        }
        Outcome::WouldRun => anyfn_web::text(StatusCode::NO_CONTENT, "application/json", ""),
        Outcome::Broken(error) => return Err(error),
        Outcome::Replied(reply) => {
            extra.push((headers::INVOCATION, reply.id.uuid()));
            let version = if reply.version == 0 { "$LATEST".into() } else { reply.version.to_string() };
            extra.push((headers::VERSION, version));
            if let Some(tail) = &reply.log_tail {
                extra.push((headers::LOG_TAIL, STANDARD.encode(tail)));
            }
            if let Some(billing) = &reply.billing {
                extra.push((headers::BILLING, serde_json::to_string(billing).unwrap_or_default()));
            }
            let (word, body, kind) = match reply.result {
                Ok(ReplyBody::Whole(bytes)) => ("returned", anyfn_web::full(bytes), None),
                Ok(ReplyBody::Stream { content_type, frames }) => {
                    ("returned", anyfn_web::stream(frames), content_type)
                }
                Err(failure) => ("failed", anyfn_web::full(failure.payload), None),
            };
            extra.push((headers::OUTCOME, word.into()));
            let mut response = http::Response::new(body);
            let kind = kind.and_then(|k| HeaderValue::from_str(&k).ok());
            let kind = kind.unwrap_or(HeaderValue::from_static("application/json"));
            response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
            response
        }
    };
    for (name, value) in extra {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

/// The only architecture that code can have here.
fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

fn function_name(text: &str) -> Result<FunctionName> {
    FunctionName::new(text)
}

fn query(text: &str) -> HashMap<String, String> {
    let decode =
        |s: &str| percent_encoding::percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |part: &str| {
        part.split_once('=').map_or_else(|| (decode(part), String::new()), |(k, v)| (decode(k), decode(v)))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

pub(crate) fn number(query: &HashMap<String, String>, name: &'static str) -> Result<Option<u64>> {
    let parse = |text: &String| {
        text.parse().map_err(|_| {
            Error::invalid("query_invalid", format!("`{name}` is `{text}`; it must be a number"))
        })
    };
    query.get(name).map(parse).transpose()
}

/// The status that fits an error's kind.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error as this API gives it.
pub fn problem(error: &Error) -> Response {
    let body = Problem { code: error.code.to_owned(), message: error.public.clone() };
    anyfn_web::json(status(error.kind), &body)
}
