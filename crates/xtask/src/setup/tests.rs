use super::*;

const PART: Part = Part { name: "p", kind: Kind::Python, pins: &["a==1", "b==2"], why: "w" };

#[test]
fn a_stamp_holds_only_for_the_same_pins() {
    let dir = tempfile::tempdir().unwrap();
    let after = |text: &str| {
        fs::write(stamp(dir.path(), &PART), text).unwrap();
        state(dir.path(), &PART)
    };
    assert_eq!(state(dir.path(), &PART), State::Wanted);
    assert_eq!(after("ready a==1 b==2\n"), State::Ready);
    assert_eq!(after("failed a==1 b==2\n"), State::Failed);
    assert_eq!(after("ready a==1 b==1\n"), State::Wanted);
    assert_eq!(after(""), State::Wanted);
}

#[test]
fn what_is_missing_is_named_and_counted() {
    assert_eq!(summary(&[]), "setup: all parts are there");
    assert_eq!(summary(&[&PART]), "setup: 1 parts are not there\n  LEFT OUT: p: w");
}

#[test]
fn parts_are_pinned_and_named_once() {
    let mut names: Vec<_> = known().map(|part| part.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), PARTS.len() + BENCH_PARTS.len());
    for part in known() {
        let sign = if matches!(part.kind, Kind::Python | Kind::PythonModules) { "==" } else { "@" };
        let pinned = |pin: &&str| {
            pin.rsplit_once(sign).is_some_and(|(_, version)| {
                version.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
            })
        };
        assert!(part.pins.iter().all(pinned), "{part:?}");
    }
}
