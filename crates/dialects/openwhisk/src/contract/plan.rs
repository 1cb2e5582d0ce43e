//! Which process serves an action, and how it is talked to.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyfn_core::ports::{Bind, BringUp, SandboxSpec};
use anyfn_runtime::{Choice, Interpreters, Language, RuntimesMode};
use anyfn_types::{Error, Kind};

use crate::model::{Meta, annotation};

const NODE: &str = include_str!("../../bootstrap/launcher.cjs");
const PYTHON: &str = include_str!("../../bootstrap/launcher.py");
const NODE_FILE: &str = "openwhisk.cjs";
const PYTHON_FILE: &str = "openwhisk.py";
/// What a package of executables begins with.
pub(crate) const EXECUTABLE: &str = "exec";
/// Where servers of `/init` and `/run` listen, inside.
pub(crate) const PORT: u16 = 8080;
const TMP_INODES_PER_MIB: u64 = 256;
const MIB_PER_CORE: u32 = 1769;
const MIB: u64 = 1 << 20;

/// How a process is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// Lines of JSON: in on descriptor 0, out on 3. Our own launchers say first whether the code could be loaded.
    Lines { launcher: bool },
    /// `POST /init` and `POST /run`.
    Http,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) argv: Vec<String>,
    pub(crate) speech: Speech,
    bind: Option<Bind>,
    bin: Option<String>,
}

/// Writes the launchers where sandboxes may bind them.
pub(crate) fn write_launchers(state: &Path) -> io::Result<PathBuf> {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mark = NODE.bytes().chain(PYTHON.bytes()).fold(0xcbf2_9ce4_8422_2325, step);
    let folder = state.join(format!("openwhisk-{mark:016x}"));
    fs::create_dir_all(&folder)?;
    // Guests run as another user.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    for (name, text) in [(NODE_FILE, NODE), (PYTHON_FILE, PYTHON)] {
        let fresh = folder.join(format!(".{name}.new"));
        fs::write(&fresh, text)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644))?;
        // In one step, because guests of an earlier start may have the old one open.
        fs::rename(fresh, folder.join(name))?;
    }
    Ok(folder)
}

/// The core's name for a kind's runtime: `nodejs:20` is `nodejs20.x`, `python:3` the newest that is common.
pub(crate) fn runtime(kind: &str) -> Option<String> {
    let (family, release) = kind.split_once(':').unwrap_or((kind, "default"));
    let number = |text: &str| text.parse::<u32>().is_ok();
    match (family, release) {
        ("nodejs", "default") => Some("nodejs20.x".to_owned()),
        ("nodejs", major) if number(major) => Some(format!("nodejs{major}.x")),
        ("python", "default" | "3") => Some("python3.11".to_owned()),
        ("python", minor) if minor.strip_prefix("3.").is_some_and(number) => Some(format!("python{minor}")),
        _ => None,
    }
}

/// Kinds whose code is an executable that speaks lines.
pub(crate) fn is_executable(kind: &str) -> bool {
    let family = kind.split(':').next().unwrap_or_default();
    ["go", "rust", "swift", "native"].contains(&family)
}

pub(crate) const BLACKBOX: &str = "blackbox";

pub(crate) fn unknown_kind(kind: &str) -> Error {
    let known = "nodejs:*, python:3.*, go:*, rust:*, swift:*, native, blackbox, sequence";
    Error::new(Kind::Invalid, "runtime_unknown", format!("kind '{kind}' is not supported; there are {known}"))
}

/// # Errors
/// The host has no interpreter for it, or nobody knows the kind.
pub(crate) fn choose(
    kind: &str,
    interpreters: &Interpreters,
    mode: RuntimesMode,
) -> Result<Option<Choice>, Error> {
    if is_executable(kind) || kind == BLACKBOX {
        return Ok(None);
    }
    let runtime = runtime(kind).ok_or_else(|| unknown_kind(kind))?;
    interpreters.choose(&runtime, mode).map(Some).map_err(Error::from)
}

pub(crate) fn plan(meta: &Meta, choice: Option<Choice>) -> Plan {
    let Some(choice) = choice else {
        let lines = annotation(&meta.annotations, "actionloop").as_bool();
        let speech = match meta.kind == BLACKBOX && lines != Some(true) {
            true => Speech::Http,
            false => Speech::Lines { launcher: false },
        };
        return Plan { argv: vec![format!("/var/task/{EXECUTABLE}")], speech, bind: None, bin: None };
    };
    let python = kind_is(&meta.kind, Language::Python);
    let inside = choice.found.inside;
    let bin = inside.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    let argv = match python {
        true => [inside.as_str(), "-s", "-S", "-X", "frozen_modules=on", "/var/runtime/openwhisk.py"]
            .map(str::to_owned)
            .to_vec(),
        false => vec![inside, format!("/var/runtime/{NODE_FILE}")],
    };
    Plan { argv, speech: Speech::Lines { launcher: true }, bind: choice.found.bind, bin }
}

fn kind_is(kind: &str, language: Language) -> bool {
    kind.starts_with(match language {
        Language::Python => "python",
        Language::Node => "nodejs",
    })
}

/// What an action finds in its environment before its first call.
pub(crate) fn environment(meta: &Meta, plan: &Plan) -> Vec<(String, String)> {
    let bin = plan.bin.as_ref().map(|bin| format!("{bin}:")).unwrap_or_default();
    let mut all = vec![
        ("PATH".to_owned(), format!("{bin}/usr/local/bin:/usr/bin:/bin")),
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ("HOME".to_owned(), "/tmp".to_owned()),
        ("__OW_EXECUTION_ENV".to_owned(), meta.kind.clone()),
    ];
    if plan.speech == Speech::Http {
        all.push(("PORT".to_owned(), PORT.to_string()));
    }
    if let Some(main) = &meta.main {
        all.push(("ANYFN_MAIN".to_owned(), main.clone()));
    }
    if let Some(file) = &meta.file {
        all.push(("ANYFN_SOURCE".to_owned(), file.clone()));
    }
    // Parameters that are told at the start are environment variables, as their proxies have it.
    let at_start = meta.parameters.iter().filter(|one| one.init == Some(true));
    all.extend(at_start.map(|one| (one.key.clone(), text(&one.value))));
    all
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn sandbox(with: &BringUp, plan: &Plan, launchers: &Path) -> SandboxSpec {
    let config = &with.version.config;
    let at = |source: &Path, target: &str| Bind { source: source.to_owned(), target: target.to_owned() };
    let mut binds = vec![at(&with.code.path, "/var/task"), at(launchers, "/var/runtime")];
    binds.extend(with.layers.as_ref().map(|layers| at(&layers.path, "/opt")));
    binds.extend(plan.bind.clone());
    let cores = config.memory_mib.saturating_mul(1000) / MIB_PER_CORE;
    SandboxSpec {
        id: with.instance,
        hostname: "localhost".to_owned(),
        binds,
        memory_bytes: u64::from(config.memory_mib) * MIB,
        cpu_millis: cores.max(with.limits.cpu_millis_min),
        pids: with.limits.pids,
        open_files: with.limits.open_files,
        tmp_bytes: u64::from(config.ephemeral.mib) * MIB,
        tmp_inodes: u64::from(config.ephemeral.mib) * TMP_INODES_PER_MIB,
        network: with.network,
        listen: None,
    }
}
