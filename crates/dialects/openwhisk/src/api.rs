//! Paths to operations.

mod actions;
mod activations;
mod code;
mod documents;
mod invoke;
mod packages;
mod query;
mod rules;
mod triggers;
mod web;

use std::sync::Arc;

use anyfn_policy::{Action, Resource, allow};
use anyfn_types::{Error, Namespace};
use anyfn_web::{Request, Response};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use self::query::Query;
use crate::{
    OpenWhisk, Shared,
    calls::Who,
    fault::{Fault, Result},
    model::{self, PAYLOAD_BYTES},
    names::{FullName, OWN, namespace_of},
};

/// Bytes of a request that carries code: base64 of 48 MB, and its settings.
const CODE_REQUEST_BYTES: u64 = 70 * model::MIB;

/// Method and path of every route, for the table that tests read.
pub const ROUTES: [(&str, &str); 27] = [
    ("GET", "/api/v1"),
    ("GET", "/api/v1/namespaces"),
    ("GET", "/api/v1/namespaces/{ns}/limits"),
    ("GET", "/api/v1/namespaces/{ns}/actions"),
    ("PUT", "/api/v1/namespaces/{ns}/actions/{name+}"),
    ("GET", "/api/v1/namespaces/{ns}/actions/{name+}"),
    ("DELETE", "/api/v1/namespaces/{ns}/actions/{name+}"),
    ("POST", "/api/v1/namespaces/{ns}/actions/{name+}"),
    ("GET", "/api/v1/namespaces/{ns}/packages"),
    ("PUT", "/api/v1/namespaces/{ns}/packages/{name}"),
    ("GET", "/api/v1/namespaces/{ns}/packages/{name}"),
    ("DELETE", "/api/v1/namespaces/{ns}/packages/{name}"),
    ("GET", "/api/v1/namespaces/{ns}/triggers"),
    ("PUT", "/api/v1/namespaces/{ns}/triggers/{name}"),
    ("GET", "/api/v1/namespaces/{ns}/triggers/{name}"),
    ("DELETE", "/api/v1/namespaces/{ns}/triggers/{name}"),
    ("POST", "/api/v1/namespaces/{ns}/triggers/{name}"),
    ("GET", "/api/v1/namespaces/{ns}/rules"),
    ("PUT", "/api/v1/namespaces/{ns}/rules/{name}"),
    ("GET", "/api/v1/namespaces/{ns}/rules/{name}"),
    ("DELETE", "/api/v1/namespaces/{ns}/rules/{name}"),
    ("POST", "/api/v1/namespaces/{ns}/rules/{name}"),
    ("ANY", "/api/v1/web/{ns}/{pkg}/{action+}"),
    ("GET", "/api/v1/namespaces/{ns}/activations"),
    ("GET", "/api/v1/namespaces/{ns}/activations/{id}"),
    ("GET", "/api/v1/namespaces/{ns}/activations/{id}/logs"),
    ("GET", "/api/v1/namespaces/{ns}/activations/{id}/result"),
];

/// One request.
pub(crate) struct Ctx<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) request: &'a Request,
    pub(crate) query: Query,
    pub(crate) who: Who,
    /// The namespace that the path names.
    pub(crate) namespace: Namespace,
}

impl OpenWhisk {
    /// Bytes that a request's body may have.
    pub fn body_limit(&self, parts: &http::request::Parts) -> u64 {
        if parts.method == Method::PUT { CODE_REQUEST_BYTES } else { 2 * PAYLOAD_BYTES }
    }

    pub async fn handle(&self, request: Request) -> Response {
        let transaction = transaction(&self.0, &request);
        let mut response = match self.route(&request, &transaction).await {
            Ok(response) => response,
            Err(fault) => fault.response(&transaction),
        };
        name(&mut response, &transaction);
        response
    }

    /// A refusal by the gateway in our words.
    pub fn refuse(&self, error: &Error) -> Response {
        let mut told = Error::new(error.kind, error.code, error.public.clone());
        told.blame = error.blame;
        let transaction = self.0.base.random.label(32);
        let mut response = Fault::from(told).response(&transaction);
        name(&mut response, &transaction);
        response
    }

    async fn route(&self, request: &Request, transaction: &str) -> Result<Response> {
        let segments: Vec<String> = request.parts.uri.path().split('/').skip(1).map(query::decode).collect();
        let mut segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        // `actions/pkg/` lists a package; elsewhere a slash at the end says nothing.
        if segments.last() == Some(&"") && !matches!(segments.as_slice(), [_, _, _, _, "actions", _, _]) {
            segments.pop();
        }
        let method = &request.parts.method;
        match (method, segments.as_slice()) {
            (&Method::GET, ["api", "v1"]) => return Ok(anyfn_web::json(StatusCode::OK, &info())),
            (_, ["api", "v1", "namespaces", ..]) => {}
            (_, ["api", "v1", "web", namespace, package, action, below @ ..]) => {
                let page = web::Page { namespace, package, action, below };
                return self.web(request, &page, transaction).await;
            }
            _ => return Err(Fault::not_found()),
        }
        let who = self.who(request, transaction)?;
        let (namespace, rest) = match segments.as_slice() {
            [_, _, _] if method == Method::GET => {
                return Ok(anyfn_web::json(StatusCode::OK, &json!([who.namespace])));
            }
            [_, _, _, OWN, rest @ ..] => (who.namespace.clone(), rest),
            [_, _, _, named, rest @ ..] => (Namespace::new(*named).map_err(|_| Fault::not_found())?, rest),
            _ => return Err(Fault::method()),
        };
        let query = Query::parse(request.parts.uri.query().unwrap_or_default());
        let ctx = Ctx { shared: &self.0, request, query, who, namespace };
        ctx.dispatch(method, rest).await
    }

