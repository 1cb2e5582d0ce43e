use std::path::PathBuf;

use super::*;

fn route(operation: &str) -> Route {
    Route { dialect: "aws", operation: operation.into(), method: "GET".into(), path: "/".into() }
}

fn case(operations: &str) -> Case {
    let text = format!("title = \"t\"\nclient = \"raw\"\noperations = {operations}");
    let toml = toml::from_str(&text).unwrap();
    Case { path: "aws/one".into(), dir: PathBuf::new(), script: PathBuf::new(), toml, number: 1 }
}

#[test]
fn a_route_without_a_case_and_a_case_without_a_route_are_named() {
    let routes = ["lambda.Invoke", "lambda.GetAlias", "/healthz", "GET /_anyfn/v1/server"].map(route);
    let cases =
        [case("[\"lambda.Invoke\", \"GET /healthz\", \"GET /_anyfn/v1/server\", \"lambda.Imagine\"]")];
    let found = of(&routes, &cases);
    assert_eq!(found.missing, ["lambda.GetAlias"]);
    assert_eq!(found.unknown, ["aws/one names lambda.Imagine"]);
    assert_eq!(found.routes, 4);
}
