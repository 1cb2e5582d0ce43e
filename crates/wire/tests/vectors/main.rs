//! The protocols judged by botocore's own test vectors, which `cargo xtask codegen --vectors` puts into `target/parts`.
//!
//! They are written for clients: a request case says how parameters must be serialized, so decoding that must give the
//! parameters back; an answer case says how an answer must be parsed, so encoding the result must give an equivalent answer.

#![allow(clippy::print_stdout, reason = "the counts are the point")]

mod answers;
mod build;
mod exceptions;
mod requests;
mod same;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyfn_wire::schema::Service;
use anyfn_wire::{Api, load};
use exceptions::Exceptions;
use serde_json::{Value as Json, json};

/// One case with the description of its service.
struct Case {
    id: String,
    service: &'static Service,
    case: Json,
}

/// All cases of a folder; `None` where the vectors are not installed.
fn cases(folder: &str) -> Option<Vec<Case>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/parts/botocore-vectors").join(folder);
    let Ok(files) = std::fs::read_dir(&root) else {
        println!("SKIPPED: no test vectors at {}; run `cargo xtask codegen --vectors`", root.display());
        return None;
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let suites: Json = serde_json::from_slice(&std::fs::read(&file).expect("text")).expect("JSON");
        for suite in suites.as_array().expect("suites") {
            for case in suite["cases"].as_array().expect("cases") {
                all.push(one(&stem, suite, case));
            }
        }
    }
    Some(all)
}

fn one(stem: &str, suite: &Json, case: &Json) -> Case {
    let name = case["given"]["name"].as_str().expect("a name");
    let model = json!({ "metadata": suite["metadata"], "shapes": suite["shapes"], "operations": { name: case["given"] } });
    let service = load("vectors", &model, &[]).expect("a model");
    Case { id: format!("{stem}/{}", case["id"].as_str().expect("an id")), service, case: case.clone() }
}

/// Runs `check` on all cases of `folder`. The failing ones must be exactly the listed exceptions; at least `floor` must pass.
fn judge(folder: &str, exceptions: Exceptions, floor: usize, check: fn(&Case, &Api) -> Result<(), String>) {
    let Some(cases) = cases(folder) else { return };
    let listed: Vec<&str> = exceptions.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let excepted: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(excepted.len(), listed.len(), "an exception is listed twice");
    let mut failed = BTreeSet::new();
    let mut unexpected = Vec::new();
    for case in &cases {
        if let Err(why) = check(case, &Api::new(case.service)) {
            if !excepted.contains(case.id.as_str()) {
                unexpected.push(format!("{}: {why}", case.id));
            }
            failed.insert(case.id.as_str());
        }
    }
    let passed = cases.len() - failed.len();
    println!("{folder}: {} cases, {passed} passed, {} excepted", cases.len(), listed.len());
    for (why, ids) in exceptions {
        println!("  {:3} {why}", ids.len());
    }
    assert!(unexpected.is_empty(), "{} failures:\n{}", unexpected.len(), unexpected.join("\n"));
    let idle: Vec<_> = excepted.difference(&failed).collect();
    assert!(idle.is_empty(), "exceptions that pass: {idle:?}");
    assert!(passed >= floor, "only {passed} cases passed, there were {floor}");
}

#[test]
fn requests_decode_to_their_parameters() {
    judge("input", exceptions::REQUESTS, exceptions::REQUESTS_FLOOR, requests::check);
}

#[test]
fn results_encode_to_equivalent_answers() {
    judge("output", exceptions::ANSWERS, exceptions::ANSWERS_FLOOR, answers::check);
}
