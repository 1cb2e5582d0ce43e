//! The first page is short, and its Chinese twin has the same shape.

use super::{Finding, Tree, fail};

const LINES: usize = 200;
const PAGE: &str = "README.md";
const TWIN: &str = "README.zh-CN.md";

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut shapes = Vec::new();
    for path in [PAGE, TWIN] {
        let Some(text) = tree.get(path) else {
            found.push(fail(path, "it is missing"));
            continue;
        };
        let lines = text.lines().count();
        if lines > LINES {
            found.push(fail(path, format!("{lines} lines, more than {LINES}: depth lives elsewhere")));
        }
        shapes.push(headings(text));
    }
    if let [page, twin] = shapes.as_slice()
        && page != twin
    {
        let what = format!("its headings (levels {twin:?}) are not those of {PAGE} ({page:?})");
        found.push(fail(TWIN, what));
    }
    found
}

/// Levels of the headings outside of code.
fn headings(text: &str) -> Vec<usize> {
    let mut in_code = false;
    let mut levels = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let level = line.len() - line.trim_start_matches('#').len();
        if !in_code && level > 0 && line[level..].starts_with(' ') {
            levels.push(level);
        }
    }
    levels
}
