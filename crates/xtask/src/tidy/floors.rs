//! A room knows only rooms on lower floors; sideways only on floor 0. Tests may use the testkit from any floor, and real
//! neighbours of their own floor (a contract is tested in a real sandbox).

use std::collections::BTreeMap;

use super::{
    Finding, Tree, fail,
    manifests::{dependency, lines, value},
};

pub(super) fn find(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut floors = BTreeMap::new();
    for (path, text) in tree.manifests() {
        let name = value(text, "package", "name").unwrap_or_default();
        match value(text, "package.metadata.room", "floor").and_then(|floor| floor.parse::<u8>().ok()) {
            Some(floor) => drop(floors.insert(name, floor)),
            None => {
                found.push(fail(path, "it does not say its floor (`[package.metadata.room]` `floor = N`)"))
            }
        }
    }
    for (path, text) in tree.manifests() {
        let name = value(text, "package", "name").unwrap_or_default();
        let Some(floor) = floors.get(name) else { continue };
        for (section, number, line) in lines(text).filter(|(section, ..)| section.ends_with("dependencies")) {
            let other = dependency(line);
            let Some(below) = floors.get(other) else { continue };
            let for_tests =
                section.ends_with("dev-dependencies") && (other == "anyfn-testkit" || below <= floor);
            if !(below < floor || (*floor == 0 && *below == 0) || for_tests) {
                let what = format!("`{name}` on floor {floor} must not know `{other}` on floor {below}");
                found.push(fail(format!("{path}:{number}"), what));
            }
        }
    }
    found
}
