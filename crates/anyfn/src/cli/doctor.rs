//! `anyfn doctor`: what this host can do, and what to install.

use std::{path::PathBuf, process::ExitCode};

use anyfn_base::Base;
use anyfn_runtime::Forking;
use clap::Args;

use crate::{
    print::Printer,
    server,
    settings::{self, RuntimesMode},
};

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Unix socket of a privileged helper to ask.
    #[arg(long, value_name = "PATH", env = "ANYFN_HELPER")]
    helper: Option<PathBuf>,
}

/// What each runtime needs where it is missing.
const INSTALL: [(&str, &str); 4] = [
    ("python", "apt-get install python3 (or pyenv install 3.13)"),
    ("nodejs", "apt-get install nodejs (or nvm install 22)"),
    ("java", "apt-get install default-jre-headless"),
    ("ruby", "apt-get install ruby"),
];

pub(crate) async fn run(args: &DoctorArgs, print: &Printer) -> anyhow::Result<ExitCode> {
    let dir = std::env::temp_dir().join(format!("anyfn-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let report = report(args, &dir, print).await;
    let _ = std::fs::remove_dir_all(&dir);
    report
}

async fn report(args: &DoctorArgs, dir: &std::path::Path, print: &Printer) -> anyhow::Result<ExitCode> {
    let lambda = server::lambda(
        Base::system(),
        dir,
        RuntimesMode::Nearest,
        Forking { on: false, ..Forking::default() },
    )?;
    let capabilities = server::capabilities(dir, args.helper.clone(), &lambda).await?;
    let found = lambda.found();
    let limits = settings::file_limits();
    if print.json {
        print.value(&serde_json::json!({
            "complete": capabilities.complete(),
            "isolation": capabilities.parts.iter().map(|(name, here, how)| serde_json::json!({ "part": name, "here": here, "how": how })).collect::<Vec<_>>(),
            "runtimes": found.iter().map(|(name, path)| serde_json::json!({ "runtime": name, "path": path })).collect::<Vec<_>>(),
            "open_files": limits,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print.line(&print.bold("isolation"));
    for (name, here, how) in &capabilities.parts {
        print.line(&format!("  {} {name}: {how}", print.good(*here, if *here { "yes" } else { "no " })));
    }
    print.line(&print.bold("runtimes"));
    for (name, path) in &found {
        print.line(&format!("  {} {name}: {}", print.good(true, "yes"), path.display()));
    }
    for (name, install) in INSTALL {
        if !found.iter().any(|(runtime, _)| runtime.starts_with(name)) {
            print.line(&format!("  {} {name}: {install}", print.good(false, "no ")));
        }
    }
    print.line(&print.bold("limits"));
    print.line(&format!("  open files of the server: {limits} (10,000 connections want 20,000: ulimit -n)"));
    let verdict = if capabilities.complete() {
        "this host isolates functions fully"
    } else {
        "parts of the isolation are missing; `anyfn up --isolation=required` would refuse"
    };
    print.line(verdict);
    Ok(ExitCode::SUCCESS)
}
