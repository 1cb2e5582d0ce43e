//! Detection: reads names and the first lines of files, never runs anything.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyfn_types::{Error, FunctionName, Placement};

use super::{
    Include, Project, Step,
    file::{self, File},
    spin,
};

/// What of a source file is looked at.
const LOOK: u64 = 1 << 20;

const PYTHON: &str = "python3.12";
const NODE: &str = "nodejs22.x";
pub(super) const WASM: &str = "wasm";
const PROVIDED: &str = "provided.al2023";

/// Reads a folder, or one file that is a function by itself. What `anyfn.toml` says wins over what is found.
/// Errors: `folder_unreadable`, `project_file_invalid`, `project_unknown` (with what was looked for), `file_not_runnable`.
pub fn detect(path: &Path) -> Result<Project, Error> {
    let meta = fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if meta.is_file() {
        return single(path);
    }
    let file = match fs::read_to_string(path.join("anyfn.toml")) {
        Ok(text) => file::parse(&text)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => File::default(),
        Err(e) => return Err(unreadable(&path.join("anyfn.toml"), &e)),
    };
    let mut project = folder(path, &file)?;
    project.build.extend(installs(path, &project.runtime, &file));
    apply(&mut project, file);
    if project.name.is_empty() {
        project.name = name_of(path);
    }
    FunctionName::new(project.name.as_str())?;
    Ok(project)
}

/// The order is fixed, and the first that is there wins.
fn folder(dir: &Path, file: &File) -> Result<Project, Error> {
    if let Some(binary) = &file.binary {
        return Ok(Project { include: Include::Binary(binary.into()), ..native(None) });
    }
    if is_executable(&dir.join("bootstrap")) {
        return Ok(native(None));
    }
    if let Some(project) = spin::project(dir)? {
        return Ok(project);
    }
    if let Some(project) = found(dir)? {
        return Ok(project);
    }
    if let Some(project) = wasm(dir) {
        return Ok(project);
    }
    // The file names what detection could not find: believe it.
    if file.handler.is_some() && file.runtime.is_some() {
        return Ok(Project::default());
    }
    let text = format!(
        "{} holds no function: looked for anyfn.toml, an executable bootstrap, \
         lambda_function.py, app.py, handler.py, main.py with a handler or lambda_handler, \
         index.mjs, index.js, index.cjs, app.mjs that exports handler, Cargo.toml with lambda_runtime, spin.toml, \
         and one .wasm file",
        dir.display()
    );
    Err(Error::invalid("project_unknown", text))
}

fn found(dir: &Path) -> Result<Option<Project>, Error> {
    if let Some(python) = python(dir)? {
        return Ok(Some(python));
    }
    Ok(node(dir)?.or_else(|| rust(dir)))
}

fn native(note: Option<String>) -> Project {
    Project {
        runtime: PROVIDED.into(),
        handler: "bootstrap".into(),
        notes: note.into_iter().collect(),
        ..Project::default()
    }
}

/// A folder whose only `.wasm` file lies at its top.
fn wasm(dir: &Path) -> Option<Project> {
    let names = fs::read_dir(dir).ok()?.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let mut all = names.filter(|name| name.extension().is_some_and(|e| e == "wasm"));
    let handler = all.next()?.to_str()?.to_owned();
    all.next().is_none().then(|| Project { runtime: WASM.into(), handler, ..Project::default() })
}

fn python(dir: &Path) -> Result<Option<Project>, Error> {
    for module in ["lambda_function", "app", "handler", "main"] {
        let Some(source) = look(&dir.join(format!("{module}.py")))? else { continue };
        if let Some(function) = python_handler(&source) {
            let handler = format!("{module}.{function}");
            return Ok(Some(Project { runtime: PYTHON.into(), handler, ..Project::default() }));
        }
    }
    Ok(None)
}

/// A function or a name at the top level of the module; `lambda_handler` first, as AWS's own template calls it.
fn python_handler(source: &str) -> Option<&'static str> {
    ["lambda_handler", "handler"].into_iter().find(|name| {
        source.lines().any(|line| {
            let def = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ").map(str::trim_start);
            let rest = def.unwrap_or(line).strip_prefix(name).map(str::trim_start);
            let (call, set) = (def.is_some(), def.is_none());
            rest.is_some_and(|rest| {
                (call && rest.starts_with('('))
                    || (set && rest.starts_with('=') && !rest.starts_with("=="))
                    || (set && rest.starts_with(':') && rest.contains('='))
            })
        })
    })
}

fn node(dir: &Path) -> Result<Option<Project>, Error> {
    for name in ["index.mjs", "index.js", "index.cjs", "app.mjs"] {
        let Some(source) = look(&dir.join(name))? else { continue };
        if exports_handler(&source) {
            let module = name.split('.').next().unwrap_or(name);
            let handler = format!("{module}.handler");
            return Ok(Some(Project { runtime: NODE.into(), handler, ..Project::default() }));
        }
    }
    Ok(None)
}

