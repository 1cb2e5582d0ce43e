//! The composition root: rooms from settings, start, drain, stop.

mod compose;
mod guests;
mod memory;

use std::{process::ExitCode, time::Duration};

use anyfn_base::{Base, Clock};
use anyfn_store::Store;
use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::{print::Printer, settings::ServerArgs};

pub(crate) use compose::sealed;
pub(crate) use guests::{capabilities, lambda};

/// What retiring instances gets even where calls have used up the time to drain.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A server that runs.
pub(crate) struct Running {
    base: Base,
    gateway: anyfn_gateway::Gateway,
    engine: anyfn_engine::Engine,
    lambda: anyfn_runtime::Lambda,
    logs: anyfn_logs::Logs,
    journal: anyfn_core::Journal,
    store: Store,
    addresses: Vec<std::net::SocketAddr>,
    drain: Duration,
}

/// `anyfn up`.
pub(crate) async fn up(args: ServerArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    if args.list_limits {
        print.value(&args.limits()?);
        return Ok(ExitCode::SUCCESS);
    }
    let running = start(&args, print).await?;
    Running::signal().await;
    Ok(running.stop(print).await)
}

/// Starts everything; the line `anyfn ready …` is printed when requests are answered.
pub(crate) async fn start(args: &ServerArgs, print: &Printer) -> anyhow::Result<Running> {
    logging(args)?;
    let running = compose::compose(args).await?;
    let urls: Vec<_> = running.addresses.iter().map(|a| format!("http://{a}")).collect();
    if print.json {
        print.line(&serde_json::json!({ "ready": urls }).to_string());
    } else {
        print.line(&format!("anyfn ready {}", urls.join(" ")));
    }
    Ok(running)
}

fn logging(args: &ServerArgs) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&args.log)
        .with_context(|| format!("--log {}: not a filter; try info, or warn,anyfn_engine=debug", args.log))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let set = if args.log_json { builder.json().try_init() } else { builder.with_ansi(terminal).try_init() };
    set.map_err(|e| anyhow::anyhow!("logging: {e}"))
}

impl Running {
    /// The address for the command line's own calls.
    pub(crate) fn address(&self) -> String {
        let local = self.addresses.iter().find(|a| a.ip().is_loopback()).or_else(|| self.addresses.first());
        local.map(|a| format!("http://{a}")).unwrap_or_default()
    }

    /// Returns when the process is asked to end.
    pub(crate) async fn signal() {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return std::future::pending().await;
        };
        tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
    }

    /// Say that we go, let running calls end, stop accepting, retire instances, flush, close. A second signal skips the waiting.
    pub(crate) async fn stop(self, print: &Printer) -> ExitCode {
        print.note("draining; signal again to stop at once");
        tokio::select! {
            () = self.drained(print) => ExitCode::SUCCESS,
            () = Self::signal() => ExitCode::FAILURE,
        }
    }

    async fn drained(&self, print: &Printer) {
        let begun = Clock::system().now();
        self.base.tasks.stop();
        // The addresses stay open while calls run, so that whoever asks /readyz is told to go elsewhere.
        let _ = tokio::time::timeout(self.drain, self.gateway.idle()).await;
        self.gateway.close();
        self.lambda.close();
        let left = self.drain.saturating_sub(Clock::system().now() - begun).max(LAST_MOMENT);
        let idle = async {
            self.engine.shutdown(left).await;
            self.journal.flush().await;
        };
        let (drained, ()) = tokio::join!(self.base.tasks.drain(left), idle);
        if !drained.left.is_empty() {
            print.note(&format!("not ended within {} s: {:?}", self.drain.as_secs(), drained.left));
        }
        self.logs.finish().await;
        self.store.close().await;
        tracing::info!(ms = (Clock::system().now() - begun).as_millis(), "stopped");
    }
}

/// On an address that is not loopback, every request is verified: without keys nobody could call.
fn refuse_open(args: &ServerArgs, has_keys: bool) -> anyhow::Result<()> {
    let open: Vec<_> =
        args.listen.iter().filter(|a| !a.ip().is_loopback()).map(ToString::to_string).collect();
    if !open.is_empty() && !has_keys {
        bail!(
            "{} can be reached from other machines, and there is no access key yet: make one with `anyfn key create`, or listen on 127.0.0.1",
            open.join(", ")
        );
    }
    Ok(())
}
