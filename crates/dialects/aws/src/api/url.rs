//! Functions' own addresses.

mod cors;
mod event;
mod reply;

use anyfn_web::{Request, Response};

use super::Shared;

pub(crate) async fn handle(shared: &Shared, id: &str, path: &str, request: &Request) -> Response {
    let _ = (shared, request, id, path);
    anyfn_web::text(http::StatusCode::OK, "", "")
}
