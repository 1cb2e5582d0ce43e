//! AWS's published test suite, where it is at hand: it comes inside the registry package `aws-sigv4` and is not kept here.

use std::{fs, path::PathBuf};

use http::HeaderMap;

use super::{Body, NOW, Owned, PathForm, Refusal, SECRET, Secret, Signed, moment, parts};

fn suite() -> Option<PathBuf> {
    parts().into_iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten().find_map(|entry| {
        let suite = entry.path().join("aws-signing-test-suite/v4");
        suite.is_dir().then_some(suite)
    })
}

/// Lines that begin with a space go on with the last header, as HTTP once had it.
fn parse(text: &str) -> Owned {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Owned {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        headers: HeaderMap::new(),
        body: body.into(),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with(' ') {
            let last = headers.last_mut().unwrap();
            last.1 = format!("{} {}", last.1, line.trim());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.into(), value.trim().into()));
        }
    }
    headers.iter().for_each(|(name, value)| request.header(name, value));
    request
}

#[test]
fn the_published_suite_is_verified() {
    let Some(suite) = suite() else {
        println!("SKIPPED: the package aws-sigv4 is not unpacked under target/parts");
        return;
    };
    let mut checked = 0;
    for case in fs::read_dir(suite).unwrap() {
        let case = case.unwrap().path();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        // The two cases without a context are fragments of another suite, with another key.
        let Ok(context) = fs::read_to_string(case.join("context.json")) else { continue };
        let context: serde_json::Value = serde_json::from_str(&context).unwrap();
        for kind in ["header", "query"] {
            let Ok(text) = fs::read_to_string(case.join(format!("{kind}-signed-request.txt"))) else {
                continue;
            };
            // Here a token was added to the query after signing; no verifier can tell it from a signed one.
            if context["omit_session_token"] == true && kind == "query" {
                continue;
            }
            let request = parse(&text);
            let signed = Signed::parse(&request.request()).unwrap_or_else(|e| panic!("{name} {kind}: {e}"));
            assert_eq!(signed.at, moment::parse("20150830T123600Z").unwrap());
            // The suite's paths are signed as they will be sent, encoded once.
            let form = PathForm { twice: false, normal: context["normalize"] == true };
            let verify = |secret: &str| {
                let body = Body::of(&request.body);
                signed.verify_with(&request.request(), &Secret::new(secret), (form, false), body, NOW)
            };
            verify(SECRET).unwrap_or_else(|e| panic!("{name} {kind}: {e}"));
            assert_eq!(verify("another").unwrap_err(), Refusal::Mismatch);
            checked += 1;
        }
    }
    println!("{checked} signatures of the published suite verified");
    assert!(checked >= 70, "{checked}");
}
