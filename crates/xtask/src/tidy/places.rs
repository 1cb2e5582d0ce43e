//! Nothing names a folder of somebody's machine or a mirror: a clone must work anywhere.

use super::{Finding, Tree, fail};

/// What must not stand in any text of the tree.
const FORBIDDEN: [&str; 9] = [
    "/work/",
    "/root/.",
    "/home/runner",
    "/.pyenv/",
    "/.cargo/registry",
    "/bash_jobs",
    "artifactory",
    "pypi.org/simple",
    "//registry.npmjs.org",
];

/// The one place for exceptions: path, and what may stand there.
const ALLOWED: [(&str, &str); 6] = [
    ("crates/xtask/src/tidy/places.rs", ""),
    ("crates/xtask/src/tidy/tests.rs", ""),
    // What a guest tries to read.
    ("crates/anyfn/tests/it/isolation.rs", "/root/."),
    ("crates/sandbox/tests/it/hidden.rs", "/root/."),
    // Where version managers keep interpreters.
    ("crates/runtime/src/lambda.rs", "/.pyenv/"),
    ("crates/anyfn/src/settings.rs", "/.pyenv/"),
];

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in &tree.files {
        for word in FORBIDDEN {
            if ALLOWED.iter().any(|(allowed, what)| allowed == path && word.contains(what)) {
                continue;
            }
            for (index, line) in text.lines().enumerate().filter(|(_, line)| names(line, word)) {
                let line: String = line.trim().chars().take(80).collect();
                found.push(fail(format!("{path}:{}", index + 1), format!("names `{word}`: {line}")));
            }
        }
    }
    found
}

/// Whether the line holds the word where a path begins; `a/work/b` is somebody's own folder.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/')
            || word.starts_with("/.")
            || word.starts_with("//")
            || !before.is_some_and(|c| c.is_alphanumeric() || "._-}$*".contains(c))
    })
}
