use super::*;
use crate::report::tests::report;

/// Every mark is closed in order, and texts hold no bare signs.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "{before}");
        for entity in before.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
        let (mark, after) = after.split_once('>').unwrap();
        assert_eq!(mark.matches('"').count() % 2, 0, "{mark}");
        let name = mark.split_whitespace().next().unwrap();
        if let Some(name) = mark.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !mark.ends_with('/') {
            open.push(name);
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn charts_are_well_formed_whatever_names_hold() {
    let mut report = report();
    report.rows[0].what = "a < b & \"c\" > d".into();
    for group in Group::ALL {
        if let Some(svg) = of(group, &report) {
            well_formed(&svg);
            assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}

#[test]
fn each_measured_side_has_a_bar_and_what_did_not_run_has_none() {
    let svg = of(Group::Cold, &report()).unwrap();
    assert_eq!(svg.matches("<rect class=\"ours\"").count(), 1);
    assert_eq!(svg.matches("<rect class=\"other\"").count(), 1);
    assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("milliseconds"));
}

#[test]
fn a_chart_of_nothing_is_not_drawn() {
    assert_eq!(of(Group::Warm, &report()), None);
}

#[test]
fn the_axis_is_logarithmic_and_holds_everything() {
    let found = [2.0, 300.0].map(|value| Summary::single(value).unwrap());
    let scale = Scale::over(found.iter()).unwrap();
    assert_eq!((scale.low, scale.high), (0.0, 3.0));
    assert_eq!((scale.at(1.0), scale.at(1000.0)), (LEFT, LEFT + LENGTH));
    assert!((scale.at(10.0) - (LEFT + LENGTH / 3.0)).abs() < 1e-9);
    assert_eq!(scale.at(0.0), LEFT);
    assert_eq!(scale.decades().collect::<Vec<_>>(), [1.0, 10.0, 100.0, 1000.0]);
}
