//! The command line.

mod completions;
mod deploy;
mod dev;
mod doctor;
pub(crate) mod helper;
mod invoke;
mod key;
mod list;
mod logs;
mod new;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    client::Client,
    print::{Color, Printer},
    server,
    settings::ServerArgs,
};

/// Run functions written for any serverless platform, unmodified, on machines you own.
#[derive(Debug, Parser)]
#[command(name = "anyfn", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Print JSON for programs instead of tables for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Up(Box<ServerArgs>),
    /// Run the server with one folder deployed, follow its log, deploy again when a file changes.
    Dev(Box<dev::DevArgs>),
    /// Deploy a folder or a single file.
    Deploy(deploy::DeployArgs),
    /// Call a function.
    Invoke(invoke::InvokeArgs),
    /// Show a function's log.
    Logs(logs::LogsArgs),
    /// List functions.
    Ls(list::ListArgs),
    /// Show one function whole.
    Describe(list::NameArgs),
    /// Delete functions.
    Rm(list::RemoveArgs),
    /// Begin a function from a template.
    New(new::NewArgs),
    /// Say what this host can isolate, which runtimes are here, and what to install.
    Doctor(doctor::DoctorArgs),
    /// Make and revoke access keys.
    Key(key::KeyArgs),
    /// Print a shell's completion script.
    Completions(completions::CompletionsArgs),
    /// The privileged helper that starts sandboxes.
    Helper(helper::HelperArgs),
    /// The process inside of a sandbox that runs or compiles WebAssembly.
    #[command(hide = true)]
    WasmHost { arguments: Vec<String> },
}

/// Which server to talk to.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerRef {
    /// The server's address.
    #[arg(long, value_name = "URL", env = "ANYFN_SERVER", default_value = "http://127.0.0.1:4566")]
    pub(crate) server: String,
    /// Access key, as `ID.SECRET`.
    #[arg(long, value_name = "KEY", env = "ANYFN_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Namespace (`<account>.<region>`); the server's own unless given.
    #[arg(long, value_name = "NAME", env = "ANYFN_NAMESPACE")]
    pub(crate) namespace: Option<String>,
}

impl ServerRef {
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.server, self.key.clone(), self.namespace.clone())
    }
}

pub(crate) async fn run(cli: Cli, print: &Printer) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Up(args) => server::up(*args, print).await,
        Command::Dev(args) => dev::run(*args, print).await,
        Command::Deploy(args) => deploy::run(args, print).await,
        Command::Invoke(args) => invoke::run(args, print).await,
        Command::Logs(args) => logs::run(args, print).await,
        Command::Ls(args) => list::list(args, print).await,
        Command::Describe(args) => list::describe(args, print).await,
        Command::Rm(args) => list::remove(args, print).await,
        Command::New(args) => new::run(&args, print),
        Command::Doctor(args) => doctor::run(&args, print).await,
        Command::Key(args) => key::run(args, print).await,
        Command::Completions(args) => completions::run(&args),
        Command::Helper(args) => Ok(helper::main(&args)),
        Command::WasmHost { arguments } => Ok(anyfn_wasm_host::main(&arguments)),
    }
}

/// A path that must be there.
pub(crate) fn existing(path: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(path);
    if path.exists() { Ok(path) } else { Err(format!("{} does not exist", path.display())) }
}
