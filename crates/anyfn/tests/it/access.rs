//! Who may do what, on an address that others can reach.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    http,
    sign::Key,
    world::{Server, root, shared, skip},
    zips,
};

const HELLO: &str = "def handler(event, context):\n  return 'hello'\n";

/// An address of this machine that is not loopback. Nothing is sent to find it.
fn outside(test: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let found = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let found = found.ok().map(|a| a.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified());
    if found.is_none() {
        skip(test, "this machine has no address but loopback");
    }
    found
}

/// Two tenants with a key each, one of them also with a key that may only invoke.
struct Tenants {
    server: Server,
    a: Key,
    b: Key,
    caller: Key,
    _folder: tempfile::TempDir,
}

impl Tenants {
    fn open(test: &str) -> Option<Self> {
        let ip = root(test).then(|| outside(test)).flatten()?;
        let folder = tempfile::tempdir().unwrap();
        let a = Key::create(folder.path(), &["--account", "111111111111"]);
        let b = Key::create(folder.path(), &["--account", "222222222222"]);
        let caller = Key::create(folder.path(), &["--account", "111111111111", "--invoke-only"]);
        let mut server = Server::listening(folder.path(), &SocketAddr::new(ip, 0).to_string(), &[]);
        server.bearer = Some(a.bearer());
        Some(Self { server, a, b, caller, _folder: folder })
    }

    fn bearer(&self, key: &Key, method: &str, target: &str, body: &[u8]) -> http::Answer {
        let value = format!("Bearer {}", key.bearer());
        http::send(self.server.address, method, target, &[("authorization", &value)], body).unwrap()
    }
}

#[test]
fn f_without_a_key_no_server_listens_where_others_reach_it() {
    let _machine = shared();
    let Some(ip) = outside("f_without_a_key_no_server_listens_where_others_reach_it") else { return };
    let folder = tempfile::tempdir().unwrap();
    for listen in [SocketAddr::new(ip, 0).to_string(), "0.0.0.0:0".into(), "[::]:0".into()] {
        let Err((status, said)) = Server::start(folder.path(), &listen, &[]) else {
            panic!("open at {listen}")
        };
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("anyfn key create"), "{said}");
    }
}

/// What a request without a right signature is told: by botocore's own reading of these answers, 403 and a code.
#[test]
fn f_unsigned_wrong_and_expired_requests_are_refused_in_aws_s_words() {
    let _machine = shared();
    let Some(tenants) = Tenants::open("f_unsigned_wrong_and_expired_requests_are_refused_in_aws_s_words")
    else {
        return;
    };
    tenants.server.deploy("hello", HELLO);
    let to = tenants.server.address;
    let path = "/2015-03-31/functions/hello/invocations";
    let code = |answer: http::Answer| {
        let kind = answer.header("x-amzn-errortype").split(':').next().unwrap().to_owned();
        (answer.status, kind)
    };
    let refused = |code: &str| (403, code.to_owned());
    let unsigned = http::send(to, "POST", path, &[], b"{}").unwrap();
    assert_eq!(code(unsigned), refused("MissingAuthenticationTokenException"));
    let wrong = Key { secret: "x".repeat(40), ..tenants.a.clone() };
    assert_eq!(code(wrong.send(to, "POST", path, b"{}")), refused("InvalidSignatureException"));
    let unknown = Key { id: "AKIAQQQQQQQQQQQQQQQQ".into(), ..tenants.a.clone() };
    assert_eq!(code(unknown.send(to, "POST", path, b"{}")), refused("UnrecognizedClientException"));
    for shift in [-3600, 3600] {
        let at = OffsetDateTime::now_utc() + Duration::seconds(shift);
        let late = tenants.a.send_at(at, to, "POST", path, b"{}");
        assert_eq!(code(late), refused("InvalidSignatureException"), "{shift}");
    }
    let malformed = [("authorization", "AWS4-HMAC-SHA256 Credential=x"), ("x-amz-date", "20260101T000000Z")];
    let malformed = http::send(to, "POST", path, &malformed, b"{}").unwrap();
    assert_eq!(code(malformed), refused("IncompleteSignatureException"));
    // The signature covers the body and the path.
    let good = tenants.a.send(to, "POST", path, b"{}");
    assert_eq!((good.status, good.text().as_str()), (200, "\"hello\""), "{:?}", good.headers);
}

