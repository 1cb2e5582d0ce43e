use super::Pattern;

fn check(java: &str, relaxed: bool, yes: &[&str], no: &[&str]) {
    let pattern = Pattern::new(java).expect(java);
    assert_eq!(pattern.is_relaxed(), relaxed, "{java}");
    for text in yes {
        assert!(pattern.matches(text), "{java} must match {text:?}");
    }
    for text in no {
        assert!(!pattern.matches(text), "{java} must not match {text:?}");
    }
}

#[test]
fn the_whole_text_must_match() {
    check("[a-z]+", false, &["abc"], &["abc1", "1abc", "abc\n", ""]);
    check("^[a-z]+$|x1", false, &["abc", "x1"], &["x12"]);
    check("([a-zA-Z0-9-_]+)", false, &["a-b_C"], &["a b", "é"]);
}

#[test]
fn classes_are_ascii_as_in_java() {
    check(r"\d{2}", false, &["12"], &["١٢"]);
    check(r"[\w+=,.@-]*", false, &["a_b@c.d", ""], &["é", "a b"]);
    check(r"[\s\S]+", false, &["a\n\u{85}é"], &[""]);
    check(r"\S{2,3}", false, &["ab"], &["a b", "a"]);
    check(r"[\u0009\u000A\u0020-\u00FF]+", false, &["a\tb\u{ff}"], &["\u{100}", "\u{8}"]);
    check(r"[\x21-\x7E]+", false, &["a~"], &["a b"]);
}

#[test]
fn a_leading_negation_is_exact() {
    check("(?!^[0-9]+$)([a-zA-Z0-9-_]+)", false, &["live", "1a", "a1"], &["1", "12345", ""]);
    check(r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", false, &["live", "1a"], &["12", "a b"]);
}

#[test]
fn other_look_arounds_make_it_weaker() {
    check(r"[0-9A-Za-z\.\-_]*(?<!\.)", true, &["bucket", "bucket."], &["bu cket"]);
    check(r"(function:)?([a-z]+)(:((?!\d+$)[0-9a-z]+))?", true, &["f:live", "f:1"], &["f:", "F"]);
}

#[test]
fn what_cannot_be_translated_says_so() {
    for java in [r"(a)\1", "(", "[a", r"(?>a)", "\\"] {
        assert!(Pattern::new(java).is_err(), "{java}");
    }
}
