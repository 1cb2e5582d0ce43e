use std::path::Path;

use crate::project::{Include, Step, detect};

fn found(text: &str) -> Result<crate::project::Project, anyfn_types::Error> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("spin.toml"), text).unwrap();
    detect(home.path())
}

const HELLO: &str = r#"
spin_manifest_version = 2

[application]
name = "hello"
version = "0.1.0"
description = "says hello"

[[trigger.http]]
route = "/..."
component = "greeter"

[[trigger.http]]
route = "/admin"
component = "admin"

[component.greeter]
source = "target/wasm32-wasip1/release/greeter.wasm"
allowed_outbound_hosts = []
key_value_stores = ["default"]
environment = { COLOUR = "green" }
[component.greeter.build]
command = "cargo build --target wasm32-wasip1 --release"
workdir = "greeter"

[component.admin]
source = "admin.wasm"
"#;

#[test]
fn a_spin_application_is_its_first_http_component() {
    let project = found(HELLO).unwrap();
    assert_eq!((&*project.name, &*project.runtime, &*project.handler), ("hello", "wasm", "greeter.wasm"));
    let made = Path::new("target/wasm32-wasip1/release/greeter.wasm");
    assert_eq!(project.include, Include::Binary(made.into()));
    let line = "cd 'greeter' && cargo build --target wasm32-wasip1 --release";
    assert_eq!(project.build, [Step::Shell(line.into())]);
    assert_eq!(project.env["COLOUR"], "green");
    assert!(project.url);
    assert_eq!(project.notes.len(), 2, "{:?}", project.notes);
    assert!(project.notes[0].contains("others: admin"));
    assert!(project.notes[1].contains("`key_value_stores`"));
}

#[test]
fn what_is_missing_is_named() {
    for (text, word) in [
        ("spin_manifest_version = \"1\"", "spin_manifest_version"),
        ("spin_manifest_version = 1", "only spin_manifest_version = 2"),
        ("spin_manifest_version = 2", "[[trigger.http]]"),
        ("spin_manifest_version = 2\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"x\"", "component `x`"),
    ] {
        let error = found(text).unwrap_err();
        assert_eq!(error.code, "project_file_invalid");
        assert!(error.public.contains(word) || text.contains("\"1\""), "{}", error.public);
    }
    let remote = HELLO.replace(
        "source = \"target/wasm32-wasip1/release/greeter.wasm\"",
        "source = { url = \"https://example.com/x.wasm\", digest = \"sha256:00\" }",
    );
    assert!(found(&remote).unwrap_err().public.contains("not a file of the folder"));
}
