//! AWS: Lambda, CloudWatch Logs and STS as their own clients call them, and function URLs.
#![allow(missing_debug_implementations, reason = "temporary")]
use anyfn_web::{Request, Response};
use std::sync::Arc;
#[derive(Clone)]
pub struct Services {
    pub base: anyfn_base::Base,
    pub registry: anyfn_core::Registry,
    pub artifacts: Arc<dyn anyfn_core::ports::Artifacts>,
    pub engine: anyfn_engine::Engine,
    pub logs: anyfn_logs::Logs,
    pub limits: anyfn_types::Limits,
}
#[derive(Clone, Debug)]
pub struct Aws;
pub struct Route {
    pub service: &'static str,
    pub operation: &'static str,
    pub method: &'static str,
    pub path: &'static str,
}
pub fn routes() -> Vec<Route> {
    Vec::new()
}
impl Aws {
    pub fn new(_: Services) -> Self {
        Self
    }
    pub async fn handle(&self, _: Request) -> Response {
        anyfn_web::text(http::StatusCode::NOT_FOUND, "text/plain", "")
    }
    pub async fn url(&self, _: &str, _: &str, _: Request) -> Response {
        anyfn_web::text(http::StatusCode::NOT_FOUND, "text/plain", "")
    }
    pub async fn code(&self, _: Request) -> Response {
        anyfn_web::text(http::StatusCode::NOT_FOUND, "text/plain", "")
    }
    pub fn body_limit(&self, _: &http::request::Parts) -> u64 {
        1 << 20
    }
    pub fn url_body_limit(&self) -> u64 {
        1 << 20
    }
    pub fn refuse(&self, _: &http::request::Parts, _: &anyfn_types::Error) -> Response {
        anyfn_web::text(http::StatusCode::NOT_FOUND, "text/plain", "")
    }
}
