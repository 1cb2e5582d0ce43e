use super::*;

fn names(package: &str) -> Vec<String> {
    let bytes = STANDARD.decode(package).unwrap();
    let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    archive.file_names().map(str::to_owned).collect()
}

#[test]
fn a_folder_is_packed_below_its_prefix_without_byte_code() {
    let root = std::env::temp_dir().join(format!("bench-pack-{}", std::process::id()));
    fs::create_dir_all(root.join("a/__pycache__")).unwrap();
    fs::write(root.join("a/x.py"), "1").unwrap();
    fs::write(root.join("a/__pycache__/x.pyc"), "2").unwrap();
    fs::write(root.join("top.txt"), "3").unwrap();
    let mut found = names(&folder(&root, "python").unwrap());
    fs::remove_dir_all(&root).unwrap();
    found.sort();
    assert_eq!(found, ["python/a/x.py", "python/top.txt"]);
}

#[test]
fn a_file_is_packed_with_its_mode() {
    let bytes = STANDARD.decode(file("bootstrap", b"x", 0o755).unwrap()).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let entry = archive.by_name("bootstrap").unwrap();
    assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o755));
}
