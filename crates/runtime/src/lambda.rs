//! The contract itself: what it needs from its composer, and the port.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyfn_base::Base;
use anyfn_core::ports::{BringUp, Contract, Guest, StartError};
use anyfn_types::{Failure, InvocationId, Version};
use async_trait::async_trait;

use crate::{
    Error, RuntimesMode,
    compiled::Compiled,
    failure,
    guest::LambdaGuest,
    interpreters::{Interpreters, parse},
    plan::{NODE_BOOTSTRAP, PYTHON_BOOTSTRAP, installed},
};

const PYTHON: &str = include_str!("../bootstrap/bootstrap.py");
const NODE: &str = include_str!("../bootstrap/bootstrap.cjs");

/// What the composer chooses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A folder of the server's own; the bootstraps are written under it.
    pub state: PathBuf,
    pub mode: RuntimesMode,
    /// Where to look for interpreters besides `/usr/bin` and `/usr/local/bin`: folders with executables, or folders of
    /// versions as pyenv, nvm and asdf have them (`~/.pyenv/versions`).
    pub search: Vec<PathBuf>,
}

/// AWS Lambda's contract with a function's process.
#[derive(Clone, Debug)]
pub struct Lambda(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) base: Base,
    pub(crate) mode: RuntimesMode,
    pub(crate) interpreters: Interpreters,
    /// Bound at `/var/runtime`.
    pub(crate) runtime_dir: PathBuf,
    pub(crate) compiled: Compiled,
}

impl Lambda {
    /// Looks for interpreters and writes the bootstraps. Blocks for some ten milliseconds; call it once, at the start.
    /// Errors: the bootstraps cannot be written.
    pub fn new(base: Base, options: &Options) -> Result<Self, Error> {
        let runtime_dir = options.state.join(format!("var-runtime-{:016x}", fingerprint()));
        write_bootstraps(&runtime_dir)
            .map_err(|source| Error::Bootstraps { path: runtime_dir.clone(), source })?;
        let interpreters = Interpreters::find(&options.search);
        Ok(Self(Arc::new(Shared {
            base,
            mode: options.mode,
            interpreters,
            compiled: Compiled::new(runtime_dir.clone()),
            runtime_dir,
        })))
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.0.clone()
    }

    /// What was found on this host: the runtime's name and the executable.
    pub fn found(&self) -> Vec<(String, PathBuf)> {
        self.0.interpreters.named().map(|(name, found)| (name, found.host.clone())).collect()
    }

    /// The interpreters that were found, for contracts of other rooms.
    pub fn interpreters(&self) -> Interpreters {
        self.0.interpreters.clone()
    }

    /// Folders outside `/usr` that guests will see because an interpreter lives there, read-only.
    pub fn prefixes(&self) -> Vec<PathBuf> {
        let binds = self.0.interpreters.all().filter_map(|found| found.bind.as_ref());
        let mut prefixes: Vec<_> = binds.map(|bind| bind.source.clone()).collect();
        prefixes.sort();
        prefixes.dedup();
        prefixes
    }
}

/// FNV-1a over the bootstraps: another release of this server uses another folder, so guests of both can run.
fn fingerprint() -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    PYTHON.bytes().chain(NODE.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}

fn write_bootstraps(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(folder)?;
    // Guests run as another user.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for (name, text) in [(PYTHON_BOOTSTRAP, PYTHON), (NODE_BOOTSTRAP, NODE)] {
        let (path, fresh) = (folder.join(name), folder.join(format!(".{name}.new")));
        fs::write(&fresh, text)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644))?;
        // In one step, because guests of an earlier start may have the old one open.
        fs::rename(fresh, path)?;
    }
    Ok(())
}

#[async_trait]
impl Contract for Lambda {
    async fn bring_up(&self, with: BringUp) -> Result<Box<dyn Guest>, StartError> {
        Ok(Box::new(LambdaGuest::bring_up(self.0.clone(), with).await?))
    }

    fn addressed(&self, failure: Failure, call: InvocationId) -> Failure {
        failure::addressed(failure, &call.uuid())
    }

    fn resolve(&self, version: &Version) -> Result<Option<String>, anyfn_types::Error> {
        let runtime = version.config.runtime.as_str();
        if parse(runtime).is_some() {
            return Ok(self.0.interpreters.choose(runtime, self.0.mode)?.notice);
        }
        let own = runtime.is_empty() || runtime == "provided" || runtime.starts_with("provided.");
        if own || !version.config.command.is_empty() {
            return Ok(None);
        }
        let family = ["java", "ruby"].into_iter().find(|family| runtime.starts_with(family));
        let Some(family) = family else {
            return Err(Error::UnknownRuntime { runtime: runtime.to_owned() }.into());
        };
        match installed(family) {
            Some(path) => {
                Ok(Some(format!("{path} serves {runtime}; the package brings its runtime interface client")))
            }
            None => {
                let install = format!("install {family} (`{family}` in /usr/bin)");
                Err(Error::NoInterpreter { runtime: runtime.to_owned(), install }.into())
            }
        }
    }
}
