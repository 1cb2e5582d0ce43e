use super::*;

fn row(target: Target, sides: &[f64]) -> Option<bool> {
    let sides = sides.iter().map(|value| Side::measured("s", vec![*value]));
    Row::new("x", Group::Cold, "x", "ms").target(Some(target)).sides(sides).met()
}

#[test]
fn targets_are_judged_by_the_median() {
    assert_eq!(row(Target::Most(3.0), &[3.0]), Some(true));
    assert_eq!(row(Target::Most(3.0), &[3.1]), Some(false));
    assert_eq!(row(Target::Least(800.0), &[900.0]), Some(true));
}

#[test]
fn a_ratio_must_hold_against_all_that_ran() {
    assert_eq!(row(Target::RatioLeast(1.0), &[10.0, 9.0, 10.0]), Some(true));
    assert_eq!(row(Target::RatioLeast(1.0), &[10.0, 9.0, 11.0]), Some(false));
    assert_eq!(row(Target::RatioMost(3.0), &[10.0]), None);
}

#[test]
fn nothing_measured_meets_nothing() {
    assert_eq!(row(Target::Most(3.0), &[f64::NAN]), None);
    let side = Side::not_run("nginx", "a\n  long\tstory");
    assert_eq!(side.not_run.as_deref(), Some("a long story"));
}
