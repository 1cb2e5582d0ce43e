//! CloudWatch Logs.

use anyfn_web::{Request, Response};

use super::Shared;

pub(crate) const OPERATIONS: &[&str] = &[];

pub(crate) async fn handle(shared: &Shared, request: &Request) -> Response {
    let _ = (shared, request);
    anyfn_web::text(http::StatusCode::OK, "", "")
}
