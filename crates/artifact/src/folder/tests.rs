use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use anyfn_types::Limits;

use super::{ZipOptions, zip_dir, zip_file};
use crate::{fixtures::paths, unpack::unpack};

fn write(dir: &Path, name: &str, content: &str, mode: u32) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

fn unpacked(zip: &[u8]) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    unpack(zip, out.path(), &Limits::default()).unwrap();
    out
}

#[test]
fn a_folder_survives_the_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "app.py", &"x = 1\n".repeat(1000), 0o600);
    write(dir.path(), "bin/tool", "#!/bin/sh\n", 0o700);
    write(dir.path(), "empty", "", 0o644);
    symlink("../app.py", dir.path().join("bin/app")).unwrap();
    let out = unpacked(&zip_dir(dir.path(), &ZipOptions::default()).unwrap());
    assert_eq!(paths(out.path()), ["app.py", "bin", "bin/app", "bin/tool", "empty"]);
    assert_eq!(fs::read_to_string(out.path().join("bin/app")).unwrap(), "x = 1\n".repeat(1000));
    let mode = |name| fs::metadata(out.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("app.py"), mode("bin/tool")), (0o644, 0o755));
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for name in ["a", "b/c", "b-d", "z"] {
        write(one.path(), name, name, 0o644);
    }
    for name in ["z", "b-d", "b/c", "a"] {
        write(two.path(), name, name, 0o600);
    }
    let options = ZipOptions::default();
    assert_eq!(zip_dir(one.path(), &options).unwrap(), zip_dir(two.path(), &options).unwrap());
}

#[test]
fn another_reader_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "caf\u{e9}/x", &"hello".repeat(100), 0o755);
    let bytes = zip_dir(dir.path(), &ZipOptions::default()).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut file = archive.by_name("caf\u{e9}/x").unwrap();
    assert_eq!(file.unix_mode(), Some(0o100_755));
    assert_eq!(std::io::read_to_string(&mut file).unwrap(), "hello".repeat(100));
}

#[test]
fn what_is_no_part_of_the_code_stays_out() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "app.py",
        "data.csv",
        "keep.csv",
        "test/x",
        "src/test/y",
        ".git/HEAD",
        "__pycache__/app.pyc",
        "p/__pycache__/m.pyc",
        ".venv/pyvenv.cfg",
        ".venv/lib/x",
        "node_modules/.cache/x",
        "node_modules/m/index.js",
        ".DS_Store",
    ] {
        write(dir.path(), name, "", 0o644);
    }
    write(dir.path(), ".anyfnignore", "*.csv\n!keep.csv\n/test/\n", 0o644);
    let options = ZipOptions { ignore: vec!["node_modules/m/*.map".into()], ..ZipOptions::default() };
    let out = unpacked(&zip_dir(dir.path(), &options).unwrap());
    let files: Vec<_> = paths(out.path()).into_iter().filter(|p| out.path().join(p).is_file()).collect();
    assert_eq!(files, ["app.py", "keep.csv", "node_modules/m/index.js", "src/test/y"]);
}

#[test]
fn a_link_out_and_too_much_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "app.py", "x", 0o644);
    symlink("/etc/passwd", dir.path().join("l")).unwrap();
    let error = zip_dir(dir.path(), &ZipOptions::default()).unwrap_err();
    assert_eq!(error.code, "package_invalid");
    assert!(error.public.contains("/l: link is absolute"), "{}", error.public);
    let ignoring = ZipOptions { ignore: vec!["l".into()], max_bytes: 0, ..ZipOptions::default() };
    assert_eq!(zip_dir(dir.path(), &ignoring).unwrap_err().code, "package_too_large");
    let ignoring = ZipOptions { ignore: vec!["l".into()], max_entries: 0, ..ZipOptions::default() };
    assert_eq!(zip_dir(dir.path(), &ignoring).unwrap_err().code, "package_invalid");
    assert_eq!(zip_dir(&dir.path().join("none"), &ignoring).unwrap_err().code, "folder_unreadable");
}

#[test]
fn one_file_is_a_package() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content, mode, packed) in [
        ("hello.py", "x", 0o644, Some(("hello.py", 0o644))),
        ("index.mjs", "x", 0o644, Some(("index.mjs", 0o644))),
        ("server", "\u{7f}ELF", 0o644, Some(("bootstrap", 0o755))),
        ("run.sh", "#!/bin/sh", 0o755, Some(("bootstrap", 0o755))),
        ("notes.txt", "x", 0o644, None),
    ] {
        write(dir.path(), name, content, mode);
        let zip = zip_file(&dir.path().join(name));
        let Some((packed, mode)) = packed else {
            assert_eq!(zip.unwrap_err().code, "file_not_runnable");
            continue;
        };
        let out = unpacked(&zip.unwrap());
        assert_eq!(paths(out.path()), [packed]);
        assert_eq!(fs::metadata(out.path().join(packed)).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[test]
fn more_than_65535_files_are_written_as_zip64() {
    let mut writer = crate::pack::Writer::default();
    for i in 0..65_536 {
        let kind = crate::pack::Kind::File { executable: false };
        writer.add(&format!("{}/{i}", i % 64), kind, b"").unwrap();
    }
    let bytes = writer.finish().unwrap();
    assert_eq!(crate::archive::entries(&bytes, 100_000).unwrap().len(), 65_536);
    assert_eq!(zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap().len(), 65_536);
}
