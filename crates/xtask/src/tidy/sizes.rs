//! A file that grows past its wall hides a wall that is missing. Tests and generated code may be long.

use super::{Finding, Tree, Weight};

const LOOK_AGAIN: usize = 500;
const STOP: usize = 800;

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let judge = |(path, text): (&str, &str)| {
        let lines = text.lines().count();
        let (weight, limit) = match lines {
            0..=LOOK_AGAIN => return None,
            _ if lines > STOP => (Weight::Fail, STOP),
            _ => (Weight::Warn, LOOK_AGAIN),
        };
        Some(Finding { weight, place: path.to_owned(), what: format!("{lines} lines, more than {limit}") })
    };
    tree.shipped_rust().filter_map(judge).collect()
}
