use super::*;

fn exec(kind: &str, code: &str) -> Exec {
    let code = Some(Value::String(code.to_owned()));
    Exec { kind: kind.to_owned(), code, image: None, main: None, binary: None, components: None }
}

#[test]
fn what_code_comes_down_to() {
    let elf = STANDARD.encode(b"\x7fELF..");
    let zip = STANDARD.encode(b"PK\x03\x04....");
    for (kind, code, want, binary, file) in [
        ("nodejs:default", "function main() {}", "nodejs:20", false, Some("index.js")),
        ("nodejs:22", "x=1", "nodejs:22", false, Some("index.js")),
        ("python:3", "def main(a): pass", "python:3.11", false, Some("__main__.py")),
        ("python:3.10", &zip, "python:3.10", true, None),
        ("go:1.20", &elf, "go:1.20", true, Some("exec")),
        ("blackbox", &elf, "blackbox", true, Some("exec")),
        ("native", "#!/bin/sh\n", "native", false, Some("exec")),
        ("rust", &zip, "rust", true, None),
    ] {
        let source = exec(kind, code).source().unwrap();
        assert_eq!(
            (source.kind.as_str(), source.binary, source.file.as_deref()),
            (want, binary, file),
            "{kind}"
        );
    }
    for (kind, code) in
        [("go:1.20", "package main"), ("nodejs:20", &elf), ("python:2", "x"), ("php:8", "x"), ("", "x")]
    {
        assert_eq!(exec(kind, code).source().err().unwrap().status, 400, "{kind}");
    }
}

#[test]
fn the_size_is_what_was_sent() {
    let most = usize::try_from(CODE_BYTES).unwrap();
    assert!(exec("python:3", &"#".repeat(most)).source().is_ok());
    assert_eq!(exec("python:3", &"#".repeat(most + 1)).source().err().unwrap().status, 413);
}
