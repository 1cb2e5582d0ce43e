//! Measures, each beside its floor or peer in the same run.
//!
//! Parts: `http` (a blocking client with one connection), `server` (a server under test), `guests` (the functions),
//! `measure` (samples and their medians), `lines` (what is measured), `peer` (the same against another platform),
//! `report` (the table). Must not know: any room's insides; everything goes over the wire as users do it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks by printing")]
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and the environment itself")]

mod guests;
mod http;
mod lines;
mod measure;
mod peer;
mod report;
mod server;

use std::path::PathBuf;

use clap::Parser;

/// Measures the release build of the server and prints a table.
#[derive(Debug, Parser)]
#[command(name = "anyfn-bench")]
pub(crate) struct Args {
    /// The server's binary; built in release by default.
    #[arg(long)]
    pub(crate) anyfn: Option<PathBuf>,
    /// Samples of each line; at least 20 for figures that are quoted.
    #[arg(long, default_value_t = 30)]
    pub(crate) runs: usize,
    /// Write the table into SPECIFICATION.md.
    #[arg(long)]
    pub(crate) write: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the peer out.
    #[arg(long)]
    pub(crate) no_peer: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let rows = lines::all(&args)?;
    report::print(&args, &rows)
}
