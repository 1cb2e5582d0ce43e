//! What must hold before a change goes in: all of it runs, then what failed is named.

use anyhow::{Result, bail};
use clap::CommandFactory as _;

use crate::{sh, tidy};

pub(crate) fn run() -> Result<()> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    let mut steps = vec![
        ("format", sh::run(sh::cargo().args(["fmt", "--all", "--check"]))),
        ("lints", sh::run(sh::cargo().args(clippy))),
    ];
    if crate::Cli::command().find_subcommand("codegen").is_some() {
        let ourselves = std::env::current_exe()?;
        steps.push(("generated code", sh::run(sh::command(ourselves).args(["codegen", "--check"]))));
    }
    steps.push(("house rules", tidy::run()));
    let mut failed = Vec::new();
    for (name, outcome) in steps {
        if let Err(error) = outcome {
            println!("check: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("check failed: {}", failed.join(", "));
    }
    println!("check: all is well");
    Ok(())
}
