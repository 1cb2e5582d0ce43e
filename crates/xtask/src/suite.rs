//! All tests, counted: setup, one build, the workspace's tests, then the conformance suite.

use std::{collections::BTreeSet, fmt, process::ExitCode};

use anyhow::Result;

use crate::{setup, sh};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Use only the parts that are there
    #[arg(long)]
    no_setup: bool,
}

/// What ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    names: BTreeSet<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Its last line counts what ran, whatever happened before.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut tally = Tally::default();
    let ended_well = run_all(args, &mut tally).unwrap_or_else(|error| {
        println!("error: {error:#}");
        false
    });
    // A suite that ends badly without a count (a crash, a test that would not build) is one failure more.
    if tally.failed == 0 && !ended_well {
        tally.failed = 1;
    }
    println!("{tally}");
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Gives whether all programs ended well.
fn run_all(args: &Args, tally: &mut Tally) -> Result<bool> {
    let missing = if args.no_setup { Vec::new() } else { setup::fetch(&setup::Args::default())? };
    tally.skipped += missing.len() as u64;
    // Everything at once: another choice of packages would be another choice of features, and build much of it again.
    sh::run(sh::cargo().args(["build", "--workspace", "--all-targets", "--locked"]))?;
    let mut tests = sh::cargo();
    tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    let tests_ok = sh::watch(&mut tests, |line| tally.see_test(line))?;
    let conform_ok = conform(tally)?;
    println!();
    for name in &tally.names {
        println!("FAILED: {name}");
    }
    if !args.no_setup {
        println!("{}", setup::summary(&missing));
    }
    Ok(tests_ok && conform_ok)
}

/// Runs the cases with real clients. Their program ends with a line as `Tally` prints it.
fn conform(tally: &mut Tally) -> Result<bool> {
    if !sh::root().join("crates/conform/Cargo.toml").is_file() {
        println!("conform: LEFT OUT: there is no suite in this tree");
        tally.skipped += 1;
        return Ok(true);
    }
    let mut last = None;
    let built = sh::target_dir().join("debug");
    let mut suite = sh::command(built.join("anyfn-conform"));
    suite.env("ANYFN_PARTS", sh::parts_dir()).arg("--bin").arg(built.join("anyfn"));
    let ok = sh::watch(&mut suite, |line| last = Tally::parse(line).or_else(|| last.take()))?;
    let Some(counted) = last else {
        println!("conform: it ended without its closing line");
        return Ok(false);
    };
    tally.passed += counted.passed;
    tally.failed += counted.failed;
    tally.skipped += counted.skipped;
    Ok(ok)
}

impl Tally {
    /// A line as `Display` prints it.
    fn parse(line: &str) -> Option<Self> {
        let mut tally = Self::default();
        let mut parts = line.trim().split(", ");
        for (slot, word) in
            [(&mut tally.passed, "passed"), (&mut tally.failed, "failed"), (&mut tally.skipped, "skipped")]
        {
            let (number, found) = parts.next()?.split_once(' ')?;
            *slot = number.parse().ok().filter(|_| found == word)?;
        }
        parts.next().is_none().then_some(tally)
    }

    /// A line of the plain test harness.
    fn see_test(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.names.insert(name.to_owned());
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
