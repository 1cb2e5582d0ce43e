//! How functions come to a server: as users do it, through the Lambda API; what that API has no word for, through anyfn's own.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::{
    guests::{EVENT, Guest},
    http::Client,
    wire,
};

/// For peers that look for a signature and do not check it.
pub(crate) const SIGNED: &str = "content-type: application/json\r\nx-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n";

pub(crate) fn invoke_path(name: &str) -> String {
    format!("/2015-03-31/functions/{name}/invocations")
}

/// A call through the Lambda API.
pub(crate) fn invoke(host: &str, name: &str) -> Vec<u8> {
    wire::request(host, "POST", &invoke_path(name), "", EVENT)
}

/// The layer's ARN, if the guest wants one.
pub(crate) fn layer(client: &mut Client, guest: &Guest) -> anyhow::Result<Option<String>> {
    let Some(zip) = &guest.layer else { return Ok(None) };
    let body = json!({ "Content": { "ZipFile": zip } }).to_string();
    let path = format!("/2018-10-31/layers/{}/versions", guest.name);
    let answer: Value = serde_json::from_slice(&client.ok("POST", &path, "", body.as_bytes())?)?;
    Ok(Some(answer["LayerVersionArn"].as_str().context("the layer's ARN")?.to_owned()))
}

/// Through `CreateFunction`; does not wait until it is active.
pub(crate) fn create(
    client: &mut Client,
    guest: &Guest,
    name: &str,
    layer: Option<&str>,
    headers: &str,
) -> anyhow::Result<()> {
    client.ok("POST", "/2015-03-31/functions", headers, create_body(guest, name, layer).as_bytes()).map(drop)
}

pub(crate) fn create_body(guest: &Guest, name: &str, layer: Option<&str>) -> String {
    let mut body = json!({
        "FunctionName": name, "Runtime": guest.runtime, "Handler": guest.handler, "Timeout": 30, "MemorySize": 512,
        "Role": "arn:aws:iam::000000000000:role/bench", "Code": { "ZipFile": guest.zip }
    });
    if let Some(layer) = layer {
        body["Layers"] = json!([layer]);
    }
    body.to_string()
}

/// `CreateFunction`, and waits until it is active. What only anyfn's API has words for goes through that.
pub(crate) fn ready(
    client: &mut Client,
    guest: &Guest,
    name: &str,
    layer: Option<&str>,
) -> anyhow::Result<()> {
    if guest.own.is_some() {
        own(client, guest, name, &[])?;
    } else {
        create(client, guest, name, layer, "")?;
    }
    let until = Instant::now() + Duration::from_secs(60);
    let path = format!("/2015-03-31/functions/{name}/configuration");
    loop {
        let answer: Value = serde_json::from_slice(&client.ok("GET", &path, "", b"")?)?;
        match answer["State"].as_str() {
            Some("Active") | None => return Ok(()),
            Some("Pending") if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
            Some(state) => bail!("{name} is {state}: {}", answer["StateReason"]),
        }
    }
}

pub(crate) fn delete(client: &mut Client, name: &str) -> anyhow::Result<()> {
    client.ok("DELETE", &format!("/2015-03-31/functions/{name}"), "", b"").map(drop)
}

/// Through anyfn's own API; gives what it says of the function.
pub(crate) fn own(
    client: &mut Client,
    guest: &Guest,
    name: &str,
    more: &[(&str, Value)],
) -> anyhow::Result<Value> {
    let mut body = Map::new();
    body.insert("zip".into(), guest.zip.as_str().into());
    body.insert("runtime".into(), guest.runtime.as_str().into());
    body.insert("handler".into(), guest.handler.as_str().into());
    body.insert("timeout_ms".into(), 30_000.into());
    body.insert("memory_mib".into(), 512.into());
    if let Some(Value::Object(own)) = &guest.own {
        body.extend(own.clone());
    }
    body.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let path = format!("/_anyfn/v1/functions/{name}");
    let answer = client.ok("PUT", &path, "", Value::Object(body).to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer)?)
}

/// The path of the function's own address on the server.
pub(crate) fn url_path(described: &Value) -> anyhow::Result<String> {
    let url = described["url"].as_str().context("the function's address")?;
    let (_, rest) = url.split_once("/_url/").context("an address on the server itself")?;
    Ok(format!("/_url/{}/", rest.trim_end_matches('/')))
}
