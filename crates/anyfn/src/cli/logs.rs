//! `anyfn logs NAME [-f]`.

use std::process::ExitCode;

use anyfn_base::{Clock, iso_millis};
use anyfn_dialect_native::LogEvent;
use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use clap::Args;
use http::Method;
use http_body_util::BodyExt as _;

use super::ServerRef;
use crate::{
    client::{Client, component},
    print::Printer,
};

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// The function's name.
    name: String,
    /// Go on as lines come.
    #[arg(short, long)]
    follow: bool,
    /// Only lines of the last while: `90s`, `15m`, `2h`, `1d`.
    #[arg(long, value_name = "AGE", value_parser = age)]
    since: Option<u64>,
    /// At most this many lines of what is there.
    #[arg(short = 'n', long, default_value_t = 1000)]
    lines: u64,
    /// A CloudWatch Logs filter pattern, such as `ERROR` or `{ $.level = "ERROR" }`.
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    #[command(flatten)]
    server: ServerRef,
}

/// Milliseconds.
fn age(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no age; write 90s, 15m, 2h or 1d");
    let split = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at)).ok_or_else(wrong)?;
    let unit = match &text[split..] {
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    text[..split].parse::<u64>().map(|n| n.saturating_mul(unit)).map_err(|_| wrong())
}

pub(crate) async fn run(args: LogsArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let since = args.since.map(|age| Clock::system().wall().saturating_sub(age));
    let since = since.map(|at| format!("&since={at}")).unwrap_or_default();
    let follow = if args.follow { "&follow=1" } else { "" };
    let filter = args.filter.as_deref().map(|f| format!("&filter={}", component(f))).unwrap_or_default();
    let query = format!("limit={}{since}{follow}{filter}", args.lines);
    show(&args.server.client(), &args.name, &query, print).await?;
    Ok(ExitCode::SUCCESS)
}

/// Prints until the server ends the answer.
pub(crate) async fn show(client: &Client, name: &str, query: &str, print: &Printer) -> anyhow::Result<()> {
    let path = format!("functions/{}/logs?{query}", component(name));
    let mut body = client.call(Method::GET, &path, Bytes::new()).await?.into_body();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.context("the connection to the server broke")?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line = rest.split_to(end + 1);
            line_out(&line[..end], print);
        }
    }
    Ok(())
}

fn line_out(line: &[u8], print: &Printer) {
    if print.json {
        print.line(&String::from_utf8_lossy(line));
    } else if let Ok(event) = serde_json::from_slice::<LogEvent>(line) {
        print.line(&format!("{} {}", print.dim(&iso_millis(event.at)), event.text.trim_end()));
    }
}
