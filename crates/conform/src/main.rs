//! Conformance: the platforms' own clients, unmodified, against the server's own binary.
//!
//! The problem: what a platform promises is what its clients see, so only they can say whether it is kept. A case is a
//! folder `cases/<dialect>/<name>/` with a `case.toml` (what it shows, which operations it covers) and a script that exits
//! with 0, or with 77 where the machine lacks something.
//!
//! Parts: `case` reads folders, `server` runs the binary and reads its log, `script` runs one case within its time,
//! `leftovers` counts what a stopped server left behind, `coverage` holds the gateway's table against the cases, `docs`
//! writes `docs/compat/` from them. Must not know: any room's insides but the gateway's table of routes.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks by printing")]

mod case;
mod coverage;
mod docs;
mod leftovers;
mod place;
mod script;
mod server;
mod suite;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;

#[derive(Parser)]
#[command(
    name = "anyfn-conform",
    about = "Real clients against the real server",
    disable_version_flag = true
)]
pub(crate) struct Args {
    /// Only cases whose path contains one of these, such as `aws/alias`.
    only: Vec<String>,
    /// The server's binary. Default: the workspace's, built first.
    #[arg(long, value_name = "FILE")]
    bin: Option<PathBuf>,
    /// Cases at once.
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Print the cases and stop.
    #[arg(long)]
    list: bool,
    /// Write docs/compat/ from the cases and stop.
    #[arg(long)]
    docs: bool,
    /// Print what scripts say even if they pass.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            println!("0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<ExitCode> {
    let cases = case::load(&place::cases_dir())?;
    if args.list {
        for case in &cases {
            let attacks = case.toml.attacks.join(" ");
            println!("{:<44} {:<7} {} {attacks}", case.path, case.toml.client, case.toml.title);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.docs {
        docs::write(&cases)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("start the async runtime")?.block_on(suite::run(args, &cases))
}
