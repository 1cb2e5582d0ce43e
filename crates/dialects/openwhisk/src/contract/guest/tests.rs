use super::*;

#[test]
fn what_an_answer_means() {
    for (line, status, retire, result) in [
        (&br#"{"a":1}"#[..], Status::Success, false, json!({"a": 1})),
        (b"[1]", Status::Success, false, json!([1])),
        (br#"{"error":null}"#, Status::ApplicationError, false, json!({"error": null})),
        (br#"!"why""#, Status::DeveloperError, true, json!({"error": "why"})),
        (b"!no json", Status::DeveloperError, true, json!({ "error": NO_RUN })),
        (b"7", Status::DeveloperError, true, json!({ "error": NO_DICTIONARY })),
        (b"null", Status::DeveloperError, true, json!({ "error": NO_DICTIONARY })),
        (b"x", Status::DeveloperError, true, json!({"error": format!("{NO_JSON}: x")})),
        (b"", Status::DeveloperError, true, json!({"error": format!("{NO_JSON}: ")})),
    ] {
        let ended = Ended::answered(line);
        assert_eq!((ended.status, ended.retire, ended.result), (status, retire, result), "{line:?}");
    }
    let large = Ended::answered(&vec![b' '; LINE_BYTES]);
    assert_eq!((large.status, large.retire), (Status::ApplicationError, false));
}

#[test]
fn a_tail_is_the_end() {
    assert_eq!(tail(&["a".to_owned(), "b".to_owned()]), "a\nb");
    assert_eq!(tail(&["ü".repeat(10_000)]).len(), 4096);
}
