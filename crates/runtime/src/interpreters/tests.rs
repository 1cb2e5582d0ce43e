//! Folders as version managers lay them out.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{Interpreters, Language, RuntimesMode, parse};

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn found(folder: &Path) -> Interpreters {
    let mut all = Interpreters::default();
    all.look_into(&[folder.to_owned()]);
    all
}

#[test]
fn runtimes_are_named_as_lambda_names_them() {
    let table = [
        ("python3.12", Some((Language::Python, (3, 12)))),
        ("nodejs22.x", Some((Language::Node, (22, 0)))),
        ("nodejs22", Some((Language::Node, (22, 0)))),
        ("python2.7", None),
        ("python3.", None),
        ("nodejs", None),
        ("provided.al2023", None),
        ("ruby3.3", None),
    ];
    for (runtime, expected) in table {
        assert_eq!(parse(runtime), expected, "{runtime}");
    }
}

#[test]
fn the_exact_release_is_taken_else_the_nearest_with_a_notice_or_none() {
    let dir = tempfile::tempdir().unwrap();
    for minor in [8, 11, 13] {
        program(&dir.path().join(format!("3.{minor}.1/bin/python3.{minor}")), "");
        program(&dir.path().join(format!("3.{minor}.1/bin/python3.{minor}-config")), "");
    }
    program(&dir.path().join("v18.2.0/bin/node"), "#!/bin/sh\necho v18.2.0\n");
    let all = found(dir.path());
    assert_eq!(all.all().count(), 4);
    let table = [
        ("python3.11", (3, 11), None),
        ("python3.14", (3, 13), Some("python3.14 is not on this host; python3.13 serves it")),
        ("python3.12", (3, 13), Some("python3.12 is not on this host; python3.13 serves it")),
        ("python3.9", (3, 8), Some("python3.9 is not on this host; python3.8 serves it")),
        ("nodejs22.x", (18, 0), Some("nodejs22.x is not on this host; nodejs18.x serves it")),
    ];
    for (runtime, release, notice) in table {
        let choice = all.choose(runtime, RuntimesMode::Nearest).unwrap();
        assert_eq!((choice.release, choice.notice.as_deref()), (release, notice), "{runtime}");
        assert_eq!(all.choose(runtime, RuntimesMode::Exact).is_ok(), notice.is_none(), "{runtime}");
    }
    let error = all.choose("python3.12", RuntimesMode::Exact).unwrap_err().to_string();
    assert_eq!(
        error,
        "no interpreter on this host can serve `python3.12`; install Python 3.12 (for example `pyenv install 3.12`)"
    );
    assert!(all.choose("cobol85", RuntimesMode::Nearest).is_err());
    assert!(Interpreters::default().choose("nodejs22.x", RuntimesMode::Nearest).is_err());
}

#[test]
fn what_is_outside_usr_is_bound_and_the_contracts_folders_are_left_alone() {
    // Temporary folders lie under /tmp, which is the guest's own, so they are shown elsewhere.
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    program(&dir.path().join("3.11.1/bin/python3.11"), "");
    let choice = found(dir.path()).choose("python3.11", RuntimesMode::Exact).unwrap();
    let bind = choice.found.bind.unwrap();
    assert_eq!(bind.source, dir.path().join("3.11.1").canonicalize().unwrap());
    assert_eq!(bind.target, "/var/lang");
    assert_eq!(choice.found.inside, "/var/lang/bin/python3.11");
    let home = tempfile::tempdir_in(std::env::home_dir().unwrap()).unwrap();
    program(&home.path().join("3.11.1/bin/python3.11"), "");
    let choice = found(home.path()).choose("python3.11", RuntimesMode::Exact).unwrap();
    let bind = choice.found.bind.unwrap();
    assert_eq!(Path::new(&bind.target), bind.source);
    assert_eq!(choice.found.inside, choice.found.host.to_str().unwrap());
}
