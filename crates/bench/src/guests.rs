//! The functions that are measured: the same handler behind the platform, behind a bare HTTP server, and as a plain process.

mod pack;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use serde_json::{Value, json};

use crate::{peers::Transport, process::Process};

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    /// Base64 of the package.
    pub(crate) zip: String,
    /// Base64 of a layer that it wants.
    pub(crate) layer: Option<String>,
    /// What anyfn's own API is told besides; such a guest is not deployed through the Lambda API.
    pub(crate) own: Option<Value>,
    /// The same handler without a platform: program and arguments before `--once` or `--serve`.
    plain: Vec<String>,
    environment: Vec<(String, String)>,
}

pub(crate) const EVENT: &[u8] = br#"{"name":"bench"}"#;

impl Guest {
    /// Prints one answer and ends; None for what is no program of its own.
    pub(crate) fn once(&self) -> Option<Vec<String>> {
        if self.plain.is_empty() {
            return None;
        }
        let names = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let mut words: Vec<String> = names.collect();
        if !words.is_empty() {
            words.insert(0, "/usr/bin/env".to_owned());
        }
        words.extend(self.plain.iter().cloned());
        words.extend(["--once".to_owned(), String::from_utf8_lossy(EVENT).into_owned()]);
        Some(words)
    }

    /// The same handler behind an HTTP server of its own language that prints its port.
    pub(crate) fn serve(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let (program, rest) = self.plain.split_first().context("it has no plain form")?;
        let mut command = Command::new(program);
        command.args(rest).args(arguments).envs(self.environment.iter().cloned());
        Ok(command)
    }

    pub(crate) fn bare(&self) -> anyhow::Result<(Process, std::net::SocketAddr)> {
        Process::announced(&mut self.serve(&["--serve"])?)
    }
}

/// Where sources are, where parts are, and where binaries may be written.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    pub(crate) parts: PathBuf,
    pub(crate) scratch: PathBuf,
}

impl Places {
    pub(crate) fn source(&self, name: &str) -> PathBuf {
        self.root.join("crates/bench/guests").join(name)
    }

    /// A fetched part's file.
    pub(crate) fn part(&self, path: &str) -> anyhow::Result<PathBuf> {
        let found = self.parts.join(path);
        if !found.exists() {
            let name = path.split('/').next().unwrap_or(path);
            bail!("the part {name} is not here (`cargo xtask setup --bench`)");
        }
        Ok(found)
    }
}

/// Debian's before any other, as the server looks for it.
fn python() -> anyhow::Result<(String, String)> {
    let ask = "import sys;print('python%d.%d'%sys.version_info[:2])";
    let version = |program: &str| said(program, &["-c", ask]).map(|runtime| (program.to_owned(), runtime));
    version("/usr/bin/python3").or_else(|| version("python3")).context("there is no python3 here")
}

fn node() -> anyhow::Result<(String, String)> {
    let ask = "console.log('nodejs'+process.versions.node.split('.')[0]+'.x')";
    said("node", &["-e", ask]).map(|runtime| ("node".to_owned(), runtime)).context("there is no node here")
}

/// What a program prints, trimmed.
pub(crate) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

pub(crate) fn python_hello(places: &Places) -> anyhow::Result<Guest> {
    python_file(places, "python", "hello.py", None)
}

/// boto3 and a client, as a layer.
pub(crate) fn python_boto3(places: &Places) -> anyhow::Result<Guest> {
    let modules = places.part("layer-boto3/python")?;
    python_file(places, "python-boto3", "sdk.py", Some(&modules))
}

/// boto3 and a client, as the interpreter's own package.
pub(crate) fn python_own_boto3(places: &Places) -> anyhow::Result<Guest> {
    let (program, _) = python()?;
    if said(&program, &["-I", "-c", "import boto3; print(boto3.__version__)"]).is_none() {
        bail!("{program} has no boto3 of its own (on Debian: apt-get install python3-boto3)");
    }
    python_file(places, "python-own-boto3", "sdk.py", None)
}

