//! What stands beside the server: the same handler on other platforms, and behind proxies. Each file is one peer; one that
//! is not on this machine says so and is left out.

mod anyfn;
mod bare;
mod functions_framework;
mod haproxy;
mod ministack;
mod nginx;
mod oci;
mod of_watchdog;
mod serverless_offline;
mod workerd;
mod wrangler;

use std::{any::Any, net::SocketAddr, path::Path};

use anyhow::bail;

pub(crate) use self::{
    anyfn::{http as anyfn_http, invoke as anyfn_invoke, url as anyfn_url},
    bare::{direct, direct_get},
    functions_framework::{javascript as functions_framework_js, python as functions_framework_py},
    haproxy::proxy as haproxy,
    ministack::{Ministack, invoke as ministack},
    nginx::proxy as nginx,
    oci::{Oci, stopwatch},
    of_watchdog::watchdog,
    serverless_offline::invoke as serverless_offline,
    workerd::worker as workerd,
    wrangler::dev as wrangler,
};
use crate::{
    guests::{Places, said},
    http::Client,
};

/// Where the same request goes to the same handler.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) request: Vec<u8>,
    /// For generators that build requests themselves: a GET of it.
    pub(crate) path: String,
    /// Processes and folders that end with it.
    #[allow(dead_code, reason = "held for its end")]
    keep: Vec<Box<dyn Any>>,
}

impl Endpoint {
    /// Asks once, and looks at the answer: who answers with something else is not compared.
    pub(crate) fn checked(
        address: SocketAddr,
        request: Vec<u8>,
        path: &str,
        keep: Vec<Box<dyn Any>>,
    ) -> anyhow::Result<Self> {
        let answer = Client::connect(address)?.raw(&request)?;
        let text = String::from_utf8_lossy(&answer.body).replace(' ', "");
        anyhow::ensure!(
            answer.is_success() && text.contains("\"hello\":\""),
            "it answered {}",
            answer.told()
        );
        Ok(Self { address, request, path: path.to_owned(), keep })
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::connect(self.address)
    }
}

/// Named, so that one that cannot run still has its line.
pub(crate) type Named = (String, anyhow::Result<Endpoint>);

/// How the backend is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
}

impl Transport {
    pub(crate) const ALL: [Self; 2] = [Self::Tcp, Self::Unix];

    /// In the names of lines.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Unix => "unix socket",
        }
    }
}

pub(crate) fn on_path(program: &str) -> anyhow::Result<()> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&paths).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(Into::into));
    if folders.iter().any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    bail!("{program} is not on the PATH (`cargo xtask setup --bench`)")
}

/// Name and version of what can stand beside us here.
pub(crate) fn versions(places: &Places) -> Vec<(String, String)> {
    let first = |program: &str, flag: &str| {
        let script = format!("PATH=$PATH:/usr/sbin {program} {flag} 2>&1");
        said("sh", &["-c", &script])?.lines().find_map(version_in)
    };
    let programs = [
        ("nginx", "nginx", "-v"),
        ("haproxy", "haproxy", "-v"),
        ("crun", "crun", "--version"),
        ("runc", "runc", "--version"),
        ("runsc", "runsc", "--version"),
        ("wrk", "wrk", "-v | cut -d[ -f1"),
        ("node", "node", "--version"),
        ("python", "/usr/bin/python3", "--version"),
    ];
    let mut found: Vec<(String, String)> = programs
        .iter()
        .filter_map(|(name, program, flag)| Some(((*name).to_owned(), first(program, flag)?)))
        .collect();
    for part in [
        "functions-framework-py",
        "functions-framework-js",
        "wrangler",
        "serverless-offline",
        "ministack",
        "of-watchdog",
        "layer-boto3",
        "client-s3",
    ] {
        if let Some(version) = stamped(&places.parts, part) {
            found.push((part.to_owned(), version));
        }
    }
    found
}

/// The first word that has digits and points, without a name before it.
fn version_in(line: &str) -> Option<String> {
    let word = line.split([' ', '/']).find(|word| {
        let word = word.trim_start_matches(['v', 'V']);
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
    });
    word.map(str::to_owned)
}

/// What the set-up says it installed.
fn stamped(parts: &Path, part: &str) -> Option<String> {
    let text = std::fs::read_to_string(parts.join(format!("{part}.stamp"))).ok()?;
    Some(text.trim().strip_prefix("ready ")?.to_owned())
}

/// A program of the PATH or of the folders that only administrators have in theirs.
fn command(program: &str) -> std::process::Command {
    let folders = ["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).join(program));
    let found = folders.into_iter().find(|path| path.is_file());
    std::process::Command::new(found.unwrap_or_else(|| program.into()))
}

#[cfg(test)]
mod tests;
