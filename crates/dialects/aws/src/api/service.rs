//! Which service a request means: by its signature, its target header, its path, or its action.

use anyfn_aws_model::{Rejection, ServiceError};
use anyfn_types::Error;
use anyfn_web::{Request, Response};
use anyfn_wire::schema::Protocol;
use http::{HeaderMap, request::Parts};

use super::{Shared, fault};

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Lambda,
    Logs,
    Sts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Served(Speaks),
    /// By its name, as far as the request tells it.
    Other(String),
}

pub(crate) fn of(request: &Request) -> Named {
    let parts = &request.parts;
    find(request.service.as_deref(), &parts.headers, parts.uri.path(), parts.uri.query(), &request.body)
}

fn find(signed: Option<&str>, headers: &HeaderMap, path: &str, query: Option<&str>, body: &[u8]) -> Named {
    let target = headers.get("x-amz-target").and_then(|v| v.to_str().ok());
    let name = signed.or_else(|| target.map(|t| t.split('.').next().unwrap_or(t)));
    match name {
        Some("lambda") => return Named::Served(Speaks::Lambda),
        Some("logs" | "Logs_20140328") => return Named::Served(Speaks::Logs),
        Some("sts" | "AWSSecurityTokenServiceV20110615") => return Named::Served(Speaks::Sts),
        Some(other) => return Named::Other(other.to_owned()),
        None => {}
    }
    if path.strip_prefix('/').is_some_and(|rest| is_date(rest.split('/').next().unwrap_or_default())) {
        return Named::Served(Speaks::Lambda);
    }
    let form = std::str::from_utf8(body.get(..body.len().min(4096)).unwrap_or_default()).unwrap_or_default();
    let pairs = query.unwrap_or_default().split('&').chain(form.split('&'));
    let action = pairs.filter_map(|pair| pair.trim().strip_prefix("Action=")).next();
    match action {
        Some("GetCallerIdentity") => Named::Served(Speaks::Sts),
        Some(action) => Named::Other(format!("of {action}")),
        None => Named::Other("that this request is for".to_owned()),
    }
}

/// `2015-03-31`: how every path of Lambda's API begins.
fn is_date(text: &str) -> bool {
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = text.split('-');
    let mut next = |len| parts.next().is_some_and(|part| digits(part, len));
    next(4) && next(2) && next(2) && parts.next().is_none()
}

/// Says that the service is not here, in a protocol that its client reads.
pub(crate) fn refuse(shared: &Shared, request: &Request, name: &str) -> Response {
    const XML: [&str; 6] = ["s3", "iam", "sns", "cloudformation", "ec2", "elasticloadbalancing"];
    let text = format!("The service {name} is not served here.");
    let error = ServiceError::unmodelled("NotImplementedException", 501, text);
    reject(shared, &request.parts, XML.contains(&name), error)
}

/// Says why a request came no further than the gateway.
pub(crate) fn refuse_early(shared: &Shared, parts: &Parts, error: &Error) -> Response {
    let unsigned = fault::unsigned(error, spoken(parts, false));
    reject(shared, parts, false, unsigned.unwrap_or_else(|| fault::lambda::translate(error)))
}

/// The protocol that a request's client reads.
fn spoken(parts: &Parts, xml: bool) -> Protocol {
    let kind = parts.headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") || xml {
        Protocol::Query
    } else if parts.headers.contains_key("x-amz-target") {
        Protocol::Json11
    } else {
        Protocol::RestJson
    }
}

fn reject(shared: &Shared, parts: &Parts, xml: bool, error: ServiceError) -> Response {
    let protocol = spoken(parts, xml);
    let api = match protocol {
        Protocol::Query => &shared.sts,
        Protocol::Json11 => &shared.logs,
        _ => &shared.lambda,
    };
    let id = shared.services.base.random.uuid_text();
    anyfn_web::whole(api.reject(&Rejection { protocol, error }, &id))
}