/// Every route that names a function, with another tenant's names: no answer tells whether they exist.
#[test]
fn f3_another_tenant_s_names_do_not_exist() {
    let _machine = shared();
    let Some(tenants) = Tenants::open("f3_another_tenant_s_names_do_not_exist") else { return };
    tenants.server.deploy_with("hidden", HELLO, &json!({ "env": { "CANARY": "a-secret" } }));
    tenants.server.returned("hidden", &json!({}));
    let deploy = json!({ "zip": STANDARD.encode(zips::python(HELLO)), "runtime": "python3.12", "handler": "app.handler" });
    let deploy = deploy.to_string();
    let ask = |method: &str, name: &str, below: &str, body: &str| {
        let glue = if below.contains('?') { '&' } else { '?' };
        let target = format!("/_anyfn/v1/functions/{name}{below}{glue}namespace=111111111111.us-east-1");
        let answer = tenants.bearer(&tenants.b, method, &target, body.as_bytes());
        (answer.status, answer.text().replace(name, "NAME"))
    };
    let routes = [
        ("PUT", "", deploy.as_str()),
        ("GET", "", ""),
        ("POST", "/invoke", "{}"),
        ("POST", "/invoke?mode=queue", "{}"),
        ("GET", "/logs", ""),
        ("GET", "/logs?follow=1", ""),
        ("DELETE", "", ""),
    ];
    for (method, below, body) in routes {
        let (there, absent) = (ask(method, "hidden", below, body), ask(method, "nowhere", below, body));
        assert_eq!(there, absent, "{method} {below}");
        assert_eq!(there.0, 404, "{method} {below}: {}", there.1);
        // Without a namespace the name is looked for in the caller's own account.
        if method != "PUT" {
            let own = tenants.bearer(
                &tenants.b,
                method,
                &format!("/_anyfn/v1/functions/hidden{below}"),
                body.as_bytes(),
            );
            assert_eq!(own.status, 404, "{method} {below}: {}", own.text());
        }
    }
    for target in ["/_anyfn/v1/functions", "/_anyfn/v1/functions?namespace=111111111111.us-east-1"] {
        let listed = tenants.bearer(&tenants.b, "GET", target, b"");
        assert!(!listed.text().contains("hidden"), "{}", listed.text());
    }
    let still = tenants.server.returned("hidden", &json!({}));
    assert_eq!(still, "hello");
}

/// Every operation of Lambda's API whose path names a function, by name and by the owner's ARN.
#[test]
fn f3_lambda_s_api_hides_another_tenant_s_functions() {
    let _machine = shared();
    let Some(tenants) = Tenants::open("f3_lambda_s_api_hides_another_tenant_s_functions") else { return };
    tenants.server.deploy("hidden", HELLO);
    let to = tenants.server.address;
    let functions: Vec<_> = anyfn_gateway::routes()
        .into_iter()
        .filter(|r| r.dialect == "aws" && r.path.contains("{FunctionName}"))
        .collect();
    assert!(functions.len() >= 5, "the table has routes of functions");
    for route in functions {
        for name in ["NAME", "arn:aws:lambda:us-east-1:111111111111:function:NAME"] {
            let ask = |which: &str| {
                let name = name.replace("NAME", which);
                let path = route.path.replace("{FunctionName}", &name).replace("{Qualifier}", "1");
                let path = path.replace("{Name}", "live").replace("{StatementId}", "s");
                let answer = tenants.b.send(to, &route.method, &path, b"{}");
                assert_ne!(answer.header("x-amzn-errortype"), "InvalidSignatureException", "{path}");
                (answer.status, answer.text().replace(which, "NAME"))
            };
            // A name as long as the other, so that nothing but its being there could differ.
            let (there, absent) = (ask("hidden"), ask("absent"));
            assert_eq!(there, absent, "{} {name}", route.operation);
            assert!((400..500).contains(&there.0), "{} {name}: {there:?}", route.operation);
        }
    }
    assert_eq!(tenants.server.returned("hidden", &json!({})), "hello");
}

