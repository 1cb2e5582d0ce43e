use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_environment_is_one_frame() {
    let made = frame(&env(&[("A", "1"), ("B", "x=y")]), true).unwrap();
    assert_eq!(made, b"\x0c\0\0\0\x02\x01A=1\0B=x=y\0");
    assert_eq!(frame(&[], false).unwrap(), b"\x02\0\0\0\x02\x00");
}

#[test]
fn a_variable_cannot_smuggle_another_one() {
    for bad in [[("A", "1\0B=2")], [("A\0B", "1")], [("A=B", "1")]] {
        assert!(frame(&env(&bad), false).is_err());
    }
}

#[tokio::test]
async fn a_childs_verdict_is_read_to_its_end_and_no_further() {
    let (mut ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"\x05\0\0\0\x1ajson\x01\0\0\0\x19\x01\0\0\0\x10").await.unwrap();
    assert_eq!(verdict(&mut ours).await.unwrap().as_deref(), Some("json"));
    assert_eq!(verdict(&mut ours).await.unwrap(), None);
    assert!(verdict(&mut ours).await.is_err(), "READY is no verdict");
    theirs.write_all(b"\xff\xff\xff\xff\x1a").await.unwrap();
    assert!(verdict(&mut ours).await.is_err(), "nor is a promise of four gigabytes");
}
