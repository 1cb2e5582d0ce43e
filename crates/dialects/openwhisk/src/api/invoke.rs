//! `POST actions/…`: blocking, or not, with the cut-over from one to the other.

use std::time::Duration;

use anyfn_base::TaskKind;
use anyfn_types::InvocationId;
use anyfn_web::Response;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::Ctx;
use crate::{
    activation::{Activation, Status, id_text},
    calls::{Called, How, accepted},
    fault::{Fault, Result},
    names::FullName,
};

/// How long a caller may wait, in milliseconds, and waits unless asked.
const WAIT_MS: u64 = 60_000;

impl Ctx<'_> {
    pub(super) async fn invoke_action(&self, full: &FullName) -> Result<Response> {
        let given: Value = self.body()?;
        if !(given.is_object() || given.is_array()) {
            return Err(Fault::invalid("The request content was malformed:\nObject expected"));
        }
        let found = self.shared.find(&self.who.namespace, full).await?;
        let wait = self.query.flag("blocking", false)?;
        let result_only = self.query.flag("result", false)?;
        let wait_ms = self.query.number("timeout")?.unwrap_or(WAIT_MS);
        if !(1..=WAIT_MS).contains(&wait_ms) {
            let text = format!(
                "The query parameter 'timeout' was malformed:\n{wait_ms} is not within 1 to {WAIT_MS}."
            );
            return Err(Fault::invalid(text));
        }
        let how = How { wait, ..How::default() };
        if !wait {
            return match self.shared.call(&self.who, &found, given, how).await? {
                Called::Accepted(id) => Ok(later(id)),
                Called::Ended(activation) => Ok(later(activation.id)),
            };
        }
        let (id, call) = self.shared.begin(&self.who, &found, given, how)?;
        match self.patiently(call, Duration::from_millis(wait_ms)).await? {
            None => Ok(later(id)),
            Some(Called::Accepted(id)) => Ok(later(id)),
            Some(Called::Ended(activation)) => Ok(answer(&activation, result_only)),
        }
    }

    /// Waits for a call; it goes on in a task of its own when the caller's patience has ended.
    pub(super) async fn patiently(
        &self,
        call: impl Future<Output = Result<Called>> + Send + 'static,
        patience: Duration,
    ) -> Result<Option<Called>> {
        let mut call = Box::pin(call);
        let base = &self.shared.base;
        tokio::select! {
            biased;
            called = &mut call => called.map(Some),
            () = base.clock.sleep(patience) => {
                base.tasks.spawn(TaskKind::Request, "activation", call);
                Ok(None)
            }
        }
    }
}

pub(super) fn with_id(mut response: Response, id: InvocationId) -> Response {
    if let Ok(value) = HeaderValue::from_str(&id_text(id)) {
        response.headers_mut().insert("x-openwhisk-activation-id", value);
    }
    response
}

fn later(id: InvocationId) -> Response {
    with_id(anyfn_web::json(StatusCode::ACCEPTED, &accepted(id)), id)
}

fn answer(activation: &Activation, result_only: bool) -> Response {
    let status = match activation.status {
        Status::Success => StatusCode::OK,
        Status::ApplicationError | Status::DeveloperError => StatusCode::BAD_GATEWAY,
        Status::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = if result_only { activation.result.clone() } else { activation.json() };
    with_id(anyfn_web::json(status, &body), activation.id)
}
