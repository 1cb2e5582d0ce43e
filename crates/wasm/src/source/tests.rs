use std::{fs, io::Read as _, os::unix::fs::symlink, path::Path};

use super::{find, is_wasm};
use crate::{Error, control::Flavor};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn package(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    home
}

fn found(root: &Path, handler: &str) -> Result<(String, Flavor), Error> {
    let mut source = find(root, handler)?;
    let mut bytes = Vec::new();
    source.file.read_to_end(&mut bytes).unwrap();
    assert!(is_wasm(&bytes), "the file is read from its beginning");
    Ok((source.path, source.flavor))
}

#[test]
fn the_handler_names_the_file_and_else_the_only_one_is_taken() {
    let two = package(&[("a.wasm", MODULE), ("sub/b.wasm", COMPONENT), ("bootstrap", COMPONENT)]);
    assert_eq!(found(two.path(), "a.wasm").unwrap(), ("a.wasm".into(), Flavor::Module));
    assert_eq!(found(two.path(), "./sub/b.wasm").unwrap(), ("sub/b.wasm".into(), Flavor::Component));
    assert_eq!(found(two.path(), "bootstrap").unwrap(), ("bootstrap".into(), Flavor::Component));
    let one = package(&[("x.wasm", MODULE), ("bootstrap", b"#!/bin/sh")]);
    assert_eq!(found(one.path(), "anything").unwrap().0, "x.wasm");
    let many = package(&[("x.wasm", MODULE), ("y.wasm", MODULE)]);
    assert!(matches!(found(many.path(), ""), Err(Error::NotFound(text)) if text.contains("2 `.wasm`")));
    assert!(matches!(found(package(&[]).path(), ""), Err(Error::NotFound(_))));
}

#[test]
fn a1_no_way_leads_out_of_the_package() {
    let outside = package(&[("secret.wasm", MODULE)]);
    let home = package(&[("z.txt", b"")]);
    symlink(outside.path().join("secret.wasm"), home.path().join("link.wasm")).unwrap();
    symlink(outside.path(), home.path().join("folder")).unwrap();
    for handler in ["link.wasm", "folder/secret.wasm", "../secret.wasm", "/etc/x.wasm"] {
        let error = found(home.path(), handler).unwrap_err();
        assert!(matches!(error, Error::NotFound(_) | Error::Package(_)), "{handler}: {error:?}");
    }
}

#[test]
fn i6_machine_code_and_other_files_are_refused() {
    for (bytes, precompiled) in [
        (&b"\x7fELF\x02\x01\x01"[..], true),
        (b"", false),
        (b"\0asm", false),
        (b"\0asm\x02\0\0\0", false),
        (b"PK\x03\x04", false),
    ] {
        let home = package(&[("a.wasm", bytes)]);
        let error = found(home.path(), "a.wasm").unwrap_err();
        assert_eq!(matches!(error, Error::Precompiled(_)), precompiled, "{bytes:?}");
        assert!(precompiled || matches!(error, Error::Invalid(_)), "{bytes:?}");
    }
}
