use super::*;

fn home() -> Home {
    Home::new("123456789012", "eu-west-1").unwrap()
}

#[test]
fn every_form_of_a_name_is_read() {
    let cases = [
        ("hello", None, None, "hello", None),
        ("hello:prod", None, None, "hello", Some("prod")),
        ("hello:$LATEST", None, None, "hello", Some("$LATEST")),
        ("function:hello", None, None, "hello", None),
        ("123456789012:function:hello", Some("123456789012"), None, "hello", None),
        ("123456789012:function:hello:7", Some("123456789012"), None, "hello", Some("7")),
        ("123456789012", None, None, "123456789012", None),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:hello",
            Some("123456789012"),
            Some("eu-west-1"),
            "hello",
            None,
        ),
        (
            "arn:aws-us-gov:lambda:us-gov-east-1:123456789012:function:a-b_c:v1",
            Some("123456789012"),
            Some("us-gov-east-1"),
            "a-b_c",
            Some("v1"),
        ),
    ];
    for (text, account, region, name, qualifier) in cases {
        let named = Named::parse(text).unwrap_or_else(|| panic!("{text}"));
        let got = (
            named.account.as_deref(),
            named.region.as_deref(),
            named.name.as_str(),
            named.qualifier.as_deref(),
        );
        assert_eq!(got, (account, region, name, qualifier), "{text}");
    }
}

#[test]
fn f5_names_that_are_none_are_refused() {
    for text in
        ["", ":", "a:b:c", "../x", "a/b", "a%00", "arn:aws:s3:::bucket", "a:function:b:c:d", "..", "ä"]
    {
        assert_eq!(Named::parse(text), None, "{text}");
    }
}

#[test]
fn qualifiers_must_agree_and_homes_must_match() {
    let ok = Wanted::parse(&home(), "hello:prod", Some("prod")).unwrap();
    assert_eq!(ok.arn(&home()), "arn:aws:lambda:eu-west-1:123456789012:function:hello:prod");
    let code = |result: Result<Wanted, Fault>| result.unwrap_err().said().code.to_string();
    assert_eq!(code(Wanted::parse(&home(), "hello:prod", Some("dev"))), "InvalidParameterValueException");
    let other_account = "arn:aws:lambda:eu-west-1:999999999999:function:hello";
    assert_eq!(code(Wanted::parse(&home(), other_account, None)), "AccessDeniedException");
    let other_region = "arn:aws:lambda:us-east-1:123456789012:function:hello";
    assert_eq!(code(Wanted::parse(&home(), other_region, None)), "ResourceNotFoundException");
    assert_eq!(code(Wanted::parse(&home(), "a/b", None)), "ValidationException");
}

#[test]
fn layers_are_read_by_name_and_arn() {
    let arn = "arn:aws:lambda:eu-west-1:123456789012:layer:tools:3";
    assert_eq!(parse_layer_version(arn), Some((home(), "tools".to_owned(), 3)));
    assert_eq!(parse_layer_version("arn:aws:lambda:eu-west-1:123456789012:layer:tools"), None);
    assert_eq!(parse_layer(&home(), "tools"), Some((home(), "tools".to_owned())));
    assert_eq!(parse_layer(&home(), arn), Some((home(), "tools".to_owned())));
}

#[test]
fn partitions_follow_the_region() {
    assert_eq!(
        Home::new("123456789012", "cn-north-1").unwrap().layer("x"),
        "arn:aws-cn:lambda:cn-north-1:123456789012:layer:x"
    );
    assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
}
