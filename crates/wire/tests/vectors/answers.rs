//! Answer cases: `encode(result)` is equivalent to the given answer.

use anyfn_wire::schema::ErrorInfo;
use anyfn_wire::{Api, ServiceError, Target, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;
use serde_json::Value as Json;

use crate::{Case, build, same};

pub(crate) fn check(case: &Case, api: &Api) -> Result<(), String> {
    let wanted = &case.case["response"];
    let name = case.case["given"]["name"].as_str().expect("a name");
    let operation = case.service.operation(name).expect("an operation");
    let target = Target { operation, protocol: case.service.protocols[0] };
    let result = match case.case.get("error") {
        Some(error) => Err(failure(case, error)),
        None => Ok(operation
            .output
            .map_or_else(Value::empty, |id| build::value(case.service, id, &case.case["result"]))),
    };
    let body = wanted["body"].as_str().unwrap_or_default();
    let given = wanted["headers"]["x-amzn-requestid"]
        .as_str()
        .or_else(|| wanted["headers"]["X-Amzn-Requestid"].as_str());
    let id = given.map_or_else(|| same::request_id(body), str::to_owned);
    let answer = api.answer(target, result, &id);
    let status = wanted["status_code"].as_u64().expect("a status");
    if u64::from(answer.status().as_u16()) != status {
        return Err(format!("status {} instead of {status}", answer.status()));
    }
    headers(&answer, &wanted["headers"])?;
    compare(case, body, answer.body())
}

/// The modelled error that the case speaks of.
fn failure(case: &Case, members: &Json) -> ServiceError {
    let code = case.case["errorCode"].as_str().expect("a code").to_owned();
    let (id, shape) = (0..)
        .zip(case.service.shapes)
        .find(|(_, shape)| {
            shape.name == code || shape.as_structure().and_then(|s| s.error).is_some_and(|e| e.code == code)
        })
        .expect("an error shape");
    let structure = shape.as_structure().expect("a structure");
    let info = structure.error.unwrap_or(ErrorInfo { code: shape.name, status: 400, sender: true });
    let mut error = ServiceError::unmodelled(code, info.status, "");
    (error.shape, error.sender) = (shape.name, info.sender);
    let value = build::value(case.service, id, members);
    let map = value.as_map().expect("members");
    for member in structure.members {
        if let Some(value) = map.get(member.name) {
            error = error.with(member.name, value.clone());
        }
    }
    error.message = case.case["errorMessage"].as_str().unwrap_or_default().to_owned();
    error
}

/// Every header of the case must be there; more may be.
fn headers(answer: &Response<Bytes>, wanted: &Json) -> Result<(), String> {
    for (name, value) in wanted.as_object().into_iter().flatten() {
        let wanted = value.as_str().expect("text");
        if name.eq_ignore_ascii_case("content-length") {
            // The listener writes this one.
            if answer.body().len().to_string() != wanted {
                return Err(format!("a body of {} bytes", answer.body().len()));
            }
            continue;
        }
        let found: Vec<&str> =
            answer.headers().get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
        if same::header(name, &found.join(", ")) != same::header(name, wanted) {
            return Err(format!("header {name}: {found:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}

fn compare(case: &Case, wanted: &str, found: &Bytes) -> Result<(), String> {
    if case.id.starts_with("smithy-rpc-v2-cbor") {
        let wanted = same::cbor(&STANDARD.decode(wanted).expect("base64"));
        let found = same::cbor(found);
        return if wanted == found { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) };
    }
    let text = std::str::from_utf8(found).expect("UTF-8");
    let equal = text == wanted || same::json(text, wanted) || same::xml(text, wanted);
    if equal { Ok(()) } else { Err(format!("{text} instead of {wanted}")) }
}