    /// The caller's namespace, and whether the key may do that at all.
    fn who(&self, request: &Request, transaction: &str) -> Result<Who> {
        let caller = &request.caller;
        let invokes = request.parts.method == Method::POST && !request.parts.uri.path().contains("/rules/");
        let action = if invokes { Action::Invoke } else { Action::Admin };
        let resource = Resource { account: &caller.account, name: "" };
        allow(caller, action, &resource).or_else(|| Error::not_found("namespace_not_found", ""))?;
        let namespace = namespace_of(&caller.account, &self.0.home)?;
        Ok(Who { namespace, subject: caller.account.clone(), transaction: transaction.to_owned() })
    }
}

fn name(response: &mut Response, transaction: &str) {
    if let Ok(value) = HeaderValue::from_str(transaction) {
        response.headers_mut().insert("x-request-id", value);
    }
}

/// The caller's own, if it gives one that can be shown again.
fn transaction(shared: &Shared, request: &Request) -> String {
    let given = request.parts.headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let given = given.filter(|id| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
    given.map_or_else(|| shared.base.random.label(32), str::to_owned)
}

impl Ctx<'_> {
    async fn dispatch(&self, method: &Method, rest: &[&str]) -> Result<Response> {
        match (method, rest) {
            (&Method::GET, ["limits"]) => {
                self.own().map(|()| anyfn_web::json(StatusCode::OK, &self.limits()))
            }
            (&Method::GET, ["actions"]) => self.list_actions(None).await,
            (&Method::GET, ["actions", package, ""]) => self.list_actions(Some(package)).await,
            (_, ["actions", name @ ..]) if (1..=2).contains(&name.len()) => {
                let full = FullName::parse(&format!("/{}/{}", self.namespace, name.join("/")))?;
                match *method {
                    Method::GET => self.get_action(&full).await,
                    Method::PUT => self.put_action(&full).await,
                    Method::DELETE => self.delete_action(&full).await,
                    Method::POST => self.invoke_action(&full).await,
                    _ => Err(Fault::method()),
                }
            }
            (&Method::GET, ["activations"]) => self.list_activations().await,
            (&Method::GET, ["activations", id]) => self.get_activation(id, None).await,
            (&Method::GET, ["activations", id, part]) => self.get_activation(id, Some(part)).await,
            (&Method::GET, ["packages"]) => self.list_packages().await,
            (&Method::GET, ["packages", name]) => self.get_package(name).await,
            (&Method::PUT, ["packages", name]) => self.put_package(name).await,
            (&Method::DELETE, ["packages", name]) => self.delete_package(name).await,
            (&Method::GET, ["triggers"]) => self.list_triggers().await,
            (_, ["triggers", name]) => self.trigger_call(method, name).await,
            (&Method::GET, ["rules"]) => self.list_rules().await,
            (_, ["rules", name]) => self.rule_call(method, name).await,
            (_, ["actions" | "activations" | "limits" | "packages" | "triggers" | "rules", ..]) => {
                Err(Fault::method())
            }
            _ => Err(Fault::not_found()),
        }
    }

    /// What is changed is the caller's own.
    fn own(&self) -> Result<()> {
        if self.namespace == self.who.namespace { Ok(()) } else { Err(Fault::forbidden()) }
    }

    /// The body as JSON; nothing is an empty object.
    fn body<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        let body = if self.request.body.is_empty() { b"{}" } else { &self.request.body[..] };
        serde_json::from_slice(body)
            .map_err(|e| Fault::invalid(format!("The request content was malformed:\n{e}")))
    }

    fn limits(&self) -> Value {
        json!({ "concurrentInvocations": self.shared.limits.account_concurrency, "maxActionConcurrency": model::CONCURRENCY.2,
            "maxActionLogs": model::LOGS_MB.2, "maxActionMemory": model::MEMORY_MB.2, "maxActionTimeout": model::TIMEOUT_MS.2,
            "maxParameterSize": PAYLOAD_BYTES, "minActionMemory": model::MEMORY_MB.0, "minActionTimeout": model::TIMEOUT_MS.0 })
    }
}

fn info() -> Value {
    let kind = |kind: &str, default: bool| {
        json!({ "kind": kind, "default": default, "deprecated": false, "attached": true,
        "requireMain": false, "image": "none" })
    };
    json!({
        "api_paths": ["/api/v1"],
        "description": "anyfn, in OpenWhisk's words",
        "build": env!("CARGO_PKG_VERSION"),
        "support": { "github": "https://github.com/anyfn/anyfn" },
        "limits": { "min_action_duration": model::TIMEOUT_MS.0, "max_action_duration": model::TIMEOUT_MS.2,
            "min_action_memory": model::MEMORY_MB.0 * model::MIB, "max_action_memory": model::MEMORY_MB.2 * model::MIB,
            "max_action_logs": model::LOGS_MB.2 * model::MIB, "sequence_length": model::SEQUENCE_MAX },
        "runtimes": {
            "nodejs": [kind("nodejs:18", false), kind("nodejs:20", true), kind("nodejs:22", false)],
            "python": [kind("python:3.10", false), kind("python:3.11", true), kind("python:3.12", false)],
            "go": [kind("go:1.20", true)], "rust": [kind("rust:1.34", true)], "swift": [kind("swift:5.7", true)],
            "blackbox": [kind("blackbox", true)], "sequence": [kind("sequence", true)]
        }
    })
}
