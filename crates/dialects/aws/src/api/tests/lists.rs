use std::collections::BTreeSet;

use anyfn_aws_model::{lambda, logs, sts};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::world::{ACCOUNT, World};
use crate::routes;

const F: &str = "/2015-03-31/functions";

/// Every page of a listing, by the items' member.
async fn pages(world: &World, path: &str, items: &str, name: &str) -> Vec<Vec<String>> {
    let (mut all, mut marker) = (Vec::new(), String::new());
    loop {
        let page = world.ask("GET", &format!("{path}{marker}"), Value::Null).await.json();
        let names = page[items].as_array().unwrap().iter().map(|i| i[name].as_str().unwrap().to_owned());
        all.push(names.collect());
        let Some(next) = page["NextMarker"].as_str() else { return all };
        marker = format!("&Marker={next}");
    }
}

#[tokio::test]
async fn functions_and_their_versions_come_in_pages_without_gaps() {
    let world = World::new().await;
    for name in ["b", "a", "c"] {
        world.create(name).await;
    }
    let paged = pages(&world, &format!("{F}?MaxItems=2"), "Functions", "FunctionName").await;
    assert_eq!(paged, [vec!["a", "b"], vec!["c"]]);
    for name in ["a", "c"] {
        let published = world.ask("POST", &format!("{F}/{name}/versions"), json!({})).await;
        assert_eq!((published.status, &published.json()["Version"]), (201, &json!("1")));
    }
    for max in 1..=5 {
        let all =
            pages(&world, &format!("{F}?FunctionVersion=ALL&MaxItems={max}"), "Functions", "FunctionArn")
                .await;
        assert!(all.iter().all(|page| page.len() <= max));
        let arns: Vec<_> =
            all.concat().iter().map(|arn| arn.split(":function:").nth(1).unwrap().to_owned()).collect();
        assert_eq!(arns, ["a:$LATEST", "a:1", "b:$LATEST", "c:$LATEST", "c:1"], "{max}");
    }
    let versions = pages(&world, &format!("{F}/a/versions?MaxItems=1"), "Versions", "Version").await;
    assert_eq!(versions, [["$LATEST"], ["1"]]);
    let bad = world.ask("GET", &format!("{F}?Marker=!"), Value::Null).await.error();
    assert_eq!(bad.1, "InvalidParameterValueException");
}

