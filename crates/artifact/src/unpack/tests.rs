use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    time::SystemTime,
};

use anyfn_types::Limits;
use proptest::prelude::*;

use super::unpack;
use crate::{
    error::Fault,
    fixtures::{Raw, deflated, deflated_zeros, dir, link, paths, stored, zip},
};

/// Unpacks into a folder that lies in another one, and proves that the other one stays clean.
fn run(zip: &[u8], limits: &Limits) -> Result<(tempfile::TempDir, u64), Fault> {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("in");
    fs::create_dir(&inner).unwrap();
    let done = unpack(zip, &inner, limits);
    let outside: Vec<_> = paths(outer.path()).into_iter().filter(|p| !p.starts_with("in/")).collect();
    assert_eq!(outside, ["in"], "something was written outside");
    done.map(|bytes| (outer, bytes))
}

fn ok(entries: &[Raw]) -> tempfile::TempDir {
    run(&zip(entries), &Limits::default()).unwrap().0
}

fn refused(entries: &[Raw]) -> String {
    match run(&zip(entries), &Limits::default()) {
        Err(error @ (Fault::Entry { .. } | Fault::Unreadable(_))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn mode(outer: &tempfile::TempDir, name: &str) -> u32 {
    fs::symlink_metadata(outer.path().join("in").join(name)).unwrap().mode()
}

fn text(outer: &tempfile::TempDir, name: &str) -> String {
    fs::read_to_string(outer.path().join("in").join(name)).unwrap()
}

#[test]
fn plain_files_folders_and_links_arrive() {
    let outer = ok(&[
        stored("app.py", b"x = 1\n"),
        deflated("lib/deep/data", &b"0123456789".repeat(50_000)),
        dir("empty/"),
        link("lib/app", "../app.py"),
    ]);
    let in_root = paths(&outer.path().join("in"));
    assert_eq!(in_root, ["app.py", "empty", "lib", "lib/app", "lib/deep", "lib/deep/data"]);
    assert_eq!(text(&outer, "lib/app"), "x = 1\n");
    assert_eq!(text(&outer, "lib/deep/data").len(), 500_000);
    assert_eq!(mode(&outer, "app.py") & 0o7777, 0o644);
    assert_eq!(mode(&outer, "lib/deep") & 0o7777, 0o755);
}

#[test]
fn a1_escaping_names_are_refused_and_write_nothing() {
    for name in [&b"../../x"[..], b"/x", b"C:\\x", b"a\\b", b"a\0b", b"..\\x", b"a/../../x", b"/etc/cron.d/x"]
    {
        refused(&[stored("good", b"1"), stored(name, b"2")]);
    }
    assert!(refused(&[stored(b"bad\xff", b"1")]).contains("UTF-8"));
    assert!(refused(&[stored("a".repeat(3000), b"1")]).contains("long"));
}

#[test]
fn a1_links_out_are_refused() {
    for target in ["../x", "/etc/passwd", "a/../../x", "", "x\0y"] {
        refused(&[link("l", target)]);
    }
    refused(&[link("d/up", ".."), link("l", "d/up/../x")]);
    // A file below a link would be written wherever the link points.
    refused(&[link("l", "."), stored("l/x", b"1")]);
    refused(&[stored("l/x", b"1"), link("l", ".")]);
    refused(&[link("l", &"a/".repeat(2000))]);
}

#[test]
fn a3_zip_bomb_is_refused_by_its_claim_before_a_byte_is_written() {
    let bombs: Vec<_> = (0..7).map(|i| deflated_zeros(&format!("{i}"), 40 << 20)).collect();
    let bytes = zip(&bombs);
    assert!(bytes.len() < 400_000);
    let outer = tempfile::tempdir().unwrap();
    let error = unpack(&bytes, outer.path(), &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "Unzipped size must be smaller than 262144000 bytes");
    assert_eq!(paths(outer.path()).len(), 0);
}

#[test]
fn a3_zip_bomb_that_lies_about_its_size_stops_at_its_claim() {
    let bomb = Raw { size: 10, ..deflated_zeros("x", 42 << 20) };
    let outer = tempfile::tempdir().unwrap();
    let bytes = zip(&[bomb]);
    assert!(bytes.len() < 45_000, "{}", bytes.len());
    let error = unpack(&bytes, outer.path(), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("larger than it claims"));
    assert_eq!(fs::metadata(outer.path().join("x")).unwrap().len(), 0, "the first piece was over already");
}

#[test]
fn a3_zip_bomb_limit_is_exact() {
    let limits = Limits { unpacked_bytes: 1000, ..Limits::default() };
    assert_eq!(run(&zip(&[stored("a", &[1; 600]), stored("b", &[1; 400])]), &limits).unwrap().1, 1000);
    let over = zip(&[stored("a", &[1; 600]), stored("b", &[1; 401])]);
    assert!(matches!(run(&over, &limits), Err(Fault::TooLarge(_))));
}

#[test]
fn a3_overlapping_entries_are_refused() {
    // Many names for one set of bytes.
    let kernel = deflated_zeros("same", 1 << 20);
    let copies: Vec<_> = std::iter::once(kernel.clone())
        .chain((0..50).map(|_| Raw { at: Some(0), ..kernel.clone() }))
        .collect();
    assert!(refused(&copies).contains("overlap"));
    // One entry whose data holds the next one whole (the quoting kind).
    let inner = stored("b", b"1");
    let mut quoted = Vec::new();
    super::super::fixtures::zip(std::slice::from_ref(&inner))[..32].clone_into(&mut quoted);
    let outer = stored("a", &quoted);
    assert!(refused(&[outer, Raw { at: Some(31), ..inner }]).contains("overlap"));
}

#[test]
fn a3_nested_zip_is_only_a_file() {
    let inner = zip(&[deflated_zeros("x", 100 << 20)]);
    let (outer, bytes) = run(&zip(&[stored("inner.zip", &inner)]), &Limits::default()).unwrap();
    assert_eq!(bytes, inner.len() as u64);
    drop(outer);
}

#[test]
fn a4_entries_are_capped_while_reading() {
    let limits = Limits { package_entries: 500, ..Limits::default() };
    let many: Vec<_> = (0..501).map(|i| stored(format!("{i}"), b"")).collect();
    assert!(matches!(run(&zip(&many), &limits), Err(Fault::TooMany(500))));
    assert!(run(&zip(&many[..500]), &limits).is_ok());
    // The end record claims few: the cap counts what is there.
    let mut lying = zip(&many);
    let end = lying.len() - 22;
    lying[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
    assert!(matches!(run(&lying, &limits), Err(Fault::TooMany(500))));
    // Folders that only stand in a path count too.
    let deep: Vec<_> = (0..10).map(|i| stored(format!("{i}/{}x", "a/".repeat(60)), b"")).collect();
    assert!(matches!(run(&zip(&deep), &limits), Err(Fault::TooMany(500))));
}

#[test]
fn a4_a_million_entries_and_huge_names_end_at_the_cap() {
    let many: Vec<_> = (0..1_000_000).map(|i| stored(format!("{i}"), b"")).collect();
    let bytes = zip(&many);
    drop(many);
    assert!(matches!(run(&bytes, &Limits::default()), Err(Fault::TooMany(100_000))));
    refused(&[stored("a".repeat(65_535), b"")]);
}

#[test]
fn a6_special_files_are_refused_and_special_bits_stripped() {
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000, 0o170_000] {
        refused(&[Raw { mode: kind | 0o644, ..stored("x", b"") }]);
    }
    let outer = ok(&[
        Raw { mode: 0o104_755, ..stored("setuid", b"1") },
        Raw { mode: 0o102_644, ..stored("setgid", b"1") },
        Raw { mode: 0o101_777, ..stored("sticky", b"1") },
        Raw { mode: 0o043_777, ..dir("d/") },
        Raw { mode: 0o100_001, ..stored("x-for-others", b"1") },
        Raw { mode: 0o100_400, ..stored("narrow", b"1") },
    ]);
    let expected = [
        ("setuid", 0o755),
        ("setgid", 0o644),
        ("sticky", 0o755),
        ("d", 0o755),
        ("x-for-others", 0o755),
        ("narrow", 0o644),
    ];
    for (name, bits) in expected {
        assert_eq!(mode(&outer, name) & 0o7777, bits, "{name}");
    }
}

#[test]
fn a6_entries_without_modes_get_sane_ones() {
    let bare = |name: &str, data: &[u8]| Raw { mode: 0, host: 0, ..stored(name, data) };
    let outer = ok(&[
        bare("plain.py", b"print()"),
        bare("run.sh", b"#!/bin/sh\n"),
        bare("tool", b"\x7fELF..."),
        bare("bootstrap", b"whatever"),
        bare("d/", b""),
        Raw { mode: 0, ..stored("zero", b"1") },
        // The archive says it is not executable, and it is believed.
        Raw { mode: 0o100_644, ..stored("said.sh", b"#!/bin/sh\n") },
    ]);
    let expected = [
        ("plain.py", 0o644),
        ("run.sh", 0o755),
        ("tool", 0o755),
        ("bootstrap", 0o755),
        ("d", 0o755),
        ("zero", 0o644),
        ("said.sh", 0o644),
    ];
    for (name, bits) in expected {
        assert_eq!(mode(&outer, name) & 0o7777, bits, "{name}");
    }
}

#[test]
fn a7_truncated_at_every_byte_is_refused() {
    let whole = zip(&[stored("a", b"hello"), deflated("b", &b"world".repeat(100)), link("c", "a")]);
    for cut in 0..whole.len() {
        assert!(run(&whole[..cut], &Limits::default()).is_err(), "cut at {cut}");
    }
    assert!(run(&whole, &Limits::default()).is_ok());
}

#[test]
fn a7_damaged_data_is_refused() {
    let good = deflated("a", &b"hello".repeat(100));
    refused(&[Raw { crc: good.crc ^ 1, ..good.clone() }]);
    refused(&[Raw { size: good.size + 1, ..good.clone() }]);
    refused(&[Raw { size: good.size - 1, ..good.clone() }]);
    let mut longer = good.data.clone();
    longer.extend(b"junk");
    assert!(refused(&[Raw { data: longer, ..good.clone() }]).contains("after the data"));
    let shorter = good.data[..good.data.len() - 1].to_vec();
    refused(&[Raw { data: shorter, ..good.clone() }]);
    refused(&[Raw { packed: Some(u32::MAX), ..good.clone() }]);
    refused(&[Raw { packed: Some(1 << 30), ..good }]);
    refused(&[Raw { size: 9, ..stored("s", b"12345678") }]);
}

#[test]
fn what_is_not_read_is_refused() {
    for flags in [0x801, 0x840, 0x2800] {
        assert!(refused(&[Raw { flags, ..stored("x", b"1") }]).contains("encrypted"));
    }
    for method in [1, 9, 12, 14, 93, 95, 99] {
        assert!(refused(&[Raw { method, ..stored("x", b"1") }]).contains("method"));
    }
    assert!(refused(&[Raw { local_name: Some(b"y".to_vec()), ..stored("x", b"1") }]).contains("range"));
    refused(&[Raw { mode: 0o040_755, ..stored("folder/", b"content") }]);
    refused(&[Raw { mode: 0o100_644, ..stored("folder/", b"") }]);
}

#[test]
fn bytes_after_the_end_are_refused_and_before_the_start_are_not() {
    let whole = zip(&[stored("a", b"hello")]);
    for junk in [&b"x"[..], &[0; 100], &[0; 70_000], &whole] {
        let both = [&whole, junk].concat();
        let done = run(&both, &Limits::default());
        if junk == whole {
            assert!(done.is_ok(), "the first archive is a stub before the second");
        } else {
            assert!(done.is_err());
        }
    }
    let stub = [b"#!/usr/bin/env python3\n", &whole[..]].concat();
    assert_eq!(text(&run(&stub, &Limits::default()).unwrap().0, "a"), "hello");
}

#[test]
fn descriptors_zip64_and_times_are_read() {
    let mut wide = Vec::new();
    wide.extend([1, 0, 8, 0]);
    wide.extend(5_u64.to_le_bytes());
    let mut stamp = vec![0x55, 0x54, 5, 0, 1];
    stamp.extend(1_700_000_001_u32.to_le_bytes());
    let outer = ok(&[
        Raw { descriptor: true, flags: 0x808, ..deflated("described", b"hello hello hello") },
        Raw { size: u32::MAX, packed: None, extra: wide, ..stored("wide", b"hello") },
        Raw { extra: stamp, ..stored("stamped", b"hello") },
    ]);
    assert_eq!(text(&outer, "described"), "hello hello hello");
    assert_eq!(text(&outer, "wide"), "hello");
    let at = fs::metadata(outer.path().join("in/stamped")).unwrap().modified().unwrap();
    assert_eq!(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_700_000_001);
    refused(&[Raw { size: u32::MAX, extra: vec![1, 0, 2, 0, 5, 5], ..stored("wide", b"hello") }]);
}

#[test]
fn more_than_65535_entries_come_as_zip64() {
    let many: Vec<_> = (0..66_000).map(|i| stored(format!("{}/{i}", i % 100), b"")).collect();
    let (outer, _) = run(&zip(&many), &Limits::default()).unwrap();
    assert_eq!(paths(&outer.path().join("in")).len(), 66_100);
}

#[test]
fn a9_unicode_forms_and_cases_round_trip_or_are_refused() {
    let names = ["caf\u{e9}", "cafe\u{301}", "README", "readme", "ReadMe/x"];
    let entries: Vec<_> = names.iter().map(|name| stored(name, name.as_bytes())).collect();
    match run(&zip(&entries), &Limits::default()) {
        Ok((outer, _)) => names.iter().for_each(|name| assert_eq!(text(&outer, name), *name)),
        // A disk that folds names: refused.
        Err(error) => assert!(error.to_string().contains("collides")),
    }
    // Without the UTF-8 flag the bytes are taken as UTF-8 all the same, which is what Info-ZIP writes.
    let outer = ok(&[Raw { flags: 0, ..stored("caf\u{e9}", b"1") }]);
    assert_eq!(text(&outer, "caf\u{e9}"), "1");
}

#[test]
fn a9_the_same_name_twice_is_refused_and_never_overwrites() {
    assert!(refused(&[stored("a", b"first"), stored("a", b"second")]).contains("twice"));
    refused(&[stored("a", b"first"), stored("./a", b"second")]);
    refused(&[stored("a", b"first"), link("a", "b")]);
    refused(&[stored("a", b"first"), stored("a/b", b"second")]);
    ok(&[dir("a/"), dir("a/"), stored("a/b", b"1")]);
}

#[test]
fn another_writer_is_read_the_same() {
    use std::io::Write as _;
    let options = zip::write::SimpleFileOptions::default();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_directory("d", options).unwrap();
    writer.start_file("d/f", options.unix_permissions(0o755)).unwrap();
    writer.write_all(&b"hello".repeat(1000)).unwrap();
    writer.start_file("large", options.large_file(true)).unwrap();
    writer.write_all(b"x").unwrap();
    writer.add_symlink("l", "d/f", options).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let (outer, total) = run(&bytes, &Limits::default()).unwrap();
    assert_eq!(total, 5001 + 3);
    assert_eq!(text(&outer, "l").len(), 5000);
    assert_eq!(mode(&outer, "d/f") & 0o7777, 0o755);
    let readable = fs::metadata(outer.path().join("in/large")).unwrap().permissions().mode();
    assert_eq!(readable & 0o444, 0o444);
}

fn small() -> Limits {
    Limits { unpacked_bytes: 100_000, package_entries: 50, ..Limits::default() }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_never_write_outside(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = run(&bytes, &small());
    }

    #[test]
    fn flipped_bytes_never_panic_and_never_write_outside(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = zip(&[
            stored("a", b"hello"),
            deflated("d/b", &b"world".repeat(50)),
            link("d/l", "../a"),
            Raw { descriptor: true, flags: 0x808, ..deflated("c", b"cccccccc") },
        ]);
        for (at, to) in &flips {
            let at = at.index(bytes.len());
            bytes[at] = *to;
        }
        let _ = run(&bytes, &small());
    }

    #[test]
    fn arbitrary_names_and_targets_stay_inside(
        entries in prop::collection::vec(("[./a-cA:\\\\é]{0,12}", prop::option::of("[./a-c]{0,12}")), 1..8),
    ) {
        let raws: Vec<_> = entries
            .iter()
            .map(|(name, target)| match target {
                Some(target) => link(name, target),
                None => stored(name, b"content"),
            })
            .collect();
        if let Ok((outer, _)) = run(&zip(&raws), &small()) {
            let inner = outer.path().join("in").canonicalize().unwrap();
            for path in paths(&inner) {
                if let Ok(real) = inner.join(&path).canonicalize() {
                    prop_assert!(real.starts_with(&inner), "{path} leads to {real:?}");
                }
            }
        }
    }
}
