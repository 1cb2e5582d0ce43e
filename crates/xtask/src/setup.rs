//! Fetches the parts. One that cannot be had is named and counted, and the rest goes on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

mod wasm;

use crate::{
    codegen,
    parts::{BENCH_PARTS, BENCH_TOOLS, Kind, PARTS, Part},
    sh,
};

const SIGNATURE_SUITE: &str = "aws-sigv4@1.6.4";
/// Program and the Debian package that has it: what native runtime clients are built with, and what tests use.
const TOOLS: [(&str, &str); 6] = [
    ("autoconf", "autoconf"),
    ("automake", "automake"),
    ("libtoolize", "libtool"),
    ("cmake", "cmake"),
    ("ip", "iproute2"),
    ("mkfs.ext4", "e2fsprogs"),
];

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Try those again that could not be had last time
    #[arg(long)]
    pub(crate) again: bool,
    /// What the benches compare with, too
    #[arg(long)]
    pub(crate) bench: bool,
    /// Only these parts
    pub(crate) names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// It was tried with the same pins and could not be had.
    Failed,
    Wanted,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let known: Vec<_> = known().map(|part| part.name).collect();
    if let Some(strange) = args.names.iter().find(|name| !known.contains(&name.as_str())) {
        anyhow::bail!("there is no part `{strange}`; there are {}", known.join(", "));
    }
    let missing = fetch(args)?;
    println!("{}", summary(&missing));
    Ok(())
}

fn known() -> impl Iterator<Item = &'static Part> {
    PARTS.iter().chain(BENCH_PARTS)
}

/// Gives the parts that are not there.
pub(crate) fn fetch(args: &Args) -> Result<Vec<&'static Part>> {
    let dir = sh::parts_dir();
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    let log = dir.join("tools.log");
    tools(&TOOLS, &log)?;
    if args.bench {
        // One at a time: a host that has no package of one name still gets the others.
        BENCH_TOOLS.iter().try_for_each(|tool| tools(std::slice::from_ref(tool), &log))?;
    }
    let all = if args.bench { BENCH_PARTS } else { &[] };
    let unnamed = PARTS.iter().chain(all).filter(|_| args.names.is_empty());
    let named = known().filter(|part| args.names.iter().any(|name| name == part.name));
    let mut missing = Vec::new();
    for part in unnamed.chain(named) {
        let there = match state(&dir, part) {
            State::Ready => true,
            State::Failed if !args.again => {
                println!(
                    "setup: {} could not be had before (`cargo xtask setup --again` tries once more)",
                    part.name
                );
                false
            }
            State::Failed | State::Wanted => install(&dir, part)?,
        };
        if !there {
            missing.push(part);
        }
    }
    if args.names.is_empty() {
        told("botocore's protocol test vectors", codegen::setup_vectors());
        told("AWS's signature test suite", signature_suite(&dir));
        told("the WebAssembly guests", wasm::guests(&dir));
        told("the WebAssembly guest in Python", wasm::python(&dir));
    }
    Ok(missing)
}

/// The tests that want it say by name that they skip.
fn told(what: &str, done: Result<()>) {
    if let Err(error) = done {
        println!("setup: COULD NOT BE HAD: {what} ({error:#})");
    }
}

/// AWS's published suite ships inside a crate of its SDK.
fn signature_suite(dir: &Path) -> Result<()> {
    let (name, version) = SIGNATURE_SUITE.split_once('@').context("the suite's pin")?;
    let suite = dir.join(name);
    if suite.is_dir() {
        return Ok(());
    }
    println!("setup: fetching AWS's signature test suite ({SIGNATURE_SUITE})");
    let home = dir.join("signature-suite");
    fs::create_dir_all(home.join("src")).context("create the suite's folder")?;
    fs::write(home.join("src/lib.rs"), "").context("write the suite's crate")?;
    let package = "[package]\nname = \"suite\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    let manifest = format!("{package}[dependencies]\n{name} = \"={version}\"\n");
    fs::write(home.join("Cargo.toml"), manifest).context("write the suite's crate")?;
    let log = dir.join("signature-suite.log");
    let mut vendor = sh::cargo();
    vendor.args(["vendor", "--manifest-path"]).arg(home.join("Cargo.toml")).arg(home.join("all"));
    anyhow::ensure!(sh::quiet(&mut vendor, &log)?, "{}", tail(&log, 6));
    fs::rename(home.join("all").join(name), suite).context("keep the suite")?;
    remove(&home)
}

