use super::*;

fn next(result: Value) -> std::result::Result<(String, Value, Value), (Status, Value)> {
    match Next::read(Ended::success(result)) {
        Next::Call { action, params, state } => Ok((action, params, state.into())),
        Next::Done(ended) => Err((ended.status, ended.result)),
    }
}

#[test]
fn what_a_conductor_says() {
    let call = |action: &str, params, state| Ok((action.to_owned(), params, state));
    let done = |result| Err((Status::Success, result));
    for (result, want) in [
        (json!({"action": "a"}), call("a", json!({}), json!({}))),
        (
            json!({"action": "a", "params": {"n": 1}, "state": {"s": 2}}),
            call("a", json!({"n": 1}), json!({"s": 2})),
        ),
        (json!({"params": {"n": 1}}), done(json!({"n": 1}))),
        (json!({"params": {"n": 1}, "action": null}), done(json!({"n": 1}))),
        (json!({"anything": 1}), done(json!({"anything": 1}))),
        (json!([1]), done(json!([1]))),
    ] {
        assert_eq!(next(result.clone()), want, "{result}");
    }
    let (status, result) = next(json!({"action": 7})).unwrap_err();
    assert_eq!(status, Status::ApplicationError);
    assert!(result["error"].as_str().unwrap().contains("action name"), "{result}");
}