#[test]
fn f5_names_that_are_none_are_refused() {
    let _machine = shared();
    if !root("f5_names_that_are_none_are_refused") {
        return;
    }
    let server = Server::fresh(&[]);
    let before = crate::world::listing(&server.data.join("code"));
    let long = "a".repeat(10_000);
    let names = [
        "..",
        ".",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc",
        "a%2fb",
        "a%00b",
        "a%20b",
        "a%0ab",
        "%D0%B0dmin",
        "a%EF%BC%8Fb",
        "",
        &long,
    ];
    for name in names {
        for (method, below) in
            [("PUT", ""), ("GET", ""), ("POST", "/invoke"), ("GET", "/logs"), ("DELETE", "")]
        {
            let answer = server.ask(method, &format!("/_anyfn/v1/functions/{name}{below}"), b"{}");
            assert!([400, 404].contains(&answer.status), "{method} {name}{below}: {}", answer.status);
            assert!(answer.json()["code"].is_string());
        }
        let answer = server.ask("POST", &format!("/2015-03-31/functions/{name}/invocations"), b"{}");
        assert!([400, 403, 404].contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
    }
    for namespace in ["..", "a%2fb", "%00", "x/y", &long] {
        let answer = server.ask("GET", &format!("/_anyfn/v1/functions?namespace={namespace}"), b"");
        assert_eq!(answer.status, 400, "{namespace}: {}", answer.text());
    }
    assert_eq!(crate::world::listing(&server.data.join("code")), before);
}

/// A secret in the environment reaches the function and nobody else.
#[test]
fn f6_a_secret_is_nowhere_but_in_the_function() {
    let _machine = shared();
    if !root("f6_a_secret_is_nowhere_but_in_the_function") {
        return;
    }
    const CANARY: &str = "canary-4f1c9a7be2";
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on(folder.path(), &["--log", "trace"]);
    let source = r"
import os
def handler(event, context):
  if event.get('fail'): raise ValueError('no')
  return len(os.environ['SECRET'])
";
    server.deploy_with("keeper", source, &json!({ "env": { "SECRET": CANARY } }));
    assert_eq!(server.returned("keeper", &json!({})), CANARY.len());
    let seen = [
        server.invoke("keeper", &json!({ "fail": true })),
        server.ask("GET", "/_anyfn/v1/functions/keeper", b""),
        server.ask("GET", "/_anyfn/v1/functions", b""),
        server.ask("GET", "/_anyfn/v1/functions/keeper/logs", b""),
        server.ask("GET", "/metrics", b""),
        server.ask("GET", "/_anyfn/v1/server", b""),
    ];
    for answer in &seen {
        assert!(!answer.text().contains(CANARY), "{}", answer.text());
    }
    let broken = format!(
        r#"{{"zip":"","runtime":"python3.12","handler":"app.handler","env":{{"SECRET":"{CANARY}"}},"memory_mib":"x"}}"#
    );
    let refused = server.ask("PUT", "/_anyfn/v1/functions/keeper", broken.as_bytes());
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains(CANARY), "{}", refused.text());
    assert!(!std::fs::read_to_string(&server.log).unwrap().contains(CANARY), "the server's own log");
    for pid in crate::world::processes() {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(CANARY), "command line of {pid}");
    }
    let environment = |pid: &i32| std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let holders: Vec<_> = server
        .family()
        .into_iter()
        .filter(|pid| String::from_utf8_lossy(&environment(pid)).contains(CANARY))
        .collect();
    assert!(holders.len() <= 1, "only the function's own process has it: {holders:?}");
    let held = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
    let segments = std::fs::read_dir(server.data.join("store/log")).unwrap();
    let mut looked_at = 0;
    for segment in segments {
        let bytes = std::fs::read(segment.unwrap().path()).unwrap();
        looked_at += bytes.len();
        assert!(!held(&bytes), "the store's bytes");
    }
    assert!(looked_at > 0, "there is a store");
}

