use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use anyfn_types::{Placement, Tier};

use super::{Include, Step, detect};

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("My app.v2");
    fs::create_dir(&dir).unwrap();
    for (name, content) in files {
        fs::write(dir.join(name), content).unwrap();
        if *name == "bootstrap" || *name == "tool" {
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    (home, dir)
}

#[test]
fn folders_without_a_project_file_are_found_out() {
    for (files, found) in [
        (
            &[("lambda_function.py", "def lambda_handler(event, context):\n")][..],
            Some(("python3.12", "lambda_function.lambda_handler")),
        ),
        (&[("app.py", "import x\nasync def handler (e, c): ...")], Some(("python3.12", "app.handler"))),
        (&[("main.py", "handler = make()\n")], Some(("python3.12", "main.handler"))),
        (&[("app.py", "handlers = []\nhandler == 1\n  def handler(x): ...\n")], None),
        (
            &[("app.py", "print()"), ("handler.py", "def handler(e, c): ...")],
            Some(("python3.12", "handler.handler")),
        ),
        (&[("index.mjs", "export const handler = async () => 1")], Some(("nodejs22.x", "index.handler"))),
        (&[("index.mjs", "export  async  function handler(e) {}")], Some(("nodejs22.x", "index.handler"))),
        (&[("index.js", "exports.handler = async () => 1")], Some(("nodejs22.x", "index.handler"))),
        (&[("index.cjs", "module.exports = { handler };")], Some(("nodejs22.x", "index.handler"))),
        (&[("app.mjs", "export { main as handler }")], Some(("nodejs22.x", "app.handler"))),
        (&[("index.mjs", "export const handlers = 1")], None),
        (&[("bootstrap", "#!/bin/sh")], Some(("provided.al2023", "bootstrap"))),
        (&[("hello.wasm", "\0asm"), ("hello.wat", "")], Some(("wasm", "hello.wasm"))),
        (&[("a.wasm", "\0asm"), ("b.wasm", "\0asm")], None),
        (&[("app.py", "def handler(e, c): ..."), ("lib.wasm", "\0asm")], Some(("python3.12", "app.handler"))),
        (&[("readme.md", "nothing")], None),
    ] {
        let (_home, dir) = folder(files);
        match (detect(&dir), found) {
            (Ok(project), Some((runtime, handler))) => {
                assert_eq!((&*project.runtime, &*project.handler), (runtime, handler), "{files:?}");
                assert_eq!((&*project.name, project.include), ("My-app-v2", Include::Folder));
                assert!(project.build.is_empty());
            }
            (Err(error), None) => assert_eq!(error.code, "project_unknown", "{files:?}"),
            (other, _) => panic!("{files:?}: {other:?}"),
        }
    }
}

#[test]
fn the_project_file_wins() {
    let text = r#"
        name = "shop"
        runtime = "python3.11"
        handler = "app.other"
        description = "sells"
        memory = 256
        timeout = 30
        url = true
        isolation = "process"
        calls_max = 1
        build = ["make", "make strip"]
        [env]
        B = "2"
        A = "1"
    "#;
    let (_home, dir) =
        folder(&[("anyfn.toml", text), ("app.py", "def handler(e, c): ..."), ("requirements.txt", "x")]);
    let project = detect(&dir).unwrap();
    assert_eq!((&*project.name, &*project.runtime, &*project.handler), ("shop", "python3.11", "app.other"));
    assert_eq!((project.memory_mib, project.timeout_s, project.url), (Some(256), Some(30), true));
    assert_eq!(project.placement, Placement { tier: Some(Tier::Process), calls_max: 1 });
    assert_eq!(project.env.keys().collect::<Vec<_>>(), ["B", "A"]);
    assert_eq!(project.build, [Step::Shell("make".into()), Step::Shell("make strip".into())]);
}

#[test]
fn a_project_file_can_name_what_cannot_be_found() {
    let (_home, dir) = folder(&[("anyfn.toml", "runtime = \"nodejs20.x\"\nhandler = \"dist/x.main\"")]);
    assert_eq!(detect(&dir).unwrap().handler, "dist/x.main");
    let (_home, dir) = folder(&[("anyfn.toml", "binary = \"out/server\"\nbuild = \"make\"")]);
    let project = detect(&dir).unwrap();
    assert_eq!(
        (&*project.runtime, project.include),
        ("provided.al2023", Include::Binary("out/server".into()))
    );
}

#[test]
fn mistakes_in_the_project_file_are_named() {
    for text in ["nam = \"x\"", "memory = 64", "timeout = 901", "timeout = \"3s\"", "= 1", "[env]\nA = 1"] {
        let (_home, dir) = folder(&[("anyfn.toml", text), ("bootstrap", "#!")]);
        assert_eq!(detect(&dir).unwrap_err().code, "project_file_invalid", "{text}");
    }
    let (_home, dir) = folder(&[("anyfn.toml", "name = \"a b\""), ("bootstrap", "#!")]);
    assert_eq!(detect(&dir).unwrap_err().code, "function_name_invalid");
}

#[test]
fn dependencies_give_an_installer() {
    let command = |dir: &PathBuf| match &detect(dir).unwrap().build[..] {
        [Step::Install { command, inputs }] => (command.join(" "), inputs.clone()),
        [] => (String::new(), Vec::new()),
        other => panic!("{other:?}"),
    };
    let python = ("app.py", "def handler(e, c): ...");
    let (_home, dir) = folder(&[python, ("requirements.txt", "pillow")]);
    let pip = "python3 -m pip install -r requirements.txt --target {build}";
    assert_eq!(command(&dir), (pip.into(), vec!["requirements.txt".into()]));
    let node = ("index.mjs", "export const handler = 1");
    let depends = ("package.json", r#"{"dependencies": {"x": "1"}}"#);
    let (_home, dir) = folder(&[node, depends, ("package-lock.json", "{}")]);
    let npm = "npm install --omit=dev --prefix {build}";
    assert_eq!(command(&dir), (npm.into(), vec!["package.json".into(), "package-lock.json".into()]));
    fs::create_dir(dir.join("node_modules")).unwrap();
    assert_eq!(command(&dir), (String::new(), vec![]));
    let (_home, dir) = folder(&[node, ("package.json", r#"{"devDependencies": {"x": "1"}}"#)]);
    assert_eq!(command(&dir), (String::new(), vec![]));
}

#[test]
fn a_cargo_project_with_the_lambda_runtime_is_built() {
    let manifest = "[package]\nname = \"adder\"\n[dependencies]\nlambda_runtime = \"1\"\n";
    let (_home, dir) = folder(&[("Cargo.toml", manifest)]);
    let project = detect(&dir).unwrap();
    assert_eq!((&*project.name, project.include), ("adder", Include::Binary("target/release/adder".into())));
    assert_eq!(project.build, [Step::Shell("cargo build --release".into())]);
    assert_eq!(project.notes.len(), 1);
    let (_home, dir) = folder(&[("Cargo.toml", "[package]\nname = \"x\"\n")]);
    assert_eq!(detect(&dir).unwrap_err().code, "project_unknown");
}

#[test]
fn single_files_are_functions() {
    let (_home, dir) = folder(&[
        ("hello.py", "def handler(event, context): ..."),
        ("hi.mjs", "export const handler = 1"),
        ("tool", "\u{7f}ELF"),
        ("bare.py", "print()"),
        ("x.txt", ""),
    ]);
    let found =
        |name: &str| detect(&dir.join(name)).map(|p| (p.name, p.runtime, p.handler)).map_err(|e| e.code);
    let three = |a: &str, b: &str, c: &str| Ok((a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(found("hello.py"), three("hello", "python3.12", "hello.handler"));
    assert_eq!(found("hi.mjs"), three("hi", "nodejs22.x", "hi.handler"));
    assert_eq!(found("tool"), three("tool", "provided.al2023", "bootstrap"));
    assert_eq!(found("bare.py"), Err("project_unknown"));
    assert_eq!(found("x.txt"), Err("file_not_runnable"));
    assert_eq!(found("none"), Err("folder_unreadable"));
}

#[test]
fn the_examples_are_found_out_and_packed() {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for (name, runtime, handler, steps, url) in [
        ("hello-python", "python3.12", "lambda_function.lambda_handler", 0, false),
        ("hello-node", "nodejs22.x", "index.handler", 0, false),
        ("native-rust", "provided.al2023", "bootstrap", 1, false),
        ("url-webapp", "python3.12", "app.handler", 0, true),
        ("thumbnail", "python3.12", "app.handler", 1, false),
    ] {
        let dir = examples.join(name);
        let project = detect(&dir).unwrap();
        assert_eq!((&*project.name, &*project.runtime, &*project.handler), (name, runtime, handler));
        assert_eq!((project.build.len(), project.url), (steps, url), "{name}");
        let zip = crate::zip_dir(&dir, &crate::ZipOptions::default()).unwrap();
        assert!(crate::archive::entries(&zip, 100).unwrap().len() >= 2, "{name}");
    }
}
