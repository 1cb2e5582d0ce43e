//! The functions that the tests of `anyfn-wasm-host` call: our own sources, built for both previews of WASI.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::tail;
use crate::sh;

const TARGETS: [&str; 2] = ["wasm32-wasip1", "wasm32-wasip2"];
/// Target, what cargo makes, and the name that tests look for.
const MADE: [(&str, &str, &str); 3] = [
    ("wasm32-wasip2", "guests.wasm", "http.wasm"),
    ("wasm32-wasip2", "command.wasm", "command.wasm"),
    ("wasm32-wasip1", "command.wasm", "command-p1.wasm"),
];

/// Builds them where their sources are newer than what is there.
pub(super) fn guests(dir: &Path) -> Result<()> {
    let source = sh::root().join("guests");
    let place = dir.join("wasm-guests");
    let log = dir.join("wasm-guests.log");
    fs::create_dir_all(&place).context("create the guests' folder")?;
    let (newest, oldest) = (newest(&source)?, oldest(&place));
    if oldest.is_some_and(|oldest| oldest > newest) {
        return Ok(());
    }
    println!("setup: building the WebAssembly guests");
    let mut add = sh::command("rustup");
    add.args(["target", "add"]).args(TARGETS);
    // Without rustup the targets may be there all the same.
    let _told_by_the_build = sh::quiet(&mut add, &log);
    let built = dir.join("wasm-guests.build");
    for target in TARGETS {
        let mut build = sh::cargo();
        build.args(["build", "--release", "--locked", "--target", target, "--manifest-path"]);
        build.arg(source.join("Cargo.toml")).env("CARGO_TARGET_DIR", &built);
        if target == "wasm32-wasip1" {
            build.args(["--bin", "command"]);
        }
        anyhow::ensure!(sh::quiet(&mut build, &log)?, "{}", tail(&log, 6));
    }
    for (target, made, name) in MADE {
        let made = built.join(target).join("release").join(made);
        fs::copy(&made, place.join(name)).with_context(|| format!("keep {}", made.display()))?;
    }
    Ok(())
}

fn newest(source: &Path) -> Result<std::time::SystemTime> {
    let files = ["Cargo.toml", "Cargo.lock", "src/lib.rs", "src/bin/command.rs"];
    let times = files.iter().map(|file| Ok(fs::metadata(source.join(file))?.modified()?));
    let times = times.collect::<Result<Vec<_>>>().context("the guests' sources")?;
    times.into_iter().max().context("the guests' sources")
}

/// None if one is missing.
fn oldest(place: &Path) -> Option<std::time::SystemTime> {
    let time = |(_, _, name): &(&str, &str, &str)| fs::metadata(place.join(name)).ok()?.modified().ok();
    MADE.iter().map(time).collect::<Option<Vec<_>>>()?.into_iter().min()
}

const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// The one in Python. Its world is described by the crate that serves it.
pub(super) fn python(dir: &Path) -> Result<()> {
    let made = dir.join("wasm-guests/python.wasm");
    if made.is_file() {
        return Ok(());
    }
    println!("setup: building the WebAssembly guest in Python");
    let (log, home) = (dir.join("wasm-python.log"), dir.join("wasm-python"));
    let mut venv = sh::command("python3");
    venv.args(["-m", "venv"]).arg(&home);
    anyhow::ensure!(sh::quiet(&mut venv, &log)?, "{}", tail(&log, 6));
    let mut install = sh::command(home.join("bin/pip"));
    install.args(["install", "--quiet", COMPONENTIZE]);
    anyhow::ensure!(sh::quiet(&mut install, &log)?, "{}", tail(&log, 6));
    let mut build = sh::command(home.join("bin/componentize-py"));
    build.arg("-d").arg(world()?).args(["-w", "wasi:http/proxy", "componentize", "app", "-o"]).arg(&made);
    build.current_dir(sh::root().join("guests/python"));
    anyhow::ensure!(sh::quiet(&mut build, &log)?, "{}", tail(&log, 6));
    Ok(())
}

/// Where cargo has put the interfaces of `wasi:http`.
fn world() -> Result<std::path::PathBuf> {
    let output = sh::cargo().args(["metadata", "--format-version", "1", "--locked"]).output()?;
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = all["packages"].as_array().context("cargo metadata")?;
    let http = packages.iter().find(|package| package["name"] == "wasmtime-wasi-http");
    let manifest =
        http.and_then(|package| package["manifest_path"].as_str()).context("wasmtime-wasi-http")?;
    Ok(Path::new(manifest).with_file_name("wit"))
}
