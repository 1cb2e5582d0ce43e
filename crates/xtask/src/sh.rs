//! Running other programs: at the root of the tree, never with a standard input.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where cargo builds, and where the parts lie beside it.
pub(crate) fn target_dir() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
    root().join(chosen.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

pub(crate) fn parts_dir() -> PathBuf {
    target_dir().join("parts")
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.env("ANYFN_PARTS", parts_dir());
    cargo
}

pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Prints the command and runs it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = show(command);
    println!("> {line}");
    let status = command.status().with_context(|| format!("start `{line}`"))?;
    if status.success() { Ok(()) } else { bail!("`{line}` ended with {status}") }
}

/// As `run`, and gives each line of its standard output to `see` while it prints it. Gives whether it succeeded.
pub(crate) fn watch(command: &mut Command, mut see: impl FnMut(&str)) -> Result<bool> {
    let line = show(command);
    println!("> {line}");
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("start `{line}`"))?;
    if let Some(output) = child.stdout.take() {
        for bytes in BufReader::new(output).split(b'\n') {
            let text =
                String::from_utf8_lossy(&bytes.with_context(|| format!("read from `{line}`"))?).into_owned();
            println!("{text}");
            see(&text);
        }
    }
    Ok(child.wait().with_context(|| format!("wait for `{line}`"))?.success())
}

/// Runs quietly with all output into a file; gives whether it succeeded.
pub(crate) fn quiet(command: &mut Command, log: &Path) -> Result<bool> {
    let line = show(command);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
    let file = file.with_context(|| format!("open {}", log.display()))?;
    let both = file.try_clone().context("open the log twice")?;
    let status = command.stdout(file).stderr(both).status();
    Ok(status.with_context(|| format!("start `{line}`"))?.success())
}
