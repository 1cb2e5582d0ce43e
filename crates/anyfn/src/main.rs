//! The binary: reads the command line, builds one runtime, and ends with a code that says what happened.
//!
//! Exit codes: 0 done; 1 the command failed; 2 the command line was wrong; 3 the function failed (`invoke`).

mod cli;
mod client;
mod local;
mod print;
mod server;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        // The privileged helper is one thread and has no runtime: it forks.
        Command::Helper(ref args) => cli::helper::main(args),
        // Inside of a sandbox; it makes its own threads.
        Command::WasmHost { ref arguments } => anyfn_wasm_host::main(arguments),
        _ => run(cli),
    }
}

fn run(cli: Cli) -> ExitCode {
    let print = print::Printer::new(cli.json, cli.color);
    let threads = if matches!(cli.command, Command::Up(_) | Command::Dev(_)) { None } else { Some(1) };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print.error(&anyhow::Error::new(error).context("start the async runtime"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli::run(cli, &print)) {
        Ok(code) => code,
        Err(error) => {
            print.error(&error);
            ExitCode::FAILURE
        }
    }
}