fn exports_handler(source: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    source.lines().map(words).any(|line| {
        let named = |start: &str| {
            line.strip_prefix(start).is_some_and(|rest| {
                rest.strip_prefix("handler")
                    .is_some_and(|end| !end.starts_with(|c: char| c.is_alphanumeric()))
            })
        };
        let declared =
            ["export const ", "export let ", "export var ", "export function ", "export async function "];
        declared.into_iter().any(named)
            || ["exports.", "module.exports."].into_iter().any(named)
            || ((line.starts_with("export {") || line.starts_with("module.exports = {"))
                && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "handler"))
    })
}

fn rust(dir: &Path) -> Option<Project> {
    let manifest: toml::Table = fs::read_to_string(dir.join("Cargo.toml")).ok()?.parse().ok()?;
    let depends =
        |crate_name: &str| manifest.get("dependencies").and_then(|all| all.get(crate_name)).is_some();
    if !depends("lambda_runtime") && !depends("lambda_http") {
        return None;
    }
    let first_bin = manifest.get("bin").and_then(|bins| bins.get(0)).and_then(|bin| bin.get("name"));
    let package = manifest.get("package").and_then(|package| package.get("name"));
    let name = first_bin.or(package)?.as_str()?.to_owned();
    let binary = PathBuf::from("target/release").join(&name);
    let note = format!("built with `cargo build --release`; {} becomes bootstrap", binary.display());
    let mut project = native(Some(note));
    project.include = Include::Binary(binary);
    project.build = vec![Step::Shell("cargo build --release".into())];
    project.name = name;
    Some(project)
}

/// Installers for what the folder names as dependencies, unless the project file says how to build.
fn installs(dir: &Path, runtime: &str, file: &File) -> Vec<Step> {
    if file.build.is_some() {
        return Vec::new();
    }
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    if runtime.starts_with("python") && dir.join("requirements.txt").is_file() {
        let command = words("python3 -m pip install -r requirements.txt --target {build}");
        return vec![Step::Install { command, inputs: vec!["requirements.txt".into()] }];
    }
    let wants = || {
        let package: Option<serde_json::Value> =
            fs::read(dir.join("package.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
        package.is_some_and(|p| p["dependencies"].as_object().is_some_and(|all| !all.is_empty()))
    };
    if runtime.starts_with("nodejs") && !dir.join("node_modules").exists() && wants() {
        let inputs = ["package.json", "package-lock.json"].map(PathBuf::from);
        let inputs: Vec<_> = inputs.into_iter().filter(|name| dir.join(name).is_file()).collect();
        return vec![Step::Install { command: words("npm install --omit=dev --prefix {build}"), inputs }];
    }
    Vec::new()
}

fn apply(project: &mut Project, file: File) {
    let set = |to: &mut String, from: Option<String>| {
        if let Some(from) = from {
            *to = from;
        }
    };
    set(&mut project.name, file.name);
    set(&mut project.runtime, file.runtime);
    set(&mut project.handler, file.handler);
    set(&mut project.description, file.description);
    project.memory_mib = file.memory;
    project.timeout_s = file.timeout;
    project.env.extend(file.env);
    project.url |= file.url;
    project.placement = Placement { tier: file.isolation, calls_max: file.calls_max };
    if let Some(lines) = file.build {
        project.build = lines.into_vec().into_iter().map(Step::Shell).collect();
    }
}

fn single(path: &Path) -> Result<Project, Error> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    let (runtime, handler) = match extension {
        "py" => {
            let source = look(path)?.unwrap_or_default();
            let function =
                python_handler(&source).ok_or_else(|| no_handler(path, "def handler(event, context)"))?;
            (PYTHON, format!("{stem}.{function}"))
        }
        "mjs" | "js" | "cjs" => {
            let source = look(path)?.unwrap_or_default();
            if !exports_handler(&source) {
                return Err(no_handler(path, "export const handler = async (event) => …"));
            }
            (NODE, format!("{stem}.handler"))
        }
        // Toolchains make some of them executable; they are not.
        "wasm" => (WASM, path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned()),
        _ if is_executable(path) => (PROVIDED, "bootstrap".to_owned()),
        _ => {
            let text = format!(
                "{} is neither Python, JavaScript, WebAssembly nor an executable file",
                path.display()
            );
            return Err(Error::invalid("file_not_runnable", text));
        }
    };
    let name = name_of(Path::new(stem));
    FunctionName::new(name.as_str())?;
    let include = Include::File(path.to_owned());
    Ok(Project { name, runtime: runtime.into(), handler, include, ..Project::default() })
}

fn no_handler(path: &Path, like: &str) -> Error {
    Error::invalid("project_unknown", format!("{} has no handler; write `{like}`", path.display()))
}

/// The folder's own name, with what no function name may hold made into `-`.
fn name_of(path: &Path) -> String {
    let full = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or("function");
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    let name: String = name.chars().map(plain).take(64).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "function".to_owned() } else { name.to_owned() }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The first MiB of a source file as text, if there is such a file.
fn look(path: &Path) -> Result<Option<String>, Error> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(path, &e)),
    };
    let mut bytes = Vec::new();
    file.take(LOOK).read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn unreadable(path: &Path, source: &std::io::Error) -> Error {
    Error::invalid("folder_unreadable", format!("{} cannot be read: {source}", path.display()))
}

#[cfg(test)]
mod tests;
