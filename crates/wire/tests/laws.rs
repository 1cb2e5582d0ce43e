//! Laws: strangers' bytes never panic, and what is written is read back as it was.

use anyfn_wire::schema::Service;
use anyfn_wire::{Api, Map, Target, Timestamp, Value, fuzz, load};
use http::Request;
use proptest::prelude::*;
use serde_json::json;

/// A service in `protocol` whose only operation takes and answers a thing of every kind.
fn service(protocol: &str) -> &'static Service {
    let members = json!({
        "text": {"shape": "Text"}, "number": {"shape": "Number"}, "long": {"shape": "Long", "locationName": "Renamed"},
        "ratio": {"shape": "Ratio"}, "flag": {"shape": "Flag"}, "data": {"shape": "Data"}, "when": {"shape": "When"},
        "list": {"shape": "List"}, "flat": {"shape": "Flat"}, "map": {"shape": "Map"}, "inner": {"shape": "Thing"},
    });
    let model = json!({
        "metadata": {"protocol": protocol, "apiVersion": "1", "targetPrefix": "T", "jsonVersion": "1.1"},
        "operations": {"Do": {
            "http": {"method": "POST", "requestUri": "/things"}, "input": {"shape": "Thing"}, "output": {"shape": "Thing"},
        }},
        "shapes": {
            "Thing": {"type": "structure", "members": members},
            "Text": {"type": "string"}, "Number": {"type": "integer"}, "Long": {"type": "long"},
            "Ratio": {"type": "double"}, "Flag": {"type": "boolean"}, "Data": {"type": "blob"},
            "When": {"type": "timestamp"},
            "List": {"type": "list", "member": {"shape": "Thing"}},
            "Flat": {"type": "list", "flattened": true, "member": {"shape": "Text"}},
            "Map": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "List"}},
        },
    });
    load("things", &model, &[]).expect("a model")
}

/// Text that XML can hold.
fn text() -> impl Strategy<Value = String> {
    "[ -~\t\n\r\u{85}\u{a0}-\u{2fff}\u{10000}-\u{1ffff}]{0,12}"
}

fn thing() -> impl Strategy<Value = Value> {
    let leaf = (
        proptest::option::of(text().prop_map(Value::Str)),
        proptest::option::of(any::<i32>().prop_map(|n| Value::Int(i64::from(n)))),
        proptest::option::of(any::<i64>().prop_map(Value::Int)),
        // Eighths, which every decimal form keeps.
        proptest::option::of(any::<i32>().prop_map(|n| Value::Float(f64::from(n) / 8.0))),
        proptest::option::of(any::<bool>().prop_map(Value::Bool)),
        proptest::option::of(
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(|b| Value::Blob(b.into())),
        ),
        proptest::option::of(
            (-60_000_000_000_000i64..250_000_000_000_000)
                .prop_map(|millis| Value::Timestamp(Timestamp::from_millis(millis))),
        ),
        proptest::option::of(
            proptest::collection::vec(text().prop_map(Value::Str), 1..3).prop_map(Value::List),
        ),
    )
        .prop_map(|(text, number, long, ratio, flag, data, when, flat)| {
            let names = ["text", "number", "long", "ratio", "flag", "data", "when", "flat"];
            let values = [text, number, long, ratio, flag, data, when, flat];
            names.iter().zip(values).filter_map(|(n, v)| Some(((*n).to_owned(), v?))).collect::<Map>()
        })
        .prop_map(Value::Map);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::List);
        let map = proptest::collection::vec((text(), list.clone()), 0..3)
            .prop_map(|entries| Value::Map(entries.into_iter().collect()));
        (inner.clone(), list, map)
            .prop_map(|(inner, list, map)| Value::from([("inner", inner), ("list", list), ("map", map)]))
    })
}

