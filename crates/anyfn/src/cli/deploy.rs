//! `anyfn deploy DIR|FILE`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyfn_dialect_native::Described;
use bytes::Bytes;
use clap::Args;
use http::Method;

use super::{ServerRef, existing};
use crate::{
    client::{Client, component},
    local::{self, Overrides},
    print::Printer,
    settings::Isolation,
};

#[derive(Args, Debug)]
pub(crate) struct DeployArgs {
    /// The folder, or a single file: `hello.py`, `index.mjs`, an executable.
    #[arg(value_parser = existing)]
    path: PathBuf,
    #[command(flatten)]
    over: OverrideArgs,
    #[command(flatten)]
    server: ServerRef,
}

/// What to set over what the folder says.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OverrideArgs {
    /// The function's name; the folder's or file's unless given.
    #[arg(long)]
    name: Option<String>,
    /// `python3.12`, `nodejs22.x`, `provided.al2023`, …
    #[arg(long)]
    runtime: Option<String>,
    /// `module.function`.
    #[arg(long)]
    handler: Option<String>,
    /// MiB, 128 to 10240.
    #[arg(long, value_name = "MIB")]
    memory: Option<u32>,
    /// Seconds, 1 to 900 unless the server allows more.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// An environment variable; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Give it an address that anyone who reaches the server may call.
    #[arg(long)]
    url: bool,
    /// What stands between it and other functions at least: `fork` (a process forked from a template that all functions of
    /// its runtime share), `process` (a process started from nothing). The fastest that the server allows unless given.
    #[arg(long = "tier", id = "tier", value_enum)]
    isolation: Option<Isolation>,
    /// Retire an instance after this many calls; 1 gives every call a fresh sandbox.
    #[arg(long, value_name = "CALLS")]
    calls_max: Option<u32>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}`: write NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl OverrideArgs {
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            name: self.name.clone(),
            runtime: self.runtime.clone(),
            handler: self.handler.clone(),
            memory_mib: self.memory,
            timeout_s: self.timeout,
            env: self.env.clone(),
            url: self.url.then_some(true),
            isolation: self.isolation.map(Isolation::tier),
            calls_max: self.calls_max,
        }
    }
}

pub(crate) async fn run(args: DeployArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let described = deploy(&args.server.client(), &args.path, &args.over.overrides(), print).await?;
    if print.json {
        print.value(&described);
    } else {
        let s = &described.summary;
        print.line(&format!("deployed {} ({}, {})", s.name, s.runtime, s.state));
        if let Some(notice) = &described.notice {
            print.note(&format!("note: {notice}"));
        }
        match &s.url {
            Some(url) => print.line(url),
            None => print.line(&format!("call it with: anyfn invoke {}", s.name)),
        }
    }
    Ok(if described.summary.state == "failed" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Packs and sends.
pub(crate) async fn deploy(
    client: &Client,
    path: &Path,
    over: &Overrides,
    print: &Printer,
) -> anyhow::Result<Described> {
    let packed = local::pack(path, over, print).await?;
    let body = Bytes::from(serde_json::to_vec(&packed.deploy)?);
    client.json(Method::PUT, &format!("functions/{}", component(&packed.name)), body).await
}
