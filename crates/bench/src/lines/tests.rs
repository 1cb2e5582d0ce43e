use super::*;
use crate::row::Group;

#[test]
fn each_line_has_its_own_name() {
    let mut ids: Vec<_> = all().into_iter().map(|line| line.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn each_chart_has_lines() {
    let lines = all();
    for group in Group::ALL {
        assert!(lines.iter().any(|line| line.blank.group == group), "{group:?}");
    }
}

#[test]
fn names_can_be_chosen_by_a_pattern() {
    for line in all() {
        assert!(
            line.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "/-".contains(c)),
            "{}",
            line.id
        );
        assert!(!line.about.is_empty());
    }
}
