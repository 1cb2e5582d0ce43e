use super::*;

#[test]
fn groups_are_named_once_by_name_or_arn() {
    let home = Home::new("123456789012", "eu-west-1").unwrap();
    let ask = |name: Option<&str>, identifier: Option<&str>| {
        group(&home, name.map(str::to_owned), identifier.map(str::to_owned))
            .map_err(|fault| fault.in_words_of(crate::api::fault::logs::translate).code.to_string())
    };
    assert_eq!(ask(Some("/a"), None), Ok("/a".into()));
    assert_eq!(ask(None, Some("/a")), Ok("/a".into()));
    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/x";
    assert_eq!(ask(None, Some(arn)), Ok("/aws/lambda/x".into()));
    assert_eq!(ask(None, Some(&format!("{arn}:*"))), Ok("/aws/lambda/x".into()));
    assert_eq!(ask(Some("/a"), Some("/a")), Err("InvalidParameterException".into()));
    assert_eq!(ask(None, None), Err("InvalidParameterException".into()));
    assert_eq!(ask(None, Some("arn:aws:s3:::b")), Err("InvalidParameterException".into()));
}

#[test]
fn g4_a_group_of_another_account_does_not_exist() {
    let home = Home::new("123456789012", "eu-west-1").unwrap();
    let arn = "arn:aws:logs:eu-west-1:999999999999:log-group:/aws/lambda/x";
    let said = by_identifier(&home, arn).unwrap_err().in_words_of(crate::api::fault::logs::translate);
    assert_eq!((said.code.as_ref(), said.message.as_str()), ("ResourceNotFoundException", "The specified log group does not exist."));
}
