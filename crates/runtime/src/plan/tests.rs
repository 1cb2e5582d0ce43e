//! Which process serves which package.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use anyfn_types::{Config, Contract, Ephemeral, Logging};
use indexmap::IndexMap;

use super::{NoPlan, Plan, Roots, plan};
use crate::interpreters::{Interpreters, RuntimesMode};

fn config(runtime: &str) -> Config {
    Config {
        contract: Contract::Lambda,
        runtime: runtime.to_owned(),
        handler: "a.b".to_owned(),
        command: Vec::new(),
        description: String::new(),
        role: String::new(),
        env: IndexMap::new(),
        memory_mib: 128,
        timeout_ms: 3000,
        ephemeral: Ephemeral { mib: 512 },
        layers: Vec::new(),
        architecture: "x86_64".to_owned(),
        logging: Logging::default(),
        placement: anyfn_types::Placement::default(),
        extra: std::collections::BTreeMap::new(),
    }
}

struct Package(tempfile::TempDir);

impl Package {
    /// Files under `task` and `opt`; a name that ends in `*` is executable.
    fn new(files: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("task")).unwrap();
        fs::create_dir_all(dir.path().join("opt")).unwrap();
        for file in files {
            let path = dir.path().join(file.trim_end_matches('*'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            let mode = if file.ends_with('*') { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Self(dir)
    }

    fn plan(&self, config: &Config) -> Result<Plan, NoPlan> {
        let (code, layers) = (self.0.path().join("task"), self.0.path().join("opt"));
        let roots = Roots { code: &code, layers: Some(&layers) };
        plan(config, roots, &Interpreters::find(&[]), RuntimesMode::Nearest)
    }

    fn argv(&self, config: &Config) -> String {
        match self.plan(config) {
            Ok(plan) => plan.argv.join(" "),
            Err(NoPlan::Function(failure)) => failure.error_type,
            Err(NoPlan::Host(error)) => error.to_string(),
        }
    }
}

#[test]
fn custom_runtimes_bring_a_bootstrap() {
    let table: [(&[&str], &str); 5] = [
        (&["task/bootstrap*", "opt/bootstrap*"], "/var/task/bootstrap"),
        (&["opt/bootstrap*"], "/opt/bootstrap"),
        (&["task/bootstrap", "opt/bootstrap*"], "/opt/bootstrap"),
        (&["task/bootstrap"], "Runtime.InvalidEntrypoint"),
        (&[], "Runtime.InvalidEntrypoint"),
    ];
    for (files, expected) in table {
        for runtime in ["provided", "provided.al2", "provided.al2023"] {
            assert_eq!(Package::new(files).argv(&config(runtime)), expected, "{files:?}");
        }
    }
}

#[test]
fn commands_are_found_in_the_package_or_by_path() {
    let package = Package::new(&["task/bin/run*", "task/plain"]);
    let table: [(&[&str], &str); 6] = [
        (&["bin/run", "x"], "/var/task/bin/run x"),
        (&["./bin/run"], "/var/task/bin/run"),
        (&["/var/task/bin/run"], "/var/task/bin/run"),
        (&["/var/task/plain"], "Runtime.InvalidEntrypoint"),
        (&["/bin/sh", "-c", "x"], "/bin/sh -c x"),
        (&["npx", "aws-lambda-ric", "a.b"], "/usr/bin/env npx aws-lambda-ric a.b"),
    ];
    for (command, expected) in table {
        let mut config = config("provided.al2023");
        config.command = command.iter().map(|part| (*part).to_owned()).collect();
        assert_eq!(package.argv(&config), expected);
    }
}

#[test]
fn managed_runtimes_use_frames_and_others_http() {
    let package = Package::new(&["task/bootstrap*"]);
    assert!(!package.plan(&config("provided")).unwrap().framed);
    if Path::new("/usr/bin/python3.11").exists() {
        let plan = package.plan(&config("python3.11")).unwrap();
        assert!(plan.framed && plan.telemetry);
        assert_eq!(plan.argv.last().unwrap(), "/var/runtime/bootstrap.py");
        let mut own = config("python3.11");
        own.command = vec!["python".to_owned(), "-m".to_owned(), "awslambdaric".to_owned(), "a.b".to_owned()];
        let plan = package.plan(&own).unwrap();
        assert!(!plan.framed && plan.telemetry);
        assert_eq!(plan.argv[0], "/usr/bin/python3.11");
    }
    assert_eq!(package.argv(&config("cobol85")), "`cobol85` is no runtime that this contract knows");
}

#[test]
fn other_languages_bring_their_runtime_interface_client() {
    if Path::new("/usr/bin/java").exists() {
        assert_eq!(Package::new(&[]).argv(&config("java21")), "Runtime.InvalidEntrypoint");
        let argv = Package::new(&["task/lib/aws-lambda-java-runtime-interface-client-2.6.0.jar"])
            .argv(&config("java21"));
        assert!(argv.starts_with("/usr/bin/java ") && argv.ends_with(".api.client.AWSLambda a.b"), "{argv}");
    }
    if !Path::new("/usr/bin/ruby").exists() && !Path::new("/usr/local/bin/ruby").exists() {
        let text = Package::new(&[]).argv(&config("ruby3.3"));
        assert!(text.contains("install Ruby"), "{text}");
    }
}

#[test]
fn a_wrapper_goes_before_the_command_and_must_be_there() {
    let mut config = config("provided");
    config.env.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/wrap".to_owned());
    // Custom runtimes start their own way: Lambda gives wrappers to managed runtimes only.
    assert_eq!(Package::new(&["task/bootstrap*", "opt/wrap*"]).argv(&config), "/var/task/bootstrap");
    config.runtime = "nodejs20.x".to_owned();
    if Path::new("/usr/bin/node").exists() {
        assert_eq!(
            Package::new(&["opt/wrap*"]).argv(&config),
            "/opt/wrap /usr/bin/node /var/runtime/bootstrap.cjs"
        );
        assert_eq!(Package::new(&["opt/wrap"]).argv(&config), "Runtime.InvalidEntrypoint");
    }
}

#[test]
fn extensions_are_executables_in_name_order() {
    let package = Package::new(&[
        "opt/extensions/b*",
        "opt/extensions/a*",
        "opt/extensions/note.txt",
        "opt/extensions/.h*",
    ]);
    let (code, layers) = (package.0.path().join("task"), package.0.path().join("opt"));
    assert_eq!(Roots { code: &code, layers: Some(&layers) }.extensions(), ["a", "b"]);
    assert!(Roots { code: &code, layers: None }.extensions().is_empty());
}
