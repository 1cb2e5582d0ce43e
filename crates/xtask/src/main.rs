//! The chores of the house as verbs. `cargo xtask --help` lists them; CI calls the same ones.
//!
//! Parts: `setup` fetches what the tests need beside the workspace, `check` and `tidy` hold the house rules, `test` and
//! `bench` run the suites. Must not know: any room's insides.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks by printing")]

mod bench;
mod check;
mod codegen;
mod parts;
mod setup;
mod sh;
mod suite;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "The chores of the house", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Fetches what the tests need into target/parts (quick when it is there)
    Setup(setup::Args),
    /// Format, lints, generated code, house rules
    Check,
    /// Setup, build, all tests, the conformance suite
    Test(suite::Args),
    /// The benchmarks; arguments go to them
    Bench(bench::Args),
    /// The house rules only
    Tidy,
    /// Write crates/aws-model/src/generated from the pinned API models
    Codegen(codegen::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Setup(args) => setup::run(&args),
        Verb::Check => check::run(),
        Verb::Test(args) => return suite::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Tidy => tidy::run(),
        Verb::Codegen(args) => codegen::run(&args),
    };
    done.map_or_else(complain, |()| ExitCode::SUCCESS)
}

/// What went wrong and why, without a back trace: the reader's mistake is rarely in here.
fn complain(error: anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
