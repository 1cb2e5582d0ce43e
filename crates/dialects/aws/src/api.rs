//! What AWS's clients call.

mod arn;
mod code;
mod collect;
mod context;
mod document;
mod fault;
mod lambda;
mod logs;
mod page;
mod permissions;
mod service;
mod sts;
mod trace;
mod url;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyfn_aws_model::{Api, lambda as lambda_model, logs as logs_model, sts as sts_model};
use anyfn_base::Base;
use anyfn_core::{Registry, ports::Artifacts};
use anyfn_engine::Engine;
use anyfn_logs::Logs;
use anyfn_types::{Error, Limits, MIB};
use anyfn_web::{Request, Response};
use anyfn_wire::schema::Service;
use http::request::Parts;

use self::{
    code::CodeKey,
    lambda::invoke::plain,
    service::{Named, Speaks},
};

/// What the dialect works on.
#[derive(Clone)]
pub struct Services {
    pub base: Base,
    pub registry: Registry,
    pub artifacts: Arc<dyn Artifacts>,
    pub engine: Engine,
    pub logs: Logs,
    pub limits: Limits,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// For requests that name no region.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
/// The only architecture that code can have here: of functions that name none.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// One operation, for the table that tests read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub service: &'static str,
    pub operation: &'static str,
    pub method: &'static str,
    /// Path template as the published model writes it; all operations of `logs` and `sts` share `/`.
    pub path: &'static str,
}

/// The dialect. Cheap to clone.
#[derive(Clone)]
pub struct Aws(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) services: Services,
    pub(crate) lambda: Arc<Api>,
    pub(crate) logs: Arc<Api>,
    pub(crate) sts: Arc<Api>,
    pub(crate) code_key: CodeKey,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws").finish_non_exhaustive()
    }
}

impl Aws {
    pub fn new(services: Services) -> Self {
        Self(Arc::new(Shared {
            code_key: CodeKey::new(&services.base.random),
            lambda: Arc::new(Api::new(&lambda_model::SERVICE)),
            logs: Arc::new(Api::new(&logs_model::SERVICE)),
            sts: Arc::new(Api::new(&sts_model::SERVICE)),
            services,
        }))
    }

    /// A request to a service's API.
    pub async fn handle(&self, request: Request) -> Response {
        if matches!(request.service.as_deref(), None | Some("lambda"))
            && let Some(name) = plain::name(&request.parts)
        {
            return plain::invoke(&self.0, &request, name).await;
        }
        match service::of(&request) {
            // In boxes, so that plain calls need no room for them.
            Named::Served(Speaks::Lambda) => Box::pin(lambda::handle(&self.0, &request)).await,
            Named::Served(Speaks::Logs) => Box::pin(logs::handle(&self.0, &request)).await,
            Named::Served(Speaks::Sts) => sts::handle(&self.0, &request),
            Named::Other(name) => service::refuse(&self.0, &request, &name),
        }
    }

    /// A request at a function's own address; `path_below` is what follows it, with or without its first `/`.
    pub async fn url(&self, id: &str, path_below: &str, request: Request) -> Response {
        url::handle(&self.0, id, path_below, &request).await
    }

    /// `GET /_anyfn/code/…`: a package, for whoever was given its address by `GetFunction` or `GetLayerVersion`.
    pub async fn code(&self, request: Request) -> Response {
        code::handle(&self.0, &request).await
    }

    /// Bytes that the body of a request may have. Beyond a call's own limit by a little, so that who sends just too much is
    /// told so in AWS's words.
    pub fn body_limit(&self, parts: &Parts) -> u64 {
        let limits = &self.0.services.limits;
        if plain::name(parts).is_some() {
            return limits.payload_bytes.max(limits.event_payload_bytes) + MIB;
        }
        let target = self.0.lambda.peek(parts).map(|target| target.operation.name);
        match target {
            // Base64 in JSON: four bytes for three, and room for the rest of the request.
            Some("CreateFunction" | "UpdateFunctionCode" | "PublishLayerVersion") => {
                limits.package_bytes / 3 * 4 + 4 * MIB
            }
            Some("Invoke" | "InvokeWithResponseStream" | "InvokeAsync") => {
                limits.payload_bytes.max(limits.event_payload_bytes) + MIB
            }
            Some(_) => MIB,
            // The APIs without paths; a batch of log events is 1 MiB before its JSON escapes.
            None if parts.uri.path() == "/" => 8 * MIB,
            None => MIB,
        }
    }

    /// Bytes that the body of a request at a function's own address may have: the limit of a call.
    pub fn url_body_limit(&self) -> u64 {
        self.0.services.limits.payload_bytes
    }

    /// The answer to a request to a service's API that was refused before its body was read or its caller known.
    pub fn refuse(&self, parts: &Parts, error: &Error) -> Response {
        service::refuse_early(&self.0, parts, error)
    }
}

/// Every operation that is served.
pub fn routes() -> Vec<Route> {
    let tables = [
        (&lambda_model::SERVICE, lambda::OPERATIONS),
        (&logs_model::SERVICE, logs::OPERATIONS),
        (&sts_model::SERVICE, sts::OPERATIONS),
    ];
    let route = |service: &'static Service, name: &&str| {
        let operation = service.operation(name)?;
        let (method, path) = (operation.method, operation.uri);
        Some(Route { service: service.name, operation: operation.name, method, path })
    };
    tables.iter().flat_map(|(service, names)| names.iter().filter_map(|name| route(service, name))).collect()
}
