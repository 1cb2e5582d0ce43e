use super::*;

fn text(result: Result<impl std::fmt::Debug, Fault>) -> String {
    let said = result.unwrap_err().said();
    format!("{} {}", said.code, said.message)
}

#[test]
fn the_environment_is_measured_as_json() {
    let limits = Limits::default();
    let fits = IndexMap::from([("A".to_owned(), "x".repeat(4096 - 8))]);
    assert!(environment(&fits, &limits).is_ok());
    let over = IndexMap::from([("A".to_owned(), "x".repeat(4096 - 7))]);
    let said = text(environment(&over, &limits));
    let wanted = format!(
        "InvalidParameterValueException {UNABLE} exceeded the 4KB limit. String measured: {{\"A\":\"{}\"}}",
        "x".repeat(4089)
    );
    assert_eq!(said, wanted);
}

#[test]
fn reserved_names_are_refused_by_name() {
    let all = ["B", "AWS_REGION", "_HANDLER"].map(|k| (k.to_owned(), String::new()));
    let said = text(environment(&IndexMap::from(all), &Limits::default()));
    assert!(said.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"), "{said}");
}

#[test]
fn roles_are_arns_of_roles() {
    for good in ["arn:aws:iam::123456789012:role/x", "arn:aws-cn:iam::123456789012:role/a/b+c"] {
        assert!(role(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "x",
        "arn:aws:iam::12:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/",
    ] {
        assert!(text(role(bad)).starts_with("ValidationException 1 validation error"), "{bad}");
    }
}

#[test]
fn numbers_have_ranges() {
    let limits = Limits::default();
    assert_eq!((memory(128).unwrap(), memory(10_240).unwrap()), (128, 10_240));
    assert_eq!((timeout(1, &limits).unwrap(), timeout(900, &limits).unwrap()), (1000, 900_000));
    assert!(text(memory(10_241)).ends_with(
        "'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240"
    ));
    assert!(text(timeout(901, &limits)).ends_with("Member must have value less than or equal to 900"));
    assert!(timeout(100_000, &Limits { timeout_ms_max: 0, ..limits }).is_ok());
    assert!(ephemeral(511).is_err() && ephemeral(10_241).is_err() && ephemeral(512).is_ok());
}

#[test]
fn code_and_layers_share_one_limit() {
    let limits = Limits::default();
    assert!(unpacked(262_144_000, 0, &limits).is_ok());
    assert!(text(unpacked(262_144_000, 1, &limits)).ends_with("The actual size is 262144001 bytes."));
    assert!(text(unpacked(1, 262_144_001, &limits)).contains("Layers consume more"));
}
