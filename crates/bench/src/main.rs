//! Measures, each beside its floor or peer in the same run.
//!
//! Parts: `lines` (what is measured), `peers` (what stands beside it), `guests` (the functions), `deploy` and `server` (the
//! server under test), `turns` (A B A B …), `load` (our generator: open and closed loop), `http` and `wire` (clients),
//! `stats`, `machine`, `process`, `row`, `report` (table, JSON, charts). Must not know: any room's insides; everything goes
//! over the wire as users do it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks by printing")]
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks and the environment itself")]

mod bench;
mod deploy;
mod guests;
mod http;
mod lines;
mod load;
mod machine;
mod peers;
mod process;
mod report;
mod row;
mod server;
mod stats;
mod turns;
mod wire;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context as _;
use clap::Parser;

use crate::{
    bench::{Bench, Line},
    guests::Places,
    machine::Machine,
    report::Report,
    row::{OURS, Row, Side},
};

/// Measures the release build of the server beside floors and peers, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "anyfn-bench")]
struct Args {
    /// The server's binary; built in release by default
    #[arg(long)]
    anyfn: Option<PathBuf>,
    /// Only lines whose name this regular expression matches
    #[arg(long, value_name = "REGEX")]
    only: Option<regex::Regex>,
    /// Starts of each cold line [default: 50, quick: 8]
    #[arg(long)]
    runs: Option<usize>,
    /// Seconds of each contender under load [default: 30, quick: 2]; the million wants 60
    #[arg(long)]
    seconds: Option<f64>,
    /// Short: figures to develop with, not to quote
    #[arg(long)]
    quick: bool,
    /// Print the names of the lines and end
    #[arg(long)]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the table into SPECIFICATION.md, and JSON and charts into docs/bench
    #[arg(long)]
    write: bool,
    /// Write JSON and charts into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave all peers out
    #[arg(long)]
    no_peers: bool,
    /// Only hold the clock for commands of standard input
    #[arg(long, hide = true)]
    stopwatch: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.stopwatch {
        return peers::stopwatch();
    }
    let mut lines = lines::all();
    lines.retain(|line| args.only.as_ref().is_none_or(|only| only.is_match(&line.id)));
    if args.list {
        lines.iter().for_each(|line| println!("{:28} {}", line.id, line.about));
        return Ok(());
    }
    let report = measure(&args, &lines)?;
    println!("{}", if args.json { report.json()? } else { report.table() });
    if let Some(folder) = &args.out {
        told(&report.save(folder)?);
    }
    if args.write {
        let root = root();
        report.write_into(&root.join("SPECIFICATION.md"))?;
        told(&report.save(&root.join("docs/bench"))?);
    }
    Ok(())
}

fn told(files: &[PathBuf]) {
    files.iter().for_each(|file| eprintln!("bench: wrote {}", file.display()));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap_or_default()
}

/// A folder that goes away with the run.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn measure(args: &Args, lines: &[Line]) -> anyhow::Result<Report> {
    let binary = match &args.anyfn {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => build()?,
    };
    let scratch = Scratch(std::env::temp_dir().join(format!("anyfn-bench-{}", std::process::id())));
    std::fs::create_dir_all(&scratch.0)?;
    let root = root();
    let parts = std::env::var_os("ANYFN_PARTS").map_or_else(|| root.join("target/parts"), PathBuf::from);
    let bench = Bench {
        settings: server::settings(&binary)?,
        binary,
        places: Places { root, parts, scratch: scratch.0.clone() },
        runs: args.runs.unwrap_or(if args.quick { 8 } else { 50 }),
        seconds: args.seconds.unwrap_or(if args.quick { 2.0 } else { 30.0 }),
        quick: args.quick,
        peers: !args.no_peers,
    };
    let load_at_start = machine::load_average();
    let version = guests::said(&bench.binary.display().to_string(), &["--version"]);
    let rows = lines.iter().enumerate().flat_map(|(n, line)| one(&bench, line, n, lines.len())).collect();
    Ok(Report {
        machine: Machine::read(),
        load_at_start,
        load_at_end: machine::load_average(),
        server: version.unwrap_or_else(|| OURS.to_owned()),
        peers: if bench.peers { peers::versions(&bench.places) } else { Vec::new() },
        runs: bench.runs,
        seconds: bench.seconds,
        quick: bench.quick,
        rows,
    })
}

/// What cannot run stays in the table and says why.
fn one(bench: &Bench, line: &Line, n: usize, of: usize) -> Vec<Row> {
    eprint!("bench: {}/{of} {} … ", n + 1, line.id);
    let begun = Instant::now();
    let rows = (line.run)(bench)
        .unwrap_or_else(|why| vec![line.blank.clone().side(Side::not_run(OURS, format!("{why:#}")))]);
    let first = rows.first().and_then(|row| row.sides.first());
    let found = first.map_or_else(String::new, |side| match (&side.summary, &side.not_run) {
        (Some(found), _) => format!("{:.2} {}", found.median, line.blank.unit),
        (None, why) => format!("not run: {}", why.as_deref().unwrap_or_default()),
    });
    eprintln!("{found} ({:.0} s)", begun.elapsed().as_secs_f64());
    let complaints = server::complaints(&bench.places.scratch);
    complaints.iter().take(5).for_each(|line| eprintln!("bench:   the server said: {line}"));
    rows
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", "anyfn", "--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    let path = lines.filter_map(|l| l["executable"].as_str().map(PathBuf::from)).next_back();
    path.context("cargo built no server")
}
