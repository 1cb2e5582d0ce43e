//! Gets the pinned package that carries the published models, and reads a model out of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The one version that the generated tree was made from.
const BOTOCORE: &str = "botocore==1.44.0";

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where fetched parts are kept; never committed.
pub(crate) fn parts() -> PathBuf {
    workspace().join("target/parts")
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>> {
    let out = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(out.stdout)
}

/// The model in `service/api-version`, fetched on first use.
pub(crate) fn read(model: &str) -> Result<serde_json::Value> {
    let package = install()?;
    let path = package.join("botocore/data").join(model).join("service-2.json.gz");
    let text = run(Command::new("gzip").arg("-dc").arg(&path))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

fn install() -> Result<PathBuf> {
    let folder = parts().join(BOTOCORE.replace("==", "-"));
    if !folder.join("botocore/data").is_dir() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--upgrade", "--target"]);
        run(pip.arg(&folder).arg(BOTOCORE))?;
    }
    Ok(folder)
}
