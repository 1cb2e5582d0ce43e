//! One way to lay out modules (`foo.rs` beside `foo/`), and every public name stands where it is exported.

use super::{Finding, Tree, fail};

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        if path.ends_with("/mod.rs") {
            found.push(fail(path, "a module lies in `foo.rs`, not in `foo/mod.rs`"));
        }
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let exported = line.starts_with("pub use ") || line.starts_with("pub(crate) use ");
            if exported && (line.contains("::*") || line.contains("{*")) {
                found.push(fail(format!("{path}:{}", index + 1), "a glob hides which names are exported"));
            }
        }
    }
    found
}