#[test]
fn f9_an_invoke_only_key_may_only_invoke() {
    let _machine = shared();
    let Some(tenants) = Tenants::open("f9_an_invoke_only_key_may_only_invoke") else { return };
    tenants.server.deploy("hello", HELLO);
    let to = tenants.server.address;
    let native =
        |method: &str, target: &str, body: &[u8]| tenants.bearer(&tenants.caller, method, target, body);
    assert_eq!(native("POST", "/_anyfn/v1/functions/hello/invoke", b"{}").text(), "\"hello\"");
    let deploy = json!({ "zip": STANDARD.encode(zips::python(HELLO)), "runtime": "python3.12", "handler": "app.handler" });
    let denied = [
        native("PUT", "/_anyfn/v1/functions/hello", deploy.to_string().as_bytes()),
        native("PUT", "/_anyfn/v1/functions/new", deploy.to_string().as_bytes()),
        native("GET", "/_anyfn/v1/functions/hello", b""),
        native("GET", "/_anyfn/v1/functions", b""),
        native("GET", "/_anyfn/v1/functions/hello/logs", b""),
        native("GET", "/_anyfn/v1/server", b""),
        native("DELETE", "/_anyfn/v1/functions/hello", b""),
        native("GET", "/metrics", b""),
    ];
    for (nr, answer) in denied.iter().enumerate() {
        // Metrics may be read by anyone on this machine by loopback; this address is none.
        assert_eq!(answer.status, 403, "{nr}: {}", answer.text());
    }
    let path = "/2015-03-31/functions/hello";
    let create = json!({
        "FunctionName": "new", "Runtime": "python3.12", "Handler": "app.handler",
        "Role": "arn:aws:iam::111111111111:role/x", "Code": { "ZipFile": deploy["zip"] },
    });
    let called = tenants.caller.send(to, "POST", &format!("{path}/invocations"), b"{}");
    assert_eq!(called.text(), "\"hello\"");
    for answer in [
        tenants.caller.send(to, "GET", path, b""),
        tenants.caller.send(to, "POST", "/2015-03-31/functions", create.to_string().as_bytes()),
    ] {
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(
            answer.header("x-amzn-errortype").starts_with("AccessDeniedException"),
            "{:?}",
            answer.headers
        );
    }
    assert_eq!(tenants.server.returned("hello", &Value::Null), "hello");
}

#[test]
fn f10_wrong_keys_are_limited() {
    let _machine = shared();
    let Some(tenants) = Tenants::open("f10_wrong_keys_are_limited") else { return };
    let target = "/_anyfn/v1/functions";
    let mut counts = std::collections::BTreeMap::<u16, u32>::new();
    for nr in 0..200 {
        let wrong = Key { secret: format!("{nr:040}"), ..tenants.a.clone() };
        let answer = if nr % 2 == 0 {
            tenants.bearer(&wrong, "GET", target, b"")
        } else {
            wrong.send(tenants.server.address, "GET", "/2015-03-31/functions/x", b"")
        };
        *counts.entry(answer.status).or_default() += 1;
    }
    let seen = counts.get(&401).copied().unwrap_or(0) + counts.get(&403).copied().unwrap_or(0);
    assert_eq!((seen, counts.get(&429).copied()), (20, Some(180)), "{counts:?}");
    let metrics_need_a_key = http::send(tenants.server.address, "GET", "/metrics", &[], b"").unwrap();
    assert_eq!(metrics_need_a_key.status, 403);
}

#[test]
fn f9_a_revoked_key_opens_nothing() {
    let _machine = shared();
    let Some(Tenants { mut server, a, b, _folder: folder, .. }) =
        Tenants::open("f9_a_revoked_key_opens_nothing")
    else {
        return;
    };
    let listen = server.address.to_string();
    server.kill();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_anyfn"))
        .args(["key", "rm", &a.id, "--data"])
        .arg(Path::new(folder.path()).join("data"))
        .status()
        .unwrap();
    assert!(status.success());
    let server = Server::listening(folder.path(), &listen, &[]);
    let ask = |key: &Key| {
        let value = format!("Bearer {}", key.bearer());
        http::send(server.address, "GET", "/_anyfn/v1/functions", &[("authorization", &value)], b"")
            .unwrap()
            .status
    };
    assert_eq!((ask(&a), ask(&b)), (401, 200));
}