fn python_file(
    places: &Places,
    name: &'static str,
    file: &str,
    modules: Option<&Path>,
) -> anyhow::Result<Guest> {
    let (program, runtime) = python()?;
    let source = places.source(file);
    let path = |modules: &Path| ("PYTHONPATH".to_owned(), modules.display().to_string());
    Ok(Guest {
        name,
        runtime,
        handler: "app.handler".into(),
        zip: pack::file("app.py", &fs::read(&source)?, 0o644)?,
        layer: modules.map(|modules| pack::folder(modules, "python")).transpose()?,
        own: None,
        plain: vec![program, places.source("serve.py").display().to_string(), source.display().to_string()],
        environment: modules.map(path).into_iter().collect(),
    })
}

pub(crate) fn node_hello(places: &Places) -> anyhow::Result<Guest> {
    node_file(places, "node", "hello.js", None)
}

/// The AWS SDK and a client, as a layer.
pub(crate) fn node_sdk(places: &Places) -> anyhow::Result<Guest> {
    let modules = places.part("client-s3/node_modules")?;
    node_file(places, "node-sdk", "sdk.js", Some(&modules))
}

fn node_file(
    places: &Places,
    name: &'static str,
    file: &str,
    modules: Option<&Path>,
) -> anyhow::Result<Guest> {
    let (program, runtime) = node()?;
    let source = places.source(file);
    let path = |modules: &Path| ("NODE_PATH".to_owned(), modules.display().to_string());
    Ok(Guest {
        name,
        runtime,
        handler: "index.handler".into(),
        zip: pack::file("index.js", &fs::read(&source)?, 0o644)?,
        layer: modules.map(|modules| pack::folder(modules, "nodejs/node_modules")).transpose()?,
        own: None,
        plain: vec![program, places.source("serve.js").display().to_string(), source.display().to_string()],
        // The SDK complains about every interpreter that will be old one day.
        environment: modules.map(path).into_iter().chain([("NODE_NO_WARNINGS".into(), "1".into())]).collect(),
    })
}

/// A static binary that speaks the Runtime API in a hundred lines, so that the platform and not an SDK is measured.
pub(crate) fn native(places: &Places) -> anyhow::Result<Guest> {
    let binary = native_binary(places)?;
    Ok(Guest {
        name: "native",
        runtime: "provided.al2023".into(),
        handler: "bootstrap".into(),
        zip: pack::file("bootstrap", &fs::read(&binary)?, 0o755)?,
        layer: None,
        own: None,
        plain: vec![binary.display().to_string()],
        environment: Vec::new(),
    })
}

/// The same binary as an HTTP server that the platform reaches over this transport.
pub(crate) fn native_http(places: &Places, transport: Transport) -> anyhow::Result<Guest> {
    let own = match transport {
        Transport::Tcp => json!({}),
        Transport::Unix => json!({ "http": { "socket": "/tmp/hello.sock" } }),
    };
    Ok(Guest { name: "native-http", runtime: "http".into(), own: Some(own), ..native(places)? })
}

pub(crate) fn native_binary(places: &Places) -> anyhow::Result<PathBuf> {
    built(places, "hello.rs", &format!("{}-unknown-linux-musl", std::env::consts::ARCH))
}

fn built(places: &Places, source: &str, target: &str) -> anyhow::Result<PathBuf> {
    let out = places.scratch.join(format!("{source}.out"));
    if out.exists() {
        return Ok(out);
    }
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-O", "-C", "strip=symbols", "--target", target, "-o"]);
    let output = rustc.arg(&out).arg(places.source(source)).output().context("start rustc")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| line.starts_with("error")).unwrap_or_default().to_owned();
        bail!("rustc could not build {source} for {target}: {first} (`rustup target add {target}`)");
    }
    Ok(out)
}

/// A component that is a command: the event on its standard input, the answer on its standard output.
pub(crate) fn wasm(places: &Places) -> anyhow::Result<Guest> {
    let file = built(places, "hello_wasm.rs", "wasm32-wasip2")?;
    Ok(Guest {
        name: "wasm",
        runtime: "wasm".into(),
        handler: "hello.wasm".into(),
        zip: pack::file("hello.wasm", &fs::read(&file)?, 0o644)?,
        layer: None,
        own: Some(json!({})),
        plain: Vec::new(),
        environment: Vec::new(),
    })
}
