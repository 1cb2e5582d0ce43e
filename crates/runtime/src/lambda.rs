//! The contract itself: what it needs from its composer, and the port.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyfn_base::Base;
use anyfn_core::ports::{BringUp, Contract, Guest, Isolation, StartError};
use anyfn_types::{Failure, InvocationId, Version};
use async_trait::async_trait;

use crate::{
    Error, RuntimesMode,
    compiled::Compiled,
    failure,
    forks::{Forking, Forks, Key, set_named},
    guest::LambdaGuest,
    interpreters::{Interpreters, parse},
    plan::{NODE_BOOTSTRAP, PYTHON_BOOTSTRAP, installed, managed},
    provided,
    templates::Recipe,
};

/// What lies under `/var/runtime`.
const FILES: [(&str, &[u8]); 9] = [
    (PYTHON_BOOTSTRAP, include_bytes!("../bootstrap/bootstrap.py")),
    ("anyfn_specialise.py", include_bytes!("../bootstrap/anyfn_specialise.py")),
    ("anyfn_template.py", include_bytes!("../bootstrap/anyfn_template.py")),
    ("rehearsal/index.js", include_bytes!("../bootstrap/rehearsal.cjs")),
    ("fork.so", anyfn_zygote::PYTHON),
    (NODE_BOOTSTRAP, include_bytes!("../bootstrap/bootstrap.cjs")),
    ("specialise.cjs", include_bytes!("../bootstrap/specialise.cjs")),
    ("template.cjs", include_bytes!("../bootstrap/template.cjs")),
    ("fork.node", anyfn_zygote::NODE),
];

/// What the composer chooses.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A folder of the server's own; the bootstraps are written under it.
    pub state: PathBuf,
    pub mode: RuntimesMode,
    /// Where to look for interpreters besides `/usr/bin` and `/usr/local/bin`: folders with executables, or folders of
    /// versions as pyenv, nvm and asdf have them (`~/.pyenv/versions`).
    pub search: Vec<PathBuf>,
    pub forking: Forking,
    /// Functions find the AWS SDK as on Lambda, if an interpreter of this host has it: boto3 of the same Python release,
    /// `@aws-sdk` from Node's global folder. Copied under `state` once.
    pub provide_sdk: bool,
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
    pub(crate) forks: Forks,
}

impl Lambda {
    /// Looks for interpreters and writes the bootstraps. Blocks for some ten milliseconds; call it once, at the start.
    /// Errors: the bootstraps cannot be written.
    pub fn new(base: Base, options: &Options) -> Result<Self, Error> {
        let runtime_dir = options.state.join(format!("var-runtime-{:016x}", fingerprint()));
        write_bootstraps(&runtime_dir)
            .map_err(|source| Error::Bootstraps { path: runtime_dir.clone(), source })?;
        let interpreters = Interpreters::find(&options.search);
        if options.provide_sdk {
            provided::provide(&runtime_dir, &interpreters, &options.search);
        }
        Ok(Self(Arc::new(Shared {
            forks: Forks::new(&base, runtime_dir.clone(), options.forking.clone()),
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

    /// Starts the template of a runtime, with a set of packages (`boto3`, `aws-sdk`) or the generic one, and waits at most
    /// `within` until it can be forked. False: it could not, and its functions start plainly.
    pub async fn warm(
        &self,
        isolation: &Arc<dyn Isolation>,
        runtime: &str,
        set: Option<&str>,
        within: Duration,
    ) -> Result<bool, Error> {
        let recipe = self.recipe(runtime, set)?;
        Ok(self.0.forks.templates.until_up(isolation, &recipe, within).await)
    }

    /// Whether `warm` can be asked for this.
    pub fn knows(&self, runtime: &str, set: Option<&str>) -> Result<(), Error> {
        self.recipe(runtime, set).map(|_| ())
    }

    fn recipe(&self, runtime: &str, set: Option<&str>) -> Result<Recipe, Error> {
        let choice = self.0.interpreters.choose(runtime, self.0.mode)?;
        let unknown = || Error::UnknownRuntime { runtime: runtime.to_owned() };
        let (language, _) = parse(runtime).ok_or_else(unknown)?;
        let set = set.map(|name| set_named(language, name).ok_or_else(unknown)).transpose()?;
        Ok(Recipe::new(Key { language, release: choice.release, set }, &managed(language, choice)))
    }

    /// Ends templates and the children of theirs that wait. Call it at shutdown, when nothing starts any more.
    pub fn close(&self) {
        self.0.forks.spares.close();
        self.0.forks.templates.close();
    }

    /// Templates that can be forked, and the children of theirs that wait.
    pub fn forkable(&self) -> (Vec<String>, usize) {
        (self.0.forks.templates.names(), self.0.forks.spares.waiting())
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
    FILES.iter().flat_map(|(_, bytes)| bytes.iter().copied()).fold(0xcbf2_9ce4_8422_2325, step)
}

fn write_bootstraps(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(folder)?;
    // Guests run as another user.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        let fresh = path.with_added_extension("new");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
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
