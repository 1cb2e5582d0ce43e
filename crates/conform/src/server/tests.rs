use super::*;

#[test]
fn errors_and_panics_in_the_log_are_faults_unless_a_case_lists_them() {
    let log =
        "2026 INFO up\n2026 ERROR anyfn: disk\n2026 ERROR anyfn: on purpose\nthread 'x' panicked at a.rs:1\n";
    let found = faults(log, &["on purpose".to_owned()]);
    assert_eq!(found, ["2026 ERROR anyfn: disk", "thread 'x' panicked at a.rs:1"]);
}

#[tokio::test]
async fn a_binary_that_is_no_server_is_told_with_its_last_words() {
    let error = Server::start(Path::new("/bin/false"), &ServerWish::default()).await.err().unwrap();
    assert!(error.to_string().contains("did not become ready"), "{error}");
}
