//! Which process serves a version, and over which transport.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyfn_core::ports::Bind;
use anyfn_types::{Config, Failure};

use crate::{
    Error, failure,
    interpreters::{Choice, Interpreters, Language, Release, RuntimesMode, parse},
};

/// The socket of our own bootstraps, inside.
pub(crate) const LINK_FD: i32 = 3;
/// The framed log descriptor, inside.
pub(crate) const TELEMETRY_FD: i32 = 4;

/// File names under `/var/runtime`.
pub(crate) const PYTHON_BOOTSTRAP: &str = "bootstrap.py";
pub(crate) const NODE_BOOTSTRAP: &str = "bootstrap.cjs";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) argv: Vec<String>,
    /// Frames on descriptor 3 instead of HTTP.
    pub(crate) framed: bool,
    /// Whether the framed log descriptor is offered.
    pub(crate) telemetry: bool,
    pub(crate) language: Option<(Language, Release)>,
    /// The interpreter's folder, first in `PATH`.
    pub(crate) bin: Option<String>,
    pub(crate) bind: Option<Bind>,
    /// The interpreter on the host that may compile our bootstrap for later.
    pub(crate) compile: Option<(Release, PathBuf)>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum NoPlan {
    /// The package lacks what it must bring.
    Function(Failure),
    /// The host lacks what is needed.
    Host(Error),
}

impl From<Error> for NoPlan {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

/// The guest's folders as they lie on the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roots<'a> {
    /// `/var/task`
    pub(crate) code: &'a Path,
    /// `/opt`
    pub(crate) layers: Option<&'a Path>,
}

impl Roots<'_> {
    /// Where a path of the guest lies on the host, if it is under one of the roots. Links are not followed: they mean the
    /// guest's paths.
    fn host(&self, inside: &str) -> Option<PathBuf> {
        if let Some(rest) = inside.strip_prefix("/var/task/") {
            return Some(self.code.join(rest));
        }
        self.layers.zip(inside.strip_prefix("/opt/")).map(|(layers, rest)| layers.join(rest))
    }

    fn executable(&self, inside: &str) -> bool {
        let file = self.host(inside).and_then(|path| fs::symlink_metadata(path).ok());
        // A link is believed: what it means is only known inside.
        file.is_some_and(|file| {
            file.is_symlink() || (file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
    }

    /// Executables in `/opt/extensions`, by name, ascending.
    pub(crate) fn extensions(&self) -> Vec<String> {
        let folder = self.layers.map(|layers| layers.join("extensions"));
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.') && self.executable(&format!("/opt/extensions/{name}")));
        names.sort();
        names
    }
}

fn no_entry(text: &str) -> NoPlan {
    NoPlan::Function(failure::found("Runtime.InvalidEntrypoint", None, text))
}

/// Decides. Reads the package's folders, never what is in their files.
pub(crate) fn plan(
    config: &Config,
    roots: Roots<'_>,
    interpreters: &Interpreters,
    mode: RuntimesMode,
) -> Result<Plan, NoPlan> {
    let runtime = config.runtime.as_str();
    let mut plan = if !config.command.is_empty() {
        command(config, roots, interpreters, mode)?
    } else if let Some((language, _)) = parse(runtime) {
        managed(language, interpreters.choose(runtime, mode)?)
    } else if runtime.starts_with("java") {
        java(config, roots)?
    } else if runtime.starts_with("ruby") {
        ruby(config, roots)?
    } else if runtime.is_empty() || runtime == "provided" || runtime.starts_with("provided.") {
        return provided(roots);
    } else {
        return Err(Error::UnknownRuntime { runtime: runtime.to_owned() }.into());
    };
    if let Some(wrapper) = config.env.get("AWS_LAMBDA_EXEC_WRAPPER").filter(|wrapper| !wrapper.is_empty()) {
        if roots.host(wrapper).is_some() && !roots.executable(wrapper) {
            return Err(no_entry(&format!(
                "{wrapper}: not found or not executable (AWS_LAMBDA_EXEC_WRAPPER)"
            )));
        }
        plan.argv.insert(0, wrapper.clone());
    }
    Ok(plan)
}

fn bin_of(inside: &str) -> Option<String> {
    inside.rsplit_once('/').map(|(folder, _)| folder.to_owned())
}

pub(crate) fn managed(language: Language, choice: Choice) -> Plan {
    let node = choice.found.inside.clone();
    let argv = match language {
        // No site: it costs milliseconds and would show the host's packages. The user's own come from the bootstrap.
        Language::Python => {
            let bootstrap = format!("/var/runtime/{PYTHON_BOOTSTRAP}");
            [node.as_str(), "-s", "-S", "-X", "frozen_modules=on", &bootstrap].map(str::to_owned).to_vec()
        }
        Language::Node => vec![node, format!("/var/runtime/{NODE_BOOTSTRAP}")],
    };
    Plan {
        argv,
        framed: true,
        telemetry: true,
        language: Some((language, choice.release)),
        bin: bin_of(&choice.found.inside),
        compile: (language == Language::Python).then_some((choice.release, choice.found.host)),
        bind: choice.found.bind,
    }
}

/// A command of the user's, which speaks the Runtime API over HTTP.
fn command(
    config: &Config,
    roots: Roots<'_>,
    interpreters: &Interpreters,
    mode: RuntimesMode,
) -> Result<Plan, NoPlan> {
    let mut plan = Plan {
        argv: config.command.clone(),
        framed: false,
        telemetry: false,
        language: None,
        bin: None,
        bind: None,
        compile: None,
    };
    if let Some((language, _)) = parse(&config.runtime) {
        let choice = interpreters.choose(&config.runtime, mode)?;
        plan.language = Some((language, choice.release));
        plan.bin = bin_of(&choice.found.inside);
        plan.telemetry = true;
        if (language == Language::Python && config.command[0].starts_with("python"))
            || config.command[0] == "node"
        {
            plan.argv[0] = choice.found.inside;
        }
        plan.bind = choice.found.bind;
    }
    let program = plan.argv[0].clone();
    if program.starts_with('/') {
        if roots.host(&program).is_some() && !roots.executable(&program) {
            return Err(no_entry(&format!("fork/exec {program}: no such file or directory")));
        }
        return Ok(plan);
    }
    let task = format!("/var/task/{}", program.trim_start_matches("./"));
    plan.argv[0] = if roots.executable(&task) {
        task
    } else {
        // `env` looks it up in the guest's own PATH.
        plan.argv.insert(0, "/usr/bin/env".to_owned());
        return Ok(plan);
    };
    Ok(plan)
}

fn provided(roots: Roots<'_>) -> Result<Plan, NoPlan> {
    let candidates = ["/var/task/bootstrap", "/opt/bootstrap"];
    let Some(bootstrap) = candidates.into_iter().find(|path| roots.executable(path)) else {
        let exists = |path: &&str| roots.host(path).is_some_and(|path| path.exists());
        let text = candidates.into_iter().find(exists).map_or_else(
            || format!("Couldn't find valid bootstrap(s): [{}]", candidates.join(" ")),
            |path| format!("fork/exec {path}: permission denied"),
        );
        return Err(no_entry(&text));
    };
    Ok(plain(vec![bootstrap.to_owned()]))
}

fn plain(argv: Vec<String>) -> Plan {
    Plan { argv, framed: false, telemetry: false, language: None, bin: None, bind: None, compile: None }
}

/// The first entry of a folder whose name starts with `start`.
fn entry(folder: &Path, start: &str) -> Option<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    names.into_iter().find(|path| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start))
    })
}

