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

/// Puts the package's own protocol test vectors into `target/parts/botocore-vectors`, where the tests of `anyfn-wire` look.
/// They are only in the source package. Does nothing if they are there.
pub(crate) fn setup_vectors() -> Result<()> {
    let target = parts().join("botocore-vectors");
    if target.is_dir() {
        return Ok(());
    }
    let download = parts().join("botocore-source");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps", "--dest"]);
    run(pip.arg(&download).arg(BOTOCORE))?;
    let name = BOTOCORE.replace("==", "-");
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(download.join(format!("{name}.tar.gz"))).arg("-C").arg(&download);
    run(tar
        .arg(format!("{name}/tests/unit/protocols/input"))
        .arg(format!("{name}/tests/unit/protocols/output")))?;
    std::fs::rename(download.join(&name).join("tests/unit/protocols"), &target)?;
    std::fs::remove_dir_all(&download).context("cleaning up")
}
