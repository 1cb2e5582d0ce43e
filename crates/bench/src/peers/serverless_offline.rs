//! serverless-offline: its Lambda endpoint, with the same handler file.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use super::Endpoint;
use crate::{
    bench::Bench,
    deploy,
    process::{Process, free_port},
};

pub(crate) fn invoke(bench: &Bench) -> anyhow::Result<Endpoint> {
    let program = bench.places.part("serverless-offline/node_modules/.bin/serverless")?;
    let modules = bench.places.part("serverless-offline/node_modules")?;
    let (http, lambda, socket) = (free_port()?, free_port()?, free_port()?);
    let home = bench.places.scratch.join(format!("serverless-{lambda}"));
    fs::create_dir_all(&home)?;
    std::os::unix::fs::symlink(modules, home.join("node_modules"))?;
    fs::copy(bench.places.source("hello.js"), home.join("index.js"))?;
    let config = format!(
        "service: bench\nframeworkVersion: '3'\nplugins: [serverless-offline]\nprovider: {{ name: aws, runtime: nodejs20.x }}\n\
         custom: {{ serverless-offline: {{ httpPort: {http}, lambdaPort: {lambda}, websocketPort: {socket}, noTimeout: true, noPrependStageInUrl: true }} }}\n\
         functions: {{ hello: {{ handler: index.handler, events: [{{ httpApi: 'POST /' }}] }} }}\n"
    );
    fs::write(home.join("serverless.yml"), config)?;
    let mut command = Command::new(program);
    command
        .arg("offline")
        .env("HOME", &home)
        .env("SLS_TELEMETRY_DISABLED", "1")
        .env("SLS_NOTIFICATIONS_MODE", "off")
        .env("CI", "1")
        .current_dir(&home)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let address = ([127, 0, 0, 1], lambda).into();
    let host = format!("127.0.0.1:{lambda}");
    let request = deploy::invoke(&host, "bench-dev-hello");
    let mut process = Process::start(&mut command)?;
    process.until_answers(address, &request, Duration::from_secs(60))?;
    Endpoint::checked(address, request, &deploy::invoke_path("bench-dev-hello"), vec![Box::new(process)])
}
