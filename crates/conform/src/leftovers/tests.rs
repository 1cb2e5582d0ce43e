use super::*;

#[test]
fn a_name_with_brackets_does_not_shift_the_fields() {
    let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 1";
    let one = parse(line).unwrap();
    assert_eq!((one.parent, one.state, one.start, one.name.as_str()), (3, 'S', 4242, "a) b"));
}

#[tokio::test]
async fn a_process_that_outlives_its_server_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let watch = Watch::new(std::process::id(), dir.path());
    assert!(watch.count().iter().any(|what| what.contains(&format!("process {} ", child.id()))));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!watch.count().iter().any(|what| what.contains(&format!("process {} ", child.id()))));
}

#[test]
fn a_group_is_found_in_every_hierarchy() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["memory/anyfn-1/i", "cpu/x/anyfn-1", "pids/anyfn-2"] {
        fs::create_dir_all(dir.path().join(path)).unwrap();
    }
    assert_eq!(groups(dir.path(), "anyfn-1").len(), 2);
}
