//! Request cases: `decode(serialized) == params`.

use anyfn_wire::{Api, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;

use crate::{Case, build};

pub(crate) fn check(case: &Case, api: &Api) -> Result<(), String> {
    let sent = &case.case["serialized"];
    let mut request = Request::builder()
        .method(sent["method"].as_str().expect("a method"))
        .uri(sent["uri"].as_str().expect("a path"));
    for (name, value) in sent["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().expect("text"));
    }
    let body = sent["body"].as_str().unwrap_or_default();
    let body = if case.id.starts_with("smithy-rpc-v2-cbor") {
        Bytes::from(STANDARD.decode(body).expect("base64"))
    } else {
        Bytes::copy_from_slice(body.as_bytes())
    };
    let (parts, ()) = request.body(()).map_err(|error| error.to_string())?.into_parts();
    let call = api.decode(&parts, body).map_err(|rejection| rejection.error.to_string())?;
    let input = call.target.operation.input;
    let wanted = input.map_or_else(Value::empty, |id| build::value(case.service, id, &case.case["params"]));
    if build::equal(&call.input, &wanted) {
        return Ok(());
    }
    Err(format!("decoded {:?}, wanted {wanted:?}", call.input))
}
