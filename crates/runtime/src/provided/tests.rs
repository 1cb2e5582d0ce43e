use super::*;

fn tree(at: &Path, files: &[&str]) {
    for file in files {
        fs::create_dir_all(at.join(file).parent().unwrap()).unwrap();
        fs::write(at.join(file), file).unwrap();
    }
}

#[test]
fn only_the_sdk_is_brought_and_only_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (host, target) = (dir.path().join("host"), dir.path().join("run/python3.99"));
    tree(&host, &["boto3/__init__.py", "boto3/data/s3.json", "six.py", "pip/__init__.py"]);
    bring(&host, &["boto3", "botocore"], &["boto3", "six.py"], &target).unwrap();
    assert!(!target.exists(), "a part is missing");
    bring(&host, &["boto3"], &["boto3", "six.py", "botocore"], &target).unwrap();
    assert_eq!(fs::read_to_string(target.join("boto3/data/s3.json")).unwrap(), "boto3/data/s3.json");
    assert!(target.join("six.py").is_file());
    assert!(!target.join("pip").exists());
    fs::remove_dir_all(host.join("boto3")).unwrap();
    bring(&host, &["boto3"], &["boto3"], &target).unwrap();
    assert!(target.join("boto3/__init__.py").is_file(), "what was brought stays");
}
