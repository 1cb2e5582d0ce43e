use super::*;

#[test]
fn counts_what_the_harness_says() {
    let mut tally = Tally::default();
    for line in [
        "running 3 tests",
        "test a::b ... ok",
        "test a::c ... FAILED",
        "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.10s",
        "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        "a test result: ok. 9 passed;",
    ] {
        tally.see_test(line);
    }
    assert_eq!(tally.to_string(), "5 passed, 1 failed, 1 skipped");
    assert_eq!(tally.names, ["a::c".to_owned()].into());
}

#[test]
fn reads_its_own_closing_line_and_nothing_else() {
    let tally = Tally { passed: 12, failed: 3, skipped: 4, ..Tally::default() };
    assert_eq!(Tally::parse(&tally.to_string()), Some(tally));
    for strange in [
        "",
        "12 passed",
        "x passed, 1 failed, 1 skipped",
        "1 failed, 1 passed, 1 skipped",
        "1 passed, 1 failed, 1 skipped, 1",
    ] {
        assert_eq!(Tally::parse(strange), None, "{strange}");
    }
}
