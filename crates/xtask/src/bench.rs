//! The benchmarks: a program of their own, built as it is shipped.

use anyhow::{Result, bail};

use crate::sh;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Given to the program as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !sh::root().join("crates/bench/Cargo.toml").is_file() {
        bail!("there are no benchmarks in this tree (crates/bench)");
    }
    let mut bench = sh::cargo();
    bench.args(["run", "--release", "--locked", "--package", "anyfn-bench", "--"]);
    sh::run(bench.args(&args.rest))
}
