//! The server under test, as the others see it.

use serde_json::Value;

use super::Endpoint;
use crate::{
    bench::Bench,
    deploy,
    guests::{EVENT, Guest},
    wire,
};

/// Through the Lambda API.
pub(crate) fn invoke(bench: &Bench, guest: &Guest) -> anyhow::Result<Endpoint> {
    let server = bench.server(&[("scale_up_per_10s", "1000000")])?;
    let mut client = server.client()?;
    let layer = deploy::layer(&mut client, guest)?;
    deploy::ready(&mut client, guest, "warm", layer.as_deref())?;
    let (address, path) = (server.address, deploy::invoke_path("warm"));
    Endpoint::checked(address, deploy::invoke(&address.to_string(), "warm"), &path, vec![Box::new(server)])
}

/// Through the function's own address, with an event made of the request.
pub(crate) fn url(bench: &Bench, guest: &Guest) -> anyhow::Result<Endpoint> {
    address(bench, guest, "POST", EVENT)
}

/// A GET through the function's own address to a function that is an HTTP server.
pub(crate) fn http(bench: &Bench, guest: &Guest) -> anyhow::Result<Endpoint> {
    address(bench, guest, "GET", b"")
}

fn address(bench: &Bench, guest: &Guest, method: &str, body: &[u8]) -> anyhow::Result<Endpoint> {
    let server = bench.server(&[("scale_up_per_10s", "1000000")])?;
    let described = deploy::own(&mut server.client()?, guest, "address", &[("url", Value::Bool(true))])?;
    let (address, path) = (server.address, deploy::url_path(&described)?);
    let request =
        wire::request(&address.to_string(), method, &path, "content-type: application/json\r\n", body);
    Endpoint::checked(address, request, &path, vec![Box::new(server)])
}