fn comes_back(protocol: &str, value: &Value) {
    let api = Api::new(service(protocol));
    let target = Target { operation: &api.service().operations[0], protocol: api.service().protocols[0] };
    let answer = api.answer(target, Ok(value.clone()), "id");
    let mut request = Request::builder().method("POST");
    request = match protocol {
        "json" => request.uri("/").header("x-amz-target", "T.Do"),
        "smithy-rpc-v2-cbor" => {
            request.uri("/service/T/operation/Do").header("smithy-protocol", "rpc-v2-cbor")
        }
        _ => request.uri("/things"),
    };
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let call = api.accept(&parts, answer.into_body()).expect("what we wrote");
    assert_eq!(call.target, target);
    assert_eq!(&call.input, value, "{protocol}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(value in thing()) {
        for protocol in ["rest-json", "json", "rest-xml", "smithy-rpc-v2-cbor"] {
            comes_back(protocol, &value);
        }
    }

    #[test]
    fn documents_never_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz::documents(&data);
        fuzz::frames(&data);
    }

    #[test]
    fn near_documents_never_panic(data in r#"[\[\]{}":,0-9a-eE.\\u<>/&;=\-+#x \n]{0,80}"#) {
        fuzz::documents(data.as_bytes());
    }

    #[test]
    fn requests_never_panic(
        path in "/?(things|service/T/operation/Do|%[0-9A-F]{0,2}|[a-z?&=+%/]{0,20})",
        target in "(T\\.Do)?",
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let data = [path.as_bytes(), b"\n", target.as_bytes(), b"\n", &body].concat();
        for protocol in ["rest-json", "json", "rest-xml", "smithy-rpc-v2-cbor", "query", "ec2"] {
            fuzz::request(&Api::new(service(protocol)), &data);
        }
    }
}

fn post(protocol: &str, body: impl Into<bytes::Bytes>) -> Result<Value, String> {
    let api = Api::new(service(protocol));
    let request = Request::builder().method("POST");
    let request = match protocol {
        "smithy-rpc-v2-cbor" => {
            request.uri("/service/T/operation/Do").header("smithy-protocol", "rpc-v2-cbor")
        }
        "json" => request.uri("/").header("x-amz-target", "T.Do"),
        "rest-json" | "rest-xml" => request.uri("/things"),
        _ => request.uri("/"),
    };
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    api.accept(&parts, body.into())
        .map(|call| call.input)
        .map_err(|rejection| rejection.error.code.into_owned())
}

#[test]
fn d8_a_million_levels_are_refused_in_every_format() {
    const MANY: usize = 1_000_000;
    let refused = |code: &str| Err(code.to_owned());
    for protocol in ["rest-json", "json"] {
        assert_eq!(post(protocol, "[".repeat(MANY)), refused("SerializationException"));
        assert_eq!(post(protocol, "{\"inner\":".repeat(MANY)), refused("SerializationException"));
    }
    assert_eq!(post("rest-xml", "<a>".repeat(MANY)), refused("MalformedXML"));
    for item in [0x81, 0x9f, 0xc1, 0xd8] {
        assert_eq!(post("smithy-rpc-v2-cbor", vec![item; MANY]), refused("SerializationException"));
    }
    for form in
        [format!("Action=Do&text{}=1", ".a".repeat(MANY)), format!("Action=Do&{}=1", "inner.".repeat(MANY))]
    {
        assert_eq!(post("query", form), refused("MalformedInput"));
    }
}

#[test]
fn d8_duplicates_and_huge_numbers_are_refused() {
    for body in [
        r#"{"number":1,"number":2}"#,
        r#"{"unknown":{"a":1,"a":2}}"#,
        r#"{"number":2147483648}"#,
        r#"{"long":1e999}"#,
        r#"{"Renamed":9223372036854775808}"#,
        r#"{"number":1.5}"#,
        r#"{"number":"1"}"#,
        r#"{"data":"not base64"}"#,
        r#"{"when":1e300}"#,
    ] {
        assert_eq!(post("rest-json", body), Err("SerializationException".to_owned()), "{body}");
    }
    // A claimed length costs nothing: four billion items in five bytes.
    assert_eq!(
        post("smithy-rpc-v2-cbor", &[0x9a, 0xff, 0xff, 0xff, 0xff][..]),
        Err("SerializationException".to_owned())
    );
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\">]><Thing><text>&b;</text></Thing>";
    assert_eq!(post("rest-xml", bomb), Err("MalformedXML".to_owned()));
}

#[test]
fn a_form_becomes_a_tree() {
    let form = "Action=Do&Version=1&text=a+b&inner.Renamed=7&list.member.2.text=second&list.member.1.text=first\
                &flat.1=x&flat.2=y&map.entry.1.key=k&map.entry.1.value.member.1.number=3";
    let one = |name: &str, value: Value| Value::from([(name, value)]);
    let wanted = Value::from([
        ("text", Value::from("a b")),
        ("inner", one("long", Value::Int(7))),
        ("list", Value::List(vec![one("text", "first".into()), one("text", "second".into())])),
        ("flat", Value::List(vec!["x".into(), "y".into()])),
        ("map", one("k", Value::List(vec![one("number", Value::Int(3))]))),
    ]);
    assert_eq!(post("query", form), Ok(wanted));
}
