//! From a developer's folder or file to a deploy: detect, build in a copy, pack.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyfn_artifact::{
    ZipOptions,
    project::{Include, Project, Step, detect},
    zip_dir, zip_file,
};
use anyfn_dialect_native::{Deploy, DeployConfig};
use anyfn_types::Tier;
use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use crate::{print::Printer, settings};

/// What a folder became.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) name: String,
    pub(crate) deploy: Deploy,
}

/// What the command line may say over the folder's own words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) name: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) memory_mib: Option<u32>,
    pub(crate) timeout_s: Option<u32>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) url: Option<bool>,
    pub(crate) isolation: Option<Tier>,
    pub(crate) calls_max: Option<u32>,
}

/// Detects, builds and packs. Progress goes to standard error.
pub(crate) async fn pack(path: &Path, over: &Overrides, print: &Printer) -> anyhow::Result<Packed> {
    let path = path.canonicalize().with_context(|| format!("{} cannot be read", path.display()))?;
    let project = detect(&path).map_err(|e| anyhow::anyhow!("{}", e.public))?;
    for note in &project.notes {
        print.note(&format!("note: {note}"));
    }
    let zip = zip(&path, &project, print).await?;
    Ok(Packed {
        name: over.name.clone().unwrap_or_else(|| project.name.clone()),
        deploy: deploy(project, over, &zip),
    })
}

fn deploy(project: Project, over: &Overrides, zip: &Bytes) -> Deploy {
    let mut env = project.env;
    env.extend(over.env.iter().cloned());
    let seconds = over.timeout_s.or(project.timeout_s);
    let config = DeployConfig {
        runtime: over.runtime.clone().unwrap_or(project.runtime),
        handler: over.handler.clone().unwrap_or(project.handler),
        command: Vec::new(),
        description: project.description,
        memory_mib: over.memory_mib.or(project.memory_mib),
        timeout_ms: seconds.map(|s| u64::from(s) * 1000),
        tmp_mib: None,
        env,
        http: None,
        url: over.url.or_else(|| project.url.then_some(true)),
        isolation: over.isolation.or(project.placement.tier),
        calls_max: over.calls_max.unwrap_or(project.placement.calls_max),
    };
    Deploy { zip: STANDARD.encode(zip), config }
}

async fn zip(path: &Path, project: &Project, print: &Printer) -> anyhow::Result<Bytes> {
    let folder = if project.build.is_empty() { path.to_owned() } else { build(path, project, print).await? };
    let zipped = match &project.include {
        Include::Folder => zip_dir(&folder, &ZipOptions::default()),
        Include::File(file) => zip_file(file),
        Include::Binary(file) => {
            let made = folder.join(file);
            if !made.is_file() {
                bail!(
                    "the build made no {}; run it by hand in {} to see why",
                    file.display(),
                    path.display()
                );
            }
            zip_file(&made)
        }
    };
    zipped.map_err(|e| anyhow::anyhow!("{}", e.public))
}

/// Runs the project's steps in a copy of it and gives the copy. The copy of a project stays, keyed by its path, so that a
/// second build is quick.
async fn build(path: &Path, project: &Project, print: &Printer) -> anyhow::Result<PathBuf> {
    let cache = settings::cache_dir()?.join("build");
    let copy =
        cache.join(format!("{}-{:016x}", project.name, fingerprint(path.as_os_str().as_encoded_bytes())));
    let kept = copy.join(".anyfn-installed");
    let key = inputs_key(path, project)?;
    let reuse = std::fs::read_to_string(&kept).is_ok_and(|text| text == key);
    if !reuse && copy.exists() {
        std::fs::remove_dir_all(&copy).with_context(|| format!("clear {}", copy.display()))?;
    }
    std::fs::create_dir_all(&copy).with_context(|| format!("make {}", copy.display()))?;
    copy_tree(path, &copy)?;
    for step in &project.build {
        match step {
            Step::Install { .. } if reuse => {}
            Step::Install { command, .. } => {
                let place = copy.display().to_string();
                let command: Vec<_> = command.iter().map(|word| word.replace("{build}", &place)).collect();
                print.note(&format!("running: {}", command.join(" ")));
                run(&command, &copy).await?;
            }
            Step::Shell(line) => {
                print.note(&format!("running: {line}"));
                run(&["sh".into(), "-c".into(), line.clone()], &copy).await?;
            }
        }
    }
    std::fs::write(&kept, &key).context("note the build")?;
    Ok(copy)
}

async fn run(command: &[String], dir: &Path) -> anyhow::Result<()> {
    let (program, rest) = command.split_first().context("an empty build command")?;
    let mut child = tokio::process::Command::new(program);
    child.args(rest).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output =
        child.output().await.with_context(|| format!("`{program}` cannot be run; is it installed?"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let tail: Vec<_> = text.lines().rev().take(30).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    bail!("`{}` failed ({}):\n{}", command.join(" "), output.status, tail.join("\n"))
}

/// Names what the installed packages depend on.
fn inputs_key(path: &Path, project: &Project) -> anyhow::Result<String> {
    let mut key = String::new();
    for step in &project.build {
        if let Step::Install { command, inputs } = step {
            key.push_str(&command.join(" "));
            for input in inputs {
                let bytes = std::fs::read(path.join(input)).unwrap_or_default();
                key.push_str(&format!(" {}={:016x}", input.display(), fingerprint(&bytes)));
            }
        }
    }
    Ok(key)
}

/// FNV-1a: names folders and cache entries, guards nothing.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

/// Folders that are never part of a build's copy.
const SKIPPED: [&str; 5] = [".git", "target", ".venv", "__pycache__", "node_modules"];

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        let target = to.join(&name);
        if kind.is_dir() {
            if !SKIPPED.iter().any(|s| name == *s) {
                std::fs::create_dir_all(&target)?;
                copy_tree(&entry.path(), &target)?;
            }
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("copy {}", entry.path().display()))?;
        } else if kind.is_symlink() {
            let _ = std::fs::remove_file(&target);
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, &target)?;
        }
    }
    Ok(())
}

/// Changes when any file of the folder does: for `dev`.
pub(crate) fn state(path: &Path) -> u64 {
    fn walk(path: &Path, seen: &mut Vec<u8>, depth: usize) {
        let Ok(meta) = std::fs::symlink_metadata(path) else { return };
        seen.extend_from_slice(path.as_os_str().as_encoded_bytes());
        if meta.is_dir() {
            let Ok(entries) = std::fs::read_dir(path) else { return };
            let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
            paths.retain(|p| p.file_name().is_none_or(|n| !SKIPPED.iter().any(|s| n == *s)));
            paths.sort();
            if depth < 32 {
                paths.iter().for_each(|p| walk(p, seen, depth + 1));
            }
        } else {
            use std::os::unix::fs::MetadataExt as _;
            for part in [meta.len(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()] {
                seen.extend_from_slice(&part.to_le_bytes());
            }
        }
    }
    let mut seen = Vec::new();
    walk(path, &mut seen, 0);
    fingerprint(&seen)
}
