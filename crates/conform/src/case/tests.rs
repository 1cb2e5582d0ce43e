use super::*;

fn folder(toml: &str, script: Option<&str>) -> (tempfile::TempDir, Result<Vec<Case>>) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("aws/one");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("case.toml"), toml).unwrap();
    if let Some(script) = script {
        fs::write(dir.join(script), "").unwrap();
    }
    let cases = load(root.path());
    (root, cases)
}

#[test]
fn a_folder_is_a_case_with_an_account_of_its_own() {
    let (_root, cases) = folder("title = \"t\"\nclient = \"raw\"\n", Some("run.sh"));
    let case = cases.unwrap().remove(0);
    assert_eq!((case.path.as_str(), case.dialect(), case.toml.timeout_s), ("aws/one", "aws", 60));
    assert_eq!(case.account(), "000000100001");
}

#[test]
fn mistakes_in_a_case_are_named() {
    let table = [
        ("title = \"t\"\nclient = \"browser\"\n", Some("run.sh"), "browser"),
        ("title = \"t\"\nclient = \"raw\"\n", None, "run.py"),
        ("title = \"t\"\nclient = \"raw\"\noperatoins = []\n", Some("run.sh"), "operatoins"),
        ("title = \"t\"\nclient = \"raw\"\n[docs]\nworks = [\"w\"]\n", Some("run.sh"), "no topic"),
    ];
    for (toml, script, word) in table {
        let (_root, cases) = folder(toml, script);
        let text = format!("{:#}", cases.unwrap_err());
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn the_cases_of_this_tree_are_well_formed_and_every_title_is_said_once() {
    let cases = load(&crate::place::cases_dir()).unwrap();
    let titles: std::collections::BTreeSet<_> = cases.iter().map(|c| &c.toml.title).collect();
    assert_eq!(titles.len(), cases.len());
}
