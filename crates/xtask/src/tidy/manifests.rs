//! Every room says in one sentence what it is for, inherits the lints, and takes versions from the workspace only.

use super::{Finding, Tree, fail};

/// A manifest, as far as the rules look: section, line number from 1, line without its comment.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim_matches(['[', ']']);
            return None;
        }
        (!line.is_empty() && !line.starts_with('#')).then_some((section, index + 1, line))
    })
}

/// The value of a key, without quotes.
pub(super) fn value<'a>(text: &'a str, section: &str, key: &str) -> Option<&'a str> {
    lines(text).filter(|(found, ..)| *found == section).find_map(|(.., line)| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}

/// The name in `name = …` or `name.workspace = true`.
pub(super) fn dependency(line: &str) -> &str {
    line.split(['=', '.']).next().unwrap_or_default().trim().trim_matches('"')
}

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    tree.manifests().flat_map(|(path, text)| of_one(path, text)).collect()
}

fn of_one(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let purpose = value(text, "package", "description").unwrap_or_default();
    if !purpose.ends_with('.') || purpose.contains(". ") || purpose.len() > 240 {
        found.push(fail(path, "its `description` is not one sentence with a full stop, at most 240 bytes"));
    }
    if value(text, "lints", "workspace") != Some("true") {
        found.push(fail(path, "it does not inherit the lints (`[lints]` `workspace = true`)"));
    }
    for (section, number, line) in lines(text) {
        let compact: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        if section.ends_with("dependencies") && !compact.contains("workspace=true") {
            let name = dependency(line);
            found.push(fail(
                format!("{path}:{number}"),
                format!("`{name}` is not taken from the workspace (`{name}.workspace = true`)"),
            ));
        } else if section.contains("dependencies.") {
            found.push(fail(format!("{path}:{number}"), "a dependency stands in one line, not in a section"));
        }
    }
    found
}
