use super::*;

#[test]
fn principals_have_four_forms() {
    let cases = [
        ("*", Some(r#""*""#)),
        ("123456789012", Some(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#)),
        ("arn:aws:iam::123456789012:user/x", Some(r#"{"AWS":"arn:aws:iam::123456789012:user/x"}"#)),
        ("s3.amazonaws.com", Some(r#"{"Service":"s3.amazonaws.com"}"#)),
        (".amazonaws.com", None),
        ("somebody", None),
        ("arn:aws:s3:::bucket", None),
    ];
    for (text, wanted) in cases {
        assert_eq!(principal("aws", text).map(|p| p.to_string()).as_deref(), wanted, "{text}");
    }
}

#[test]
fn a_statement_is_printed_in_aws_order() {
    let on = Conditions {
        source_arn: Some("arn:aws:s3:::b".into()),
        source_account: Some("123456789012".into()),
        url_auth: Some("NONE".into()),
        via_url: Some(true),
        ..Conditions::default()
    };
    let who = principal("aws", "s3.amazonaws.com").unwrap();
    let statement = Statement::allow("s1", who, "lambda:InvokeFunction", "arn:f".into(), &on);
    let wanted = concat!(
        r#"{"Sid":"s1","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","#,
        r#""Resource":"arn:f","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE","AWS:SourceAccount":"123456789012"},"#,
        r#""Bool":{"lambda:InvokedViaFunctionUrl":"true"},"#,
        r#""ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}"#
    );
    assert_eq!(statement.print(), wanted);
    let policy = print_policy([statement.record(None)].iter()).unwrap();
    assert_eq!(policy, format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{wanted}]}}"#));
    assert_eq!(print_policy([].iter()), None);
}

#[test]
fn without_conditions_there_is_none() {
    let statement = Statement::allow("s", json!("*"), "a", "r".into(), &Conditions::default());
    assert_eq!(
        statement.print(),
        r#"{"Sid":"s","Effect":"Allow","Principal":"*","Action":"a","Resource":"r"}"#
    );
}
