//! `anyfn invoke NAME`.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyfn_dialect_native::headers;
use anyfn_types::Billing;
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;

use super::ServerRef;
use crate::{client::component, print::Printer};

/// Exit code 3 says that the function itself failed.
const FUNCTION_FAILED: u8 = 3;

#[derive(Args, Debug)]
pub(crate) struct InvokeArgs {
    /// The function's name, with `:QUALIFIER` for a version or alias.
    name: String,
    /// The event as text (JSON for most functions). Default `{}`.
    #[arg(short, long, value_name = "JSON", conflicts_with = "file")]
    data: Option<String>,
    /// Read the event from a file; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keep the call durably, answer at once, run it later.
    #[arg(long = "async")]
    queue: bool,
    /// Show the call's log and what it used.
    #[arg(short = 'l', long)]
    log: bool,
    #[command(flatten)]
    server: ServerRef,
}

pub(crate) async fn run(args: InvokeArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let body = event(&args)?;
    let (name, qualifier) =
        args.name.split_once(':').map_or((args.name.as_str(), None), |(n, q)| (n, Some(q)));
    let qualifier = qualifier.map(|q| format!("&qualifier={}", component(q))).unwrap_or_default();
    let mode = if args.queue { "queue" } else { "wait" };
    let path = format!("functions/{}/invoke?mode={mode}&tail=1{qualifier}", component(name));
    let response = args.server.client().call(Method::POST, &path, body).await?;
    let heads = response.headers().clone();
    let header = |name| heads.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let failed = header(headers::OUTCOME) == "failed";
    if print.json {
        let bytes = response.into_body().collect().await.context("the answer was cut")?.to_bytes();
        print.value(&summary(&heads, &bytes));
    } else if args.queue {
        print.line(&format!("accepted {}", header(headers::INVOCATION)));
    } else {
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.context("the answer was cut")?.into_data() {
                print.raw(&data);
            }
        }
        if args.log {
            let tail = STANDARD.decode(header(headers::LOG_TAIL)).unwrap_or_default();
            print.note(String::from_utf8_lossy(&tail).trim_end());
        }
    }
    Ok(if failed { ExitCode::from(FUNCTION_FAILED) } else { ExitCode::SUCCESS })
}

fn event(args: &InvokeArgs) -> anyhow::Result<Bytes> {
    Ok(match (&args.data, &args.file) {
        (Some(text), _) => Bytes::from(text.clone()),
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).context("read standard input")?;
            bytes.into()
        }
        (None, Some(path)) => std::fs::read(path).with_context(|| format!("read {}", path.display()))?.into(),
        (None, None) => Bytes::from_static(b"{}"),
    })
}

fn summary(heads: &HeaderMap, body: &[u8]) -> serde_json::Value {
    let header = |name| heads.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let payload = serde_json::from_slice(body)
        .unwrap_or_else(|_| serde_json::Value::String(String::from_utf8_lossy(body).into_owned()));
    let billing: Option<Billing> = serde_json::from_str(header(headers::BILLING)).ok();
    let tail = STANDARD.decode(header(headers::LOG_TAIL)).unwrap_or_default();
    serde_json::json!({
        "outcome": header(headers::OUTCOME),
        "invocation": header(headers::INVOCATION),
        "version": header(headers::VERSION),
        "payload": payload,
        "billing": billing,
        "log": String::from_utf8_lossy(&tail),
    })
}
