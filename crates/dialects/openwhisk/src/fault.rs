//! Errors in OpenWhisk's words: a status and `{error, code}`, where the code is the transaction's.

use anyfn_types::{Error, Kind};
use anyfn_web::Response;
use http::StatusCode;

/// What a caller is told.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The requested resource does not exist.")
    }

    pub(crate) fn exists() -> Self {
        Self::new(StatusCode::CONFLICT, "resource already exists")
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }

    pub(crate) fn forbidden() -> Self {
        let text = "The supplied authentication is not authorized to access this resource.";
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "The supplied authentication is invalid.")
    }

    pub(crate) fn method() -> Self {
        let text = "HTTP method not allowed, supported methods: GET, PUT, POST, DELETE";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    pub(crate) fn too_large(what: &str, is: u64, allowed: u64) -> Self {
        let text = format!("The {what} is too large: {is} > {allowed} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// As an answer.
    pub(crate) fn response(&self, transaction: &str) -> Response {
        let body = serde_json::json!({ "error": self.text, "code": transaction });
        let mut response = anyfn_web::json(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            let ask = http::HeaderValue::from_static("Basic realm=\"OpenWhisk secure resource\"");
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, ask);
        }
        response
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.public.clone();
        let (status, text) = match error.kind {
            Kind::Invalid => (StatusCode::BAD_REQUEST, text),
            Kind::NotFound => return Self::not_found(),
            Kind::Conflict | Kind::Precondition => {
                (StatusCode::CONFLICT, "Concurrent modification to resource detected.".to_owned())
            }
            Kind::Unauthenticated => return Self::unauthorized(),
            Kind::Denied => return Self::forbidden(),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, text),
            Kind::Throttled => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many concurrent requests in flight.".to_owned())
            }
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, text),
            Kind::Timeout => (StatusCode::REQUEST_TIMEOUT, text),
            Kind::Unsupported => (StatusCode::BAD_REQUEST, text),
            Kind::Internal => {
                tracing::error!(?error, "request failed");
                let text = "There was an internal server error.".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        };
        Self { status, text }
    }
}
