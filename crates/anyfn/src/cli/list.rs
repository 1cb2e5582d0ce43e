//! `anyfn ls`, `describe`, `rm`.

use std::process::ExitCode;

use anyfn_base::iso_millis;
use anyfn_dialect_native::{Described, FunctionSummary, Listing};
use bytes::Bytes;
use clap::Args;
use http::Method;

use super::ServerRef;
use crate::{
    client::component,
    print::{Printer, bytes},
};

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    server: ServerRef,
}

#[derive(Args, Debug)]
pub(crate) struct NameArgs {
    /// The function's name.
    name: String,
    #[command(flatten)]
    server: ServerRef,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArgs {
    /// The functions' names.
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    server: ServerRef,
}

pub(crate) async fn list(args: ListArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let client = args.server.client();
    let mut functions: Vec<FunctionSummary> = Vec::new();
    let mut after = None;
    loop {
        let from = after.map(|a: String| format!("?after={}", component(&a))).unwrap_or_default();
        let page: Listing = client.json(Method::GET, &format!("functions{from}"), Bytes::new()).await?;
        functions.extend(page.functions);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if print.json {
        print.value(&functions);
    } else if functions.is_empty() {
        print.note("no functions yet; deploy one with `anyfn deploy DIR`, or begin one with `anyfn new hello-python`");
    } else {
        let row = |f: &FunctionSummary| {
            vec![
                f.name.clone(),
                f.runtime.clone(),
                f.state.clone(),
                format!("{} MiB", f.memory_mib),
                bytes(f.code_bytes),
                f.instances.to_string(),
                iso_millis(f.modified),
                f.url.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = functions.iter().map(row).collect();
        print.table(&["NAME", "RUNTIME", "STATE", "MEMORY", "CODE", "INSTANCES", "MODIFIED", "URL"], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn describe(args: NameArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let path = format!("functions/{}", component(&args.name));
    let d: Described = args.server.client().json(Method::GET, &path, Bytes::new()).await?;
    if print.json {
        print.value(&d);
        return Ok(ExitCode::SUCCESS);
    }
    let s = &d.summary;
    let mut pairs = vec![
        ("name", s.name.clone()),
        ("namespace", s.namespace.clone()),
        ("state", s.state.clone()),
        ("runtime", s.runtime.clone()),
        ("handler", s.handler.clone()),
        ("memory", format!("{} MiB", s.memory_mib)),
        ("timeout", format!("{:.1} s", std::time::Duration::from_millis(s.timeout_ms).as_secs_f64())),
        ("code", format!("{} sha256 {}", bytes(s.code_bytes), d.code_sha256)),
        ("modified", iso_millis(s.modified)),
        ("environment", d.env.join(" ")),
        ("instances", format!("{} idle, {} busy, {} starting", d.idle, d.busy, d.starting)),
        (
            "events",
            format!(
                "{} ready, {} delayed, {} running, {} set aside",
                d.events_ready, d.events_delayed, d.events_leased, d.events_dead
            ),
        ),
    ];
    let optional =
        [("notice", d.notice.clone()), ("description", Some(d.description.clone())), ("url", s.url.clone())];
    pairs.extend(
        optional.into_iter().filter_map(|(name, text)| Some((name, text.filter(|t| !t.is_empty())?))),
    );
    for (name, version) in &d.aliases {
        pairs.push(("alias", format!("{name} -> {version}")));
    }
    for (name, text) in pairs {
        print.line(&format!("{} {text}", print.dim(&format!("{name:<12}"))));
    }
    if !d.recent.is_empty() {
        print.line("");
        let row = |r: &anyfn_engine::InvocationRecord| {
            vec![
                iso_millis(r.accepted),
                r.id.uuid(),
                format!("{:?}", r.result),
                format!(
                    "{:.2} ms",
                    std::time::Duration::from_micros(r.billing.duration_us).as_secs_f64() * 1e3
                ),
                if r.billing.cold { "cold".to_owned() } else { String::new() },
            ]
        };
        let rows: Vec<_> = d.recent.iter().map(row).collect();
        print.table(&["ACCEPTED", "INVOCATION", "RESULT", "DURATION", ""], &rows);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn remove(args: RemoveArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let client = args.server.client();
    for name in &args.names {
        client.call(Method::DELETE, &format!("functions/{}", component(name)), Bytes::new()).await?;
        if !print.json {
            print.line(&format!("deleted {name}"));
        }
    }
    if print.json {
        print.value(&serde_json::json!({ "deleted": args.names }));
    }
    Ok(ExitCode::SUCCESS)
}
