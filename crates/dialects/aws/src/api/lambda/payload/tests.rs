use super::*;

fn said(result: Result<Bytes, Fault>) -> (u16, String) {
    let said = result.unwrap_err().said();
    (said.status, said.message)
}

#[test]
fn events_are_json() {
    let limits = Limits::default();
    let ask = |text: &'static [u8]| event(Some(Bytes::from_static(text)), Mode::Wait, &limits);
    assert_eq!(event(None, Mode::Wait, &limits).unwrap(), "{}");
    assert_eq!(ask(b"").unwrap(), "{}");
    assert_eq!(ask(b" [1]").unwrap(), " [1]");
    for bad in [b"{".as_slice(), b"hello", b"{} {}", b"\"\xff\"", b"\xef\xbb\xbf{}"] {
        let (status, message) = said(ask(bad));
        assert_eq!(status, 400);
        assert!(message.starts_with("Could not parse request body into json: "), "{message}");
    }
}

#[test]
fn d8_a_million_brackets_are_refused_without_a_deep_stack() {
    let (status, _) = said(event(Some(Bytes::from(vec![b'['; 1_000_000])), Mode::Wait, &Limits::default()));
    assert_eq!(status, 400);
}

#[test]
fn too_much_is_said_per_mode() {
    let limits = Limits::default();
    let big = |len: usize| Some(Bytes::from(vec![b' '; len]));
    assert_eq!(
        said(event(big(1_048_577), Mode::Queue, &limits)),
        (413, "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)".into())
    );
    assert_eq!(
        said(event(big(6_291_557), Mode::Wait, &limits)),
        (413, "Request must be smaller than 6291456 bytes for the InvokeFunction operation".into())
    );
}

#[test]
fn client_contexts_are_base64_of_a_json_object() {
    let header = STANDARD.encode(r#"{"custom":{"a":"b"}}"#);
    assert_eq!(client_context(Some(&header)).unwrap().as_deref(), Some(r#"{"custom":{"a":"b"}}"#));
    assert_eq!(client_context(None).unwrap(), None);
    for bad in ["!", "aGk=", &STANDARD.encode("[1]"), &"A".repeat(3_584)] {
        assert!(client_context(Some(bad)).is_err());
    }
}
