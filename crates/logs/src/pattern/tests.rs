use proptest::prelude::*;

use super::Pattern;

#[track_caller]
fn check(pattern: &str, matching: &[&str], others: &[&str]) {
    let read = Pattern::parse(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    for text in matching {
        assert!(read.matches(text.as_bytes()), "`{pattern}` should match `{text}`");
    }
    for text in others {
        assert!(!read.matches(text.as_bytes()), "`{pattern}` should not match `{text}`");
    }
}

#[test]
fn terms() {
    check("", &["", "anything"], &[]);
    check("ERROR", &["[ERROR 400]", "ERROR"], &["error", "warn"]);
    check("ERROR ARGUMENTS", &["ARGUMENTS ERROR"], &["ERROR only"]);
    check("\"INTERNAL SERVER\"", &["an INTERNAL SERVER error"], &["SERVER INTERNAL"]);
    check("\"say \\\"hi\\\"\"", &["say \"hi\" now"], &["say hi"]);
    check("?ERROR ?WARN", &["ERROR", "a WARN"], &["INFO"]);
    check("ERROR -EXITING", &["ERROR"], &["ERROR EXITING", "EXITING"]);
    check("-EXITING", &["x"], &["EXITING"]);
    check("-\"a b\" ?x ?y", &["x", "y"], &["x a b", "z"]);
    check("INFO ?ERROR", &["INFO"], &["ERROR"]);
    check("%ERR[0-9]+%", &["ERR12"], &["ERR", "err1"]);
    check("%a\\d\\%b%", &["a1%b"], &["a1b"]);
}

#[test]
fn json_comparisons() {
    check(
        "{ $.level = \"ERROR\" }",
        &[r#"{"level":"ERROR"}"#],
        &[r#"{"level":"INFO"}"#, "level ERROR", "{}"],
    );
    check("{$.level=ERROR}", &[r#"{"level":"ERROR"}"#], &[r#"{"level":"ERRORS"}"#]);
    check(
        "{ $.e = \"Upd*ail\" }",
        &[r#"{"e":"UpdateTrail"}"#, r#"{"e":"Updail"}"#],
        &[r#"{"e":"UpdateTrails"}"#],
    );
    check(
        "{ $.n > 3 }",
        &[r#"{"n":4}"#, r#"{"n":3.5}"#, r#"{"n":"4"}"#],
        &[r#"{"n":3}"#, r#"{"n":"x"}"#, "{}"],
    );
    check("{ $.n <= 1e3 }", &[r#"{"n":1000}"#, r#"{"n":-5}"#], &[r#"{"n":1001}"#]);
    check("{ $.n = 400 }", &[r#"{"n":400}"#, r#"{"n":400.0}"#], &[r#"{"n":401}"#]);
    check("{ $.code = 4* }", &[r#"{"code":404}"#, r#"{"code":"4xx"}"#], &[r#"{"code":500}"#]);
    check("{ $.a != x }", &[r#"{"a":"y"}"#], &[r#"{"a":"x"}"#, "{}", r#"{"a":null}"#]);
    check("{ $.m = %^ab+$% }", &[r#"{"m":"abbb"}"#], &[r#"{"m":"abc"}"#]);
    check("{ $.ok = true }", &[r#"{"ok":true}"#], &[r#"{"ok":false}"#]);
}

#[test]
fn json_words_and_paths() {
    check("{ $.a IS NULL }", &[r#"{"a":null}"#], &["{}", r#"{"a":0}"#]);
    check("{ $.a is true }", &[r#"{"a":true}"#], &[r#"{"a":"true"}"#]);
    check("{ $.a NOT EXISTS }", &["{}", r#"{"b":1}"#], &[r#"{"a":null}"#]);
    check("{ $.a EXISTS }", &[r#"{"a":null}"#], &["{}"]);
    check(
        "{ $.u.tags[1] = b }",
        &[r#"{"u":{"tags":["a","b"]}}"#],
        &[r#"{"u":{"tags":["b"]}}"#, r#"{"u":[]}"#],
    );
    check("{ $.t[*] = b }", &[r#"{"t":["a","b"]}"#], &[r#"{"t":[]}"#, r#"{"t":"b"}"#]);
    check("{ $['a.b'] = 1 && $.[\"c\"] = 2 }", &[r#"{"a.b":1,"c":2}"#], &[r#"{"a":{"b":1},"c":2}"#]);
}

#[test]
fn json_and_binds_before_or() {
    let text = |a: u8, b: u8, c: u8| format!(r#"{{"a":{a},"b":{b},"c":{c}}}"#);
    let flat = Pattern::parse("{ $.a = 1 || $.b = 1 && $.c = 1 }").unwrap();
    let grouped = Pattern::parse("{ ($.a = 1 || $.b = 1) && $.c = 1 }").unwrap();
    for bits in 0..8_u8 {
        let (a, b, c) = (bits & 1, bits >> 1 & 1, bits >> 2);
        assert_eq!(flat.matches(text(a, b, c).as_bytes()), a == 1 || (b == 1 && c == 1));
        assert_eq!(grouped.matches(text(a, b, c).as_bytes()), (a == 1 || b == 1) && c == 1);
    }
}

#[test]
fn columns() {
    let line = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /x.html HTTP/1.0\" 404 1534";
    check("[ip, id, user, at, request, status, bytes]", &[line], &["a b"]);
    check("[ip, id, user, at, request = *html*, status = 4*, bytes > 1000]", &[line], &[]);
    check("[ip, id, user, at, request, status = 5*, bytes]", &[], &[line]);
    check("[..., status = 4* || status = 5*, bytes]", &[line, "500 1"], &["200 1", "404"]);
    check("[ip = 127*, ...]", &[line, "127.1"], &["10.0.0.1", ""]);
    check("[w != ERROR && w != WARN, ...]", &["INFO x"], &["ERROR x", "WARN"]);
    check("[ip = %^127\\.0\\.0\\.[1-9]{1,2}$%, ...]", &[line], &["127.0.0.x y"]);
    check("[a = \"x y\"]", &["\"x y\"", "[x y]"], &["x y"]);
    check("[]", &["one"], &["one two"]);
}

#[test]
fn what_is_wrong_is_said() {
    let long = "x".repeat(1025);
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(33), ")".repeat(33));
    for (pattern, part) in [
        ("{ $.a = }", "a value is missing at character 9"),
        ("{ $.a = 1", "`}` is missing"),
        ("{ a = 1 }", "`$` is missing"),
        ("{ $.a = 1 } x", "unexpected text"),
        ("{ $.a IS 3 }", "NULL, TRUE or FALSE"),
        ("{ $.a[x] = 1 }", "an index is missing"),
        ("{ $. = 1 }", "a field's name is missing"),
        ("\"open", "has no end"),
        ("a - b", "a term is missing"),
        ("[a, ...", "`]` is missing"),
        ("[..., ...]", "a second `...`"),
        ("%(%", "regular expression"),
        ("%(((a{99}){99}){99}){99}%", "regular expression"),
        (&long, "longer than 1024"),
        (&deep, "parentheses"),
    ] {
        let error = Pattern::parse(pattern).expect_err(pattern);
        assert_eq!(error.code, "log_pattern_invalid");
        assert!(error.public.contains(part), "{pattern}: {}", error.public);
    }
}

#[test]
fn d8_deep_json_is_no_match_and_no_overflow() {
    let deep = "[".repeat(1_000_000);
    assert!(!Pattern::parse("{ $.a = 1 }").unwrap().matches(deep.as_bytes()));
}

proptest! {
    #[test]
    fn no_pattern_and_no_text_panics(pattern in "[\\[{]?[ -~é*%?\\-]{0,40}[\\]}]?", text in any::<Vec<u8>>()) {
        if let Ok(read) = Pattern::parse(&pattern) {
            read.matches(&text);
            read.matches(pattern.as_bytes());
        }
    }

    #[test]
    fn parts_of_patterns_do_not_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "(", ")", "$", ".", "a", "=", "!=", "<", "&&", "||", "\"", "%", "*", "IS", "NULL",
        "NOT", "EXISTS", "1", "-", "?", "...", ",", " ", "\\", "é", "'",
    ]), 0..24), text in "[ -~é]{0,40}") {
        if let Ok(read) = Pattern::parse(&parts.concat()) {
            read.matches(text.as_bytes());
        }
    }

    #[test]
    fn a_quoted_text_finds_itself(before in "[ -~]{0,9}", text in "[a-z ]{1,20}", after in "[ -~]{0,9}") {
        let pattern = Pattern::parse(&format!("\"{text}\"")).unwrap();
        let whole = [before, text, after].concat();
        prop_assert!(pattern.matches(whole.as_bytes()));
    }
}