#[tokio::test]
async fn publishing_what_has_not_changed_gives_the_same_version() {
    let world = World::with_function("f").await;
    let publish =
        || async { world.ask("POST", &format!("{F}/f/versions"), json!({})).await.json()["Version"].clone() };
    assert_eq!((publish().await, publish().await), (json!("1"), json!("1")));
    world.ask("PUT", &format!("{F}/f/configuration"), json!({"Timeout": 5})).await;
    assert_eq!(publish().await, json!("2"));
    let wrong = world.ask("POST", &format!("{F}/f/versions"), json!({"CodeSha256": "x"})).await.error();
    assert!(
        wrong.2.starts_with("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn aliases_are_made_split_guarded_and_hold_their_version() {
    let world = World::with_function("f").await;
    for timeout in [4, 5] {
        world.ask("PUT", &format!("{F}/f/configuration"), json!({"Timeout": timeout})).await;
        world.ask("POST", &format!("{F}/f/versions"), json!({})).await;
    }
    let create = json!({"Name": "prod", "FunctionVersion": "1"});
    let alias = world.ask("POST", &format!("{F}/f/aliases"), create.clone()).await;
    assert_eq!(alias.status, 201);
    assert_eq!(alias.json()["AliasArn"], format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f:prod"));
    let again = world.ask("POST", &format!("{F}/f/aliases"), create).await.error();
    assert_eq!((again.0, again.1.as_str()), (409, "ResourceConflictException"));
    let none = world
        .ask("POST", &format!("{F}/f/aliases"), json!({"Name": "x", "FunctionVersion": "9"}))
        .await
        .error();
    assert_eq!(none.1, "ResourceNotFoundException");
    let path = format!("{F}/f/aliases/prod");
    let split = json!({"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}}});
    let split = world.ask("PUT", &path, split).await.json();
    assert_eq!(split["RoutingConfig"]["AdditionalVersionWeights"], json!({"2": 0.25}));
    for (weights, text) in [
        (json!({"1": 0.5}), "is already included in routing configuration."),
        (json!({"2": 0.5, "1": 0.1}), "cannot be greater than 1"),
    ] {
        let bad = world
            .ask("PUT", &path, json!({"RoutingConfig": {"AdditionalVersionWeights": weights}}))
            .await
            .error();
        assert!(bad.2.ends_with(text), "{bad:?}");
    }
    let stale = world.ask("PUT", &path, json!({"RevisionId": alias.json()["RevisionId"]})).await;
    assert_eq!(stale.status, 412);
    let held = world.ask("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null).await.error();
    assert_eq!((held.0, held.1.as_str()), (409, "ResourceConflictException"));
    assert_eq!(world.ask("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(world.ask("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null).await.status, 204);
}

#[tokio::test]
async fn a_policy_is_kept_per_qualifier_and_bounded() {
    let world = World::with_function("f").await;
    let path = format!("{F}/f/policy");
    let add = |sid: String| json!({"StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"});
    assert_eq!(world.ask("POST", &path, add("s".into())).await.status, 201);
    assert_eq!(world.ask("POST", &path, add("s".into())).await.status, 409);
    let latest = world.ask("POST", &format!("{path}?Qualifier=$LATEST"), add("t".into())).await.error();
    assert_eq!(latest.2, "We currently do not support adding policies for $LATEST.");
    let mut count = 1;
    let refused = loop {
        let answer = world.ask("POST", &path, add(format!("{count:0100}"))).await;
        if answer.status != 201 {
            break answer.error();
        }
        count += 1;
        assert!(count < 200, "there is no limit");
    };
    assert_eq!((refused.0, refused.1.as_str()), (400, "PolicyLengthExceededException"));
    let policy = world.ask("GET", &path, Value::Null).await.json();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"].as_array().unwrap().len(), count);
    assert_eq!(world.ask("DELETE", &format!("{path}/s"), Value::Null).await.status, 204);
    let gone = world.ask("DELETE", &format!("{path}/s"), Value::Null).await.error();
    assert_eq!(gone.2, "Statement s is not found in resource policy.");
}

#[tokio::test]
async fn layers_have_dense_versions_and_lie_under_functions() {
    let world = World::with_function("f").await;
    let publish = |runtime: &'static str| {
        let zip = STANDARD.encode("PK-layer");
        let body = json!({"Content": {"ZipFile": zip}, "CompatibleRuntimes": [runtime]});
        let world = &world;
        async move { world.ask("POST", "/2018-10-31/layers/lib/versions", body).await.json() }
    };
    let first = publish("python3.12").await;
    assert_eq!((&first["Version"], &publish("nodejs22.x").await["Version"]), (&json!(1), &json!(2)));
    let list = |query: &'static str| {
        let world = &world;
        async move { world.ask("GET", &format!("/2018-10-31/layers{query}"), Value::Null).await.json() }
    };
    assert_eq!(list("").await["Layers"][0]["LatestMatchingVersion"]["Version"], 2);
    assert_eq!(
        list("?CompatibleRuntime=python3.12").await["Layers"][0]["LatestMatchingVersion"]["Version"],
        1
    );
    assert_eq!(list("/lib/versions").await["LayerVersions"].as_array().unwrap().len(), 2);
    let set = json!({"Layers": [first["LayerVersionArn"]]});
    let used = world.ask("PUT", &format!("{F}/f/configuration"), set).await.json();
    assert_eq!(used["Layers"][0]["Arn"], first["LayerVersionArn"]);
    assert_eq!(world.ask("DELETE", "/2018-10-31/layers/lib/versions/1", Value::Null).await.status, 204);
    assert_eq!(world.ask("GET", "/2018-10-31/layers/lib/versions/1", Value::Null).await.status, 404);
}

#[tokio::test]
async fn every_operation_of_the_manifest_has_a_route_and_a_handler() {
    let routes = routes();
    for service in [&lambda::SERVICE, &logs::SERVICE, &sts::SERVICE] {
        let wanted: BTreeSet<_> = service.operations.iter().map(|o| o.name).collect();
        let served: BTreeSet<_> =
            routes.iter().filter(|r| r.service == service.name).map(|r| r.operation).collect();
        assert_eq!(served, wanted, "{}", service.name);
    }
    let world = World::new().await;
    for route in routes.iter().filter(|route| route.service == "logs") {
        assert_ne!(world.logs(route.operation, json!({})).await.status, 501, "{}", route.operation);
    }
    for route in routes.iter().filter(|route| route.service == "lambda") {
        let path = route.path.replace("{Resource}", "r").replace("{FunctionName}", "f");
        let path = path.replace("{LayerName}", "l").replace("{VersionNumber}", "1");
        let path = path.replace("{StatementId}", "s").replace("{Name}", "n");
        assert_ne!(world.ask(route.method, &path, json!({})).await.status, 501, "{}", route.operation);
    }
}

#[tokio::test]
async fn log_groups_and_events_are_put_and_found() {
    let world = World::new().await;
    let group = json!({"logGroupName": "/g"});
    assert_eq!(world.logs("CreateLogGroup", group.clone()).await.status, 200);
    let again = world.logs("CreateLogGroup", group.clone()).await.error();
    assert_eq!(again.1, "ResourceAlreadyExistsException");
    let stream = json!({"logGroupName": "/g", "logStreamName": "s"});
    assert_eq!(world.logs("CreateLogStream", stream).await.status, 200);
    let now = 1_700_000_000_000_u64;
    let events =
        json!([{"timestamp": now, "message": "one ERROR"}, {"timestamp": now + 1, "message": "two"}]);
    let put = world
        .logs("PutLogEvents", json!({"logGroupName": "/g", "logStreamName": "s", "logEvents": events}))
        .await;
    assert_eq!((put.status, put.json().get("rejectedLogEventsInfo")), (200, None));
    let arn = format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/g");
    let found = world
        .logs("FilterLogEvents", json!({"logGroupIdentifier": arn, "filterPattern": "ERROR"}))
        .await
        .json();
    let messages: Vec<_> = found["events"].as_array().unwrap().iter().map(|e| e["message"].clone()).collect();
    assert_eq!(messages, ["one ERROR"]);
    let read = json!({"logGroupName": "/g", "logStreamName": "s", "startFromHead": true, "limit": 1});
    let page = world.logs("GetLogEvents", read).await.json();
    assert_eq!(page["events"][0]["message"], "one ERROR");
    let read = json!({"logGroupName": "/g", "logStreamName": "s", "nextToken": page["nextForwardToken"]});
    assert_eq!(world.logs("GetLogEvents", read).await.json()["events"][0]["message"], "two");
    let none = world.logs("DescribeLogStreams", json!({"logGroupName": "/none"})).await.error();
    assert_eq!(
        none,
        (400, "ResourceNotFoundException".into(), "The specified log group does not exist.".into())
    );
    let nowhere = format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/none");
    let tail = world.logs("StartLiveTail", json!({"logGroupIdentifiers": [nowhere]})).await.error();
    assert_eq!(tail, none);
}

#[tokio::test]
async fn a_function_without_code_signing_says_so_with_every_member() {
    let world = World::with_function("f").await;
    let read = world.ask("GET", "/2020-06-30/functions/f/code-signing-config", json!({})).await.json();
    assert_eq!(read, json!({"CodeSigningConfigArn": "", "FunctionName": "f"}));
}

#[tokio::test]
async fn all_of_an_alias_calls_may_go_to_its_second_version() {
    let world = World::with_function("f").await;
    world.ask("POST", &format!("{F}/f/versions"), json!({})).await;
    world.ask("PUT", &format!("{F}/f/configuration"), json!({"Timeout": 5})).await;
    world.ask("POST", &format!("{F}/f/versions"), json!({})).await;
    let alias = |weight: f64| json!({"Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": weight}}});
    let over = world.ask("POST", &format!("{F}/f/aliases"), alias(1.1)).await;
    assert_eq!((over.status, over.error().1.as_str()), (400, "ValidationException"));
    let all = world.ask("POST", &format!("{F}/f/aliases"), alias(1.0)).await;
    assert_eq!(
        (all.status, &all.json()["RoutingConfig"]["AdditionalVersionWeights"]["2"]),
        (201, &json!(1.0))
    );
}

#[tokio::test]
async fn a8_updates_that_publish_at_once_get_dense_versions_each_with_its_own_code() {
    let world = World::with_function("f").await;
    let publish = |n: usize| {
        let (world, code) = (&world, STANDARD.encode(format!("PK-{n}")));
        async move {
            let body = json!({"ZipFile": code, "Publish": true});
            world.ask("PUT", &format!("{F}/f/code"), body).await.json()
        }
    };
    let made = futures_util::future::join_all((0..8).map(publish)).await;
    let mut numbers: Vec<u64> =
        made.iter().map(|v| v["Version"].as_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    let mut codes: Vec<_> = made.iter().map(|v| v["CodeSha256"].to_string()).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 8);
}