fn missing(config: &Config, install: &str) -> NoPlan {
    NoPlan::Host(Error::NoInterpreter { runtime: config.runtime.clone(), install: install.to_owned() })
}

fn java(config: &Config, roots: Roots<'_>) -> Result<Plan, NoPlan> {
    const CLIENT: &str = "aws-lambda-java-runtime-interface-client";
    let java =
        installed("java").ok_or_else(|| missing(config, "install a Java runtime (`java` in /usr/bin)"))?;
    let layers = roots.layers.map(|layers| layers.join("java/lib"));
    let folders = [Some(roots.code.join("lib")), layers];
    if !folders.iter().flatten().any(|folder| entry(folder, CLIENT).is_some()) {
        return Err(no_entry(&format!(
            "add {CLIENT} and aws-lambda-java-core to the package's lib/ folder or to a layer's java/lib/"
        )));
    }
    let main = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";
    let path = "/var/task:/var/task/lib/*:/opt/java/lib/*";
    Ok(plain([java, "-XX:+UseSerialGC", "-cp", path, main, &config.handler].map(str::to_owned).to_vec()))
}

fn ruby(config: &Config, roots: Roots<'_>) -> Result<Plan, NoPlan> {
    let ruby = installed("ruby").ok_or_else(|| missing(config, "install Ruby (`ruby` in /usr/bin)"))?;
    let places = [(Some(roots.code.join("vendor/bundle/ruby")), "/var/task/vendor/bundle/ruby")];
    let layers = [(roots.layers.map(|layers| layers.join("ruby/gems")), "/opt/ruby/gems")];
    for (host, inside) in places.into_iter().chain(layers) {
        let Some(abi) = host.as_deref().and_then(|host| entry(host, "")) else { continue };
        let Some(gem) = entry(&abi.join("gems"), "aws_lambda_ric-") else { continue };
        let name = |path: &Path| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        let gem = format!("{inside}/{}/gems/{}", name(&abi), name(&gem));
        let argv =
            [ruby, "-I", &format!("{gem}/lib"), &format!("{gem}/bin/aws_lambda_ric.rb"), &config.handler];
        return Ok(plain(argv.map(str::to_owned).to_vec()));
    }
    Err(no_entry("add the gem aws_lambda_ric to the package (vendor/bundle) or to a layer (ruby/gems)"))
}

/// An executable that the guest sees because it is under `/usr`.
pub(crate) fn installed(name: &str) -> Option<&'static str> {
    let paths = match name {
        "java" => ["/usr/bin/java", "/usr/local/bin/java"],
        _ => ["/usr/bin/ruby", "/usr/local/bin/ruby"],
    };
    paths.into_iter().find(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests;
