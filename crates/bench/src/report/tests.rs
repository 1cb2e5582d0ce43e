use super::*;
use crate::row::{OURS, Side, Target};

pub(super) fn report() -> Report {
    let cold = Row::new("cold/native", Group::Cold, "a static binary, from nothing", "ms")
        .target(Some(Target::Most(3.0)))
        .side(Side::measured(OURS, vec![2.0, 2.5, 3.5]))
        .side(Side::measured("runc run", vec![20.0, 25.0, 30.0]))
        .side(Side::not_run("crun run", "crun is not | here"));
    let blank =
        Row::new("cold/wasm", Group::Cold, "a component", "ms").side(Side::not_run(OURS, "there is none"));
    let rate = Row::new("rate/http-32", Group::Throughput, "requests/s", "/s")
        .target(Some(Target::RatioLeast(1.0)))
        .by("wrk")
        .side(Side::measured(OURS, vec![50_000.0]))
        .side(Side::measured("nginx", vec![60_000.0]));
    Report {
        machine: Machine { cpu: "C".into(), cores: 2, memory_gib: 24, kernel: "Linux 6.18".into() },
        load_at_start: 0.5,
        load_at_end: 2.0,
        server: "anyfn 0.1.0".into(),
        peers: vec![("nginx".into(), "1.22".into())],
        runs: 3,
        seconds: 1.0,
        quick: true,
        rows: vec![cold, blank, rate],
    }
}

#[test]
fn the_table_says_what_was_measured_beside_what() {
    let table = report().table();
    let lines: Vec<_> =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| line")).collect();
    assert_eq!(
        lines,
        [
            "| a static binary, from nothing | 2.50 ms | 2.10 to 3.30 | 3.48 | runc run | 25 ms (21 to 29) | 0.10× | ≤ 3 ms: met | 3 |",
            "|  |  |  |  | crun run | not run: crun is not / here |  |  |  |",
            "| a component | not run: there is none |  |  |  |  |  |  |  |",
            "| requests/s | 50000/s |  |  | nginx | 60000/s | 0.83× | ≥ 1×: **missed** | 1 |",
        ]
    );
    assert!(table.contains("load average 0.5 at the start and 2.0 at the end"));
    assert!(table.contains("Beside it: nginx 1.22.") && table.contains("Measured by: own clock; wrk."));
}

#[test]
fn every_line_of_the_table_has_all_cells() {
    let table = report().table();
    for line in table.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(line.matches('|').count(), 10, "{line}");
    }
}

#[test]
fn the_document_keeps_what_is_around_the_table() {
    let document = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n";
    let new = table::replaced(document, "new\n").unwrap();
    assert_eq!(new, "before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n");
    assert!(table::replaced("no marks", "new").is_err());
}

#[test]
fn figures_have_three_digits() {
    let texts = [0.123, 1.0, 9.999, 12.34, 99.0, 123.4, 52412.0, -0.5].map(table::figure);
    assert_eq!(texts, ["0.12", "1", "10", "12.3", "99", "123", "52412", "-0.50"]);
}

#[test]
fn the_json_holds_every_side() {
    let text = report().json().unwrap();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["rows"].as_array().unwrap().len(), 3);
    assert_eq!(told["rows"][0]["sides"][0]["summary"]["median"], 2.5);
    assert_eq!(told["rows"][0]["sides"][2]["not_run"], "crun is not | here");
    assert_eq!(told["rows"][0]["target"]["most"], 3.0);
}