/// From Debian's packages where we may install them.
fn tools(wanted: &[(&str, &str)], log: &Path) -> Result<()> {
    let missing = wanted.iter().filter(|(program, _)| !on_path(program));
    let packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() || !on_path("apt-get") {
        return Ok(());
    }
    println!("setup: installing {}", packages.join(" "));
    sh::quiet(sh::command("apt-get").args(["update", "-q"]), log)?;
    let mut install = sh::command("apt-get");
    install.args(["install", "-q", "-y", "--no-install-recommends"]).args(&packages);
    if !sh::quiet(&mut install, log)? {
        println!("setup: COULD NOT BE HAD: {}\n{}", packages.join(" "), tail(log, 6));
    }
    Ok(())
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

pub(crate) fn summary(missing: &[&Part]) -> String {
    if missing.is_empty() {
        return "setup: all parts are there".into();
    }
    let lines = missing.iter().map(|part| format!("\n  LEFT OUT: {}: {}", part.name, part.why));
    format!("setup: {} parts are not there{}", missing.len(), lines.collect::<String>())
}

fn stamp(dir: &Path, part: &Part) -> PathBuf {
    dir.join(format!("{}.stamp", part.name))
}

fn state(dir: &Path, part: &Part) -> State {
    let pins = part.pins.join(" ");
    match fs::read_to_string(stamp(dir, part)) {
        Ok(text) if text.trim_end() == format!("ready {pins}") => State::Ready,
        Ok(text) if text.trim_end() == format!("failed {pins}") => State::Failed,
        _ => State::Wanted,
    }
}

fn install(dir: &Path, part: &Part) -> Result<bool> {
    println!("setup: fetching {} ({})", part.name, part.pins.join(" "));
    let (home, log) = (dir.join(part.name), dir.join(format!("{}.log", part.name)));
    // A half of a part from a run that was cut off is worse than none.
    remove(&home)?;
    remove(&stamp(dir, part))?;
    remove(&log)?;
    let done = match part.kind {
        Kind::Python => python(&home, part, &log),
        Kind::PythonModules => modules(&home, part, &log),
        Kind::Npm => npm(&home, part, &log),
        Kind::Go => go(&home, part, &log),
    };
    let done = done.unwrap_or_else(|error| {
        println!("setup: {error:#}");
        false
    });
    if !done {
        println!("setup: COULD NOT BE HAD: {} ({})\n{}", part.name, part.why, tail(&log, 12));
        remove(&home)?;
    }
    let word = if done { "ready" } else { "failed" };
    fs::write(stamp(dir, part), format!("{word} {}\n", part.pins.join(" "))).context("write a stamp")?;
    Ok(done)
}

fn python(home: &Path, part: &Part, log: &Path) -> Result<bool> {
    if !sh::quiet(sh::command("python3").args(["-m", "venv"]).arg(home), log)? {
        return Ok(false);
    }
    let mut pip = sh::command(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--timeout", "30"]);
    sh::quiet(pip.args(part.pins), log)
}

fn modules(home: &Path, part: &Part, log: &Path) -> Result<bool> {
    let mut pip = sh::command("python3");
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--timeout", "30"]);
    sh::quiet(pip.arg("--target").arg(home.join("python")).args(part.pins), log)
}

fn go(home: &Path, part: &Part, log: &Path) -> Result<bool> {
    let mut go = sh::command("go");
    go.arg("install").env("GOBIN", home.join("bin")).env("GOFLAGS", "-modcacherw");
    sh::quiet(go.args(part.pins), log)
}

fn npm(home: &Path, part: &Part, log: &Path) -> Result<bool> {
    fs::create_dir_all(home).with_context(|| format!("create {}", home.display()))?;
    let mut npm = sh::command("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"]).arg(home);
    sh::quiet(npm.args(part.pins), log)
}

fn remove(path: &Path) -> Result<()> {
    let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn tail(log: &Path, lines: usize) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests;
