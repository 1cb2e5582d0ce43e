//! Settings of the server: flags first, then the environment, then defaults. The environment is read here and nowhere else.

use std::{net::SocketAddr, path::PathBuf};

use anyfn_types::{Limits, Namespace, Tier};
use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};

/// What isolation must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum IsolationMode {
    /// What the host gives; what is missing is said at start-up.
    #[default]
    Best,
    /// Refuse to start if any part is missing.
    Required,
}

/// Which interpreter may serve a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimesMode {
    /// The asked-for minor if it is here, else the nearest, with a notice.
    #[default]
    Nearest,
    /// The asked-for minor or an error.
    Exact,
}

/// Where guests may connect to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EgressMode {
    /// Public addresses; never this host, private ranges or metadata addresses.
    #[default]
    Internet,
    /// Nowhere.
    None,
}

/// What stands between functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// An instance of WebAssembly.
    Wasm,
    /// A sandboxed process, forked from a template that all functions of its runtime share.
    Fork,
    /// A sandboxed process, started from nothing.
    Process,
}

impl Isolation {
    pub(crate) fn tier(self) -> Tier {
        match self {
            Self::Wasm => Tier::Wasm,
            Self::Fork => Tier::Fork,
            Self::Process => Tier::Process,
        }
    }
}

/// Options of `up` and `dev`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArgs {
    /// Address to listen on; may be given more than once. On an address that is not loopback, every request needs a key.
    #[arg(
        long,
        value_name = "ADDR",
        env = "ANYFN_LISTEN",
        value_delimiter = ',',
        default_value = "127.0.0.1:4566"
    )]
    pub(crate) listen: Vec<SocketAddr>,
    /// Folder for everything that must survive a restart.
    #[arg(long, value_name = "DIR", env = "ANYFN_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// What isolation must be there.
    #[arg(long, value_enum, default_value_t, env = "ANYFN_ISOLATION")]
    pub(crate) isolation: IsolationMode,
    /// What stands between functions at least, whatever they ask for.
    #[arg(long, value_enum, env = "ANYFN_ISOLATION_FLOOR")]
    pub(crate) isolation_floor: Option<Isolation>,
    /// Start the template of a runtime with the server and not when it is first used: `python3.11`, `python3.11+boto3`,
    /// `nodejs20.x+aws-sdk`. May be given more than once.
    #[arg(long = "template", value_name = "NAME", env = "ANYFN_TEMPLATES", value_delimiter = ',')]
    pub(crate) templates: Vec<String>,
    /// Forked children that wait for functions, of all templates together; 0 forks only when a call comes.
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    pub(crate) spares: usize,
    /// Forked children of each template that wait even when no function was started for a minute.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) spares_min: usize,
    /// Finished sandboxes without code that are kept ahead at most; as many as were wanted lately. 0 to 256.
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    pub(crate) stock: usize,
    /// Which interpreter may serve a runtime.
    #[arg(long, value_enum, default_value_t, env = "ANYFN_RUNTIMES")]
    pub(crate) runtimes: RuntimesMode,
    /// Where functions may connect to.
    #[arg(long, value_enum, default_value_t, env = "ANYFN_EGRESS")]
    pub(crate) egress: EgressMode,
    /// Unix socket of a privileged helper (`anyfn helper --socket PATH`), so that this process needs no privileges.
    #[arg(long, value_name = "PATH", env = "ANYFN_HELPER")]
    pub(crate) helper: Option<PathBuf>,
    /// Parent domain of function addresses (`<id>.lambda-url.<region>.<domain>`), where its DNS points here.
    #[arg(long, value_name = "DOMAIN", env = "ANYFN_DOMAIN")]
    pub(crate) domain: Option<String>,
    /// A limit, such as `payload_bytes=10485760`; see `anyfn up --list-limits`. May be given more than once.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print every limit with its default and end.
    #[arg(long)]
    pub(crate) list_limits: bool,
    /// Seconds that running calls get at shutdown.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
    /// What to log: error, warn, info, debug, trace, or per room (`info,anyfn_engine=debug`).
    #[arg(long, value_name = "FILTER", env = "ANYFN_LOG", default_value = "info")]
    pub(crate) log: String,
    /// Log as JSON, one object a line.
    #[arg(long)]
    pub(crate) log_json: bool,
    /// Account of callers whose key names none.
    #[arg(long, env = "ANYFN_ACCOUNT", default_value = "000000000000")]
    pub(crate) account: String,
    /// Region of callers whose signature names none.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    pub(crate) region: String,
}

impl ServerArgs {
    /// `--data`, else the user's data folder.
    pub(crate) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        data_dir(self.data.as_ref())
    }

    pub(crate) fn namespace(&self) -> anyhow::Result<Namespace> {
        if self.account.len() != 12 || !self.account.bytes().all(|b| b.is_ascii_digit()) {
            bail!("--account has 12 digits, not `{}`", self.account);
        }
        Namespace::new(format!("{}.{}", self.account, self.region))
            .map_err(|e| anyhow::anyhow!("{}", e.public))
    }

    /// Defaults with every `--set` applied.
    pub(crate) fn limits(&self) -> anyhow::Result<Limits> {
        let mut limits = serde_json::to_value(Limits::default()).context("limits")?;
        for one in &self.set {
            let (name, value) =
                one.split_once('=').with_context(|| format!("--set {one}: use NAME=VALUE"))?;
            let known = limits.as_object_mut().context("limits")?;
            if !known.contains_key(name) {
                let names: Vec<_> = known.keys().cloned().collect();
                bail!("--set {name}: there is no such limit; there are: {}", names.join(", "));
            }
            let value: u64 =
                value.parse().with_context(|| format!("--set {one}: the value is a whole number"))?;
            known.insert(name.to_owned(), value.into());
        }
        serde_json::from_value(limits).context("--set: a value is out of range")
    }
}

/// The folder that keeps everything: as given, `$XDG_DATA_HOME/anyfn`, or `~/.local/share/anyfn`.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn data_dir(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = given {
        return Ok(dir.clone());
    }
    let var = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    if let Some(base) = var("XDG_DATA_HOME") {
        return Ok(PathBuf::from(base).join("anyfn"));
    }
    let home = var("HOME").context("no --data and no HOME: say where to keep data with --data DIR")?;
    Ok(PathBuf::from(home).join(".local/share/anyfn"))
}

/// Where builds are kept between deploys: `$XDG_CACHE_HOME/anyfn` or `~/.cache/anyfn`.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn cache_dir() -> anyhow::Result<PathBuf> {
    let var = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    if let Some(base) = var("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(base).join("anyfn"));
    }
    let home = var("HOME").context("no HOME: set XDG_CACHE_HOME to a folder for builds")?;
    Ok(PathBuf::from(home).join(".cache/anyfn"))
}

/// Folders where version managers keep interpreters, those that are there.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn interpreter_folders() -> Vec<PathBuf> {
    let Ok(home) = std::env::var("HOME") else { return Vec::new() };
    let known = [
        ".pyenv/versions",
        ".nvm/versions/node",
        ".asdf/installs/python",
        ".asdf/installs/nodejs",
        ".volta/tools/image/node",
    ];
    known.iter().map(|below| PathBuf::from(&home).join(below)).filter(|dir| dir.is_dir()).collect()
}

/// Files that this process may have open.
pub(crate) fn file_limits() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}
