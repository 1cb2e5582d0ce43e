//! Web actions: an action as a page, for anyone, under `/api/v1/web`.

mod answer;
mod event;

use std::time::Duration;

use anyfn_types::{Error, Kind, Namespace};
use anyfn_web::{Request, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use self::answer::Extension;
use super::{
    Ctx,
    invoke::with_id,
    query::{Query, decode},
};
use crate::{
    OpenWhisk,
    activation::Status,
    calls::{Called, Found, How, Who},
    fault::{Fault, Result},
    model::{annotation, flag},
    names::{ActionName, DEFAULT_PACKAGE, FullName, namespace_of},
};

/// How long a page is waited for.
const WAIT: Duration = Duration::from_secs(60);
const METHODS: [Method; 7] =
    [Method::GET, Method::DELETE, Method::POST, Method::PUT, Method::HEAD, Method::OPTIONS, Method::PATCH];
const ALLOWED_METHODS: &str = "OPTIONS, GET, DELETE, POST, PUT, HEAD, PATCH";
const ALLOWED_HEADERS: &str = "Authorization, Origin, X-Requested-With, Content-Type, Accept, User-Agent";

/// What a page's path names.
pub(super) struct Page<'a> {
    pub(super) namespace: &'a str,
    pub(super) package: &'a str,
    /// With its extension.
    pub(super) action: &'a str,
    pub(super) below: &'a [&'a str],
}

impl OpenWhisk {
    pub(super) async fn web(
        &self,
        request: &Request,
        page: &Page<'_>,
        transaction: &str,
    ) -> Result<Response> {
        let namespace = Namespace::new(page.namespace).map_err(|_| Fault::not_found())?;
        if !METHODS.contains(&request.parts.method) {
            return Err(Fault::method());
        }
        let (extension, name) = Extension::split(page.action);
        let package = Some(page.package).filter(|package| *package != DEFAULT_PACKAGE);
        let full = FullName { namespace: None, action: ActionName::new(package, name)? };
        let found = self.0.find(&namespace, &full).await?;
        let annotations = &found.meta.annotations;
        if !(flag(annotations, "web-export") || flag(annotations, "raw-http")) {
            return Err(Fault::not_found());
        }
        let custom = flag(annotations, "web-custom-options");
        if request.parts.method == Method::OPTIONS && !custom {
            return Ok(cors(anyfn_web::text(StatusCode::OK, "text/plain", ""), &request.parts.headers));
        }
        let user = self.user(request, &found)?;
        let who = Who {
            subject: namespace.to_string(),
            transaction: transaction.to_owned(),
            namespace: namespace.clone(),
        };
        let query = Query::parse(request.parts.uri.query().unwrap_or_default());
        let ctx = Ctx { shared: &self.0, request, query, who, namespace };
        // An extension that shapes the result takes what is below it as a way into the result.
        let raw_path = request.parts.uri.path().split('/').skip(7).map(decode).collect::<Vec<_>>();
        let path = if raw_path.is_empty() { String::new() } else { format!("/{}", raw_path.join("/")) };
        let answer = ctx.show(&found, user, &path, (extension, page.below)).await;
        let answer = answer.unwrap_or_else(|fault| fault.response(transaction));
        Ok(if custom { answer } else { cors(answer, &request.parts.headers) })
    }

    /// The caller's namespace, if there is one; whoever the action does not serve is refused.
    fn user(&self, request: &Request, found: &Found) -> Result<Option<String>> {
        let known = !request.caller.account.is_empty();
        let user =
            || namespace_of(&request.caller.account, &self.0.home).map(|namespace| namespace.to_string());
        match annotation(&found.meta.annotations, "require-whisk-auth") {
            Value::Bool(true) if !known => return Err(Fault::unauthorized()),
            Value::Null | Value::Bool(_) => {}
            secret => {
                let given = request.parts.headers.get("x-require-whisk-auth");
                let secret = secret.as_str().map_or_else(|| secret.to_string(), str::to_owned);
                let secret = anyfn_policy::Secret::new(secret);
                if !given.and_then(|value| value.to_str().ok()).is_some_and(|given| secret.matches(given)) {
                    return Err(Fault::unauthorized());
                }
            }
        }
        known.then(user).transpose()
    }
}

impl Ctx<'_> {
    async fn show(
        &self,
        found: &Found,
        user: Option<String>,
        path: &str,
        (extension, below): (Extension, &[&str]),
    ) -> Result<Response> {
        let event = event::event(self.request, &self.query, found, user, path)?;
        let how = How { wait: true, ..How::default() };
        let (id, call) = self.shared.begin(&self.who, found, Value::Object(event), how)?;
        let Some(Called::Ended(activation)) = self.patiently(call, WAIT).await? else {
            let text = "Response not yet ready.";
            return Ok(with_id(Fault::new(StatusCode::ACCEPTED, text).response(&self.who.transaction), id));
        };
        let answer = match activation.status {
            Status::Success => answer::shaped(extension, &activation.result, below),
            // What an action says when it fails may be a page too.
            Status::ApplicationError => answer::shaped(extension, &activation.result["error"], &[]),
            Status::DeveloperError => Err(Fault::invalid("There was an error processing your request.")),
            Status::InternalError => Err(Error::new(Kind::Internal, "activation_lost", "").into()),
        };
        let answer = answer.unwrap_or_else(|fault| fault.response(&self.who.transaction));
        Ok(with_id(answer, activation.id))
    }
}

/// Pages of other sites may read it.
fn cors(mut response: Response, asked: &HeaderMap) -> Response {
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let headers = response.headers_mut();
    let mut say = |name, value| {
        headers.entry(name).or_insert(value);
    };
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    say(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(ALLOWED_METHODS));
    say(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.unwrap_or_else(|| HeaderValue::from_static(ALLOWED_HEADERS)),
    );
    response
}
