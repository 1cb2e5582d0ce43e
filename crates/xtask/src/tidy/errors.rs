//! Every error code is a page under `docs/errors/`, and every page there is of a code.
//!
//! Codes are found where errors are made: the text after `Error::invalid(` and its like, and after a `Kind::…,`.

use std::collections::BTreeMap;

use super::{Finding, Tree, fail};

const PAGES: &str = "docs/errors/";
/// Where `Kind::` is that of a shape on the wire, and what is only for tests and measures.
const NO_ERRORS: [&str; 4] = ["crates/wire/", "crates/testkit/", "/examples/", "/fixtures.rs"];
const MAKERS: [&str; 3] = ["::invalid(", "::not_found(", "::internal("];

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let mut codes: BTreeMap<&str, String> = BTreeMap::new();
    for (path, text) in tree
        .shipped_rust()
        .filter(|(path, _)| path.starts_with("crates/") && !NO_ERRORS.iter().any(|part| path.contains(part)))
    {
        for (at, code) in codes_in(shipped_part(text)) {
            let line = text[..at].lines().count().max(1);
            codes.entry(code).or_insert_with(|| format!("{path}:{line}"));
        }
    }
    let page = |code: &str| format!("{PAGES}{code}.md");
    let mut found: Vec<Finding> = codes
        .iter()
        .filter(|(code, _)| tree.get(&page(code)).is_none_or(|text| text.trim().is_empty()))
        .map(|(code, place)| fail(place, format!("the error code `{code}` has no page {}", page(code))))
        .collect();
    for (path, _) in tree.ending(".md").filter(|(path, _)| path.starts_with(PAGES)) {
        let name = path.trim_start_matches(PAGES).trim_end_matches(".md");
        if name != "README" && !codes.contains_key(name) {
            found.push(fail(path, "no error has this code any more"));
        }
    }
    found
}

/// What stands before tests that are written into the same file.
fn shipped_part(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// Codes and where in the text they stand.
fn codes_in(text: &str) -> Vec<(usize, &str)> {
    let made = MAKERS.iter().flat_map(|maker| text.match_indices(maker).map(|(at, maker)| at + maker.len()));
    let kinds = text.match_indices("Kind::").filter_map(|(at, word)| {
        // A `TaskKind` is no error's.
        if text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let name = at + word.len();
        let end = name + text[name..].find(|c: char| !c.is_ascii_alphanumeric())?;
        text[end..].starts_with(',').then_some(end + 1)
    });
    made.chain(kinds).filter_map(|at| literal(&text[at..]).map(|code| (at, code))).collect()
}

/// The snake-case text in quotes that comes next.
fn literal(text: &str) -> Option<&str> {
    let (code, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (!code.is_empty() && code.bytes().all(plain)).then_some(code)
}
