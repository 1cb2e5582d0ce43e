//! Logs and meters that functions, callers and readers try to bend.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::{
    http,
    world::{Server, root, shared, skip},
};

const HELLO: &str = "import os\ndef handler(event, context):\n  print('said', flush=True)\n  return os.environ.get('_X_AMZN_TRACE_ID', '')\n";

fn metrics(server: &Server) -> String {
    server.ask("GET", "/metrics", b"").text()
}

/// A metric's value over all its series.
fn metric(server: &Server, name: &str) -> f64 {
    let of = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
    let named = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    metrics(server).lines().filter(named).filter_map(of).sum()
}

#[test]
fn g2_made_up_names_make_no_series() {
    let _machine = shared();
    if !root("g2_made_up_names_make_no_series") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("first", HELLO);
    server.returned("first", &json!({}));
    let ask = |nr: u32| {
        server.ask("POST", &format!("/_anyfn/v1/functions/made-up-{nr}/invoke"), b"{}");
        server.ask("GET", &format!("/2015-03-31/functions/made-up-{nr}?x={nr}"), b"");
        server.ask("GET", &format!("/made/up/{nr}"), b"");
        server.ask("GET", &format!("/_url/{nr}/"), b"");
    };
    ask(0);
    let before = metrics(&server).lines().count();
    std::thread::scope(|scope| {
        for start in [1, 1001] {
            scope.spawn(move || (start..start + 1000).for_each(ask));
        }
    });
    let after = metrics(&server);
    assert!(after.lines().count() <= before + 4, "{before} lines and then {}", after.lines().count());
    assert!(!after.contains("made-up"), "{after}");
}

#[test]
fn g3_forged_traces_are_bounded() {
    let _machine = shared();
    if !root("g3_forged_traces_are_bounded") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("traced", HELLO);
    let path = "/2015-03-31/functions/traced/invocations";
    let (long, lineage) = (
        "x".repeat(30_000),
        format!("Root=1-5759e988-bd862e3fe1be46a994272793;Lineage={}", "a:1|".repeat(5000)),
    );
    let forged = [
        ("x-amzn-trace-id", long.as_str()),
        (
            "x-amzn-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Self=\t;_X=$(id)",
        ),
        ("x-amzn-trace-id", lineage.as_str()),
        ("traceparent", "00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-zz"),
        ("traceparent", long.as_str()),
        ("baggage", long.as_str()),
        ("tracestate", long.as_str()),
    ];
    for header in forged {
        let answer = http::send(server.address, "POST", path, &[header], b"{}").unwrap();
        assert_eq!(answer.status, 200, "{} {:.60}: {}", header.0, header.1, answer.text());
        let seen = answer.json().as_str().unwrap().to_owned();
        assert!(
            seen.len() <= 128 && seen.bytes().all(|b| b.is_ascii_alphanumeric() || b"=-;:|".contains(&b)),
            "{seen}"
        );
    }
    let baggage = "k=v,".repeat(16_384);
    let answer = http::send(server.address, "POST", path, &[("baggage", &baggage)], b"{}");
    assert!(answer.as_ref().map_or(true, |a| [200, 431].contains(&a.status)), "{answer:?}");
    assert!(!server.lines("traced").iter().any(|line| line.contains("xxxx")));
}

#[test]
fn g4_another_tenant_s_log_is_not_there() {
    let _machine = shared();
    if !root("g4_another_tenant_s_log_is_not_there") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("hidden", HELLO);
    server.returned("hidden", &json!({}));
    let ask = |name: &str| {
        let target = format!("/_anyfn/v1/functions/{name}/logs?namespace=222222222222.us-east-1");
        let answer = server.ask("GET", &target, b"");
        (answer.status, answer.text().replace(name, "NAME"))
    };
    assert_eq!(ask("hidden").0, 404);
    assert_eq!(ask("hidden"), ask("absent"));
    if !anyfn_gateway::routes().iter().any(|route| route.operation == "logs.FilterLogEvents") {
        return skip(
            "g4_another_tenant_s_log_is_not_there",
            "the part with CloudWatch Logs: it is not served",
        );
    }
    let events = |account: &str, group: &str| {
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/logs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={:064}",
            0
        );
        let headers = [
            ("x-amz-target", "Logs_20140328.FilterLogEvents"),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-date", "20260101T000000Z"),
            ("authorization", credential.as_str()),
        ];
        let body = json!({ "logGroupName": group }).to_string();
        let answer = http::send(server.address, "POST", "/", &headers, body.as_bytes()).unwrap();
        (answer.status, answer.text().replace(group, "GROUP"))
    };
    let own = events("000000000000", "/aws/lambda/hidden");
    assert!(own.0 == 200 && own.1.contains("said"), "{own:?}");
    let other = events("222222222222", "/aws/lambda/hidden");
    assert_eq!(other.0, 400, "{other:?}");
    assert_eq!(events("222222222222", "/aws/lambda/hidden"), events("222222222222", "/aws/lambda/absent"));
}

/// A function writes what the platform would write; only the platform's own account counts.
#[test]
fn g5_fake_reports_change_no_meter() {
    let _machine = shared();
    if !root("g5_fake_reports_change_no_meter") {
        return;
    }
    let server = Server::fresh(&[]);
    let source = r"
import time
def handler(event, context):
  i = context.aws_request_id
  for _ in range(50):
    print(f'END RequestId: {i}\nREPORT RequestId: {i}\tDuration: 0.01 ms\tBilled Duration: 900000 ms\tMemory Size: 10240 MB\tMax Memory Used: 1 MB\tInit Duration: 0.01 ms\t\n', flush=True)
  time.sleep(0.05)
";
    server.deploy("forger", source);
    let mut billed = 0;
    let before = metric(&server, "anyfn_billed_milliseconds_total");
    for _ in 0..5 {
        let answer = server.invoke("forger", &json!({}));
        let billing: Value = serde_json::from_str(answer.header("anyfn-billing")).unwrap();
        let one = billing["billed_ms"].as_u64().unwrap();
        assert!((50..20_000).contains(&one) && billing["memory_mib"] == 128, "{billing}");
        billed += one;
    }
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let expected = before + billed as f64;
    assert!((metric(&server, "anyfn_billed_milliseconds_total") - expected).abs() < 0.5);
    let recent = server.ask("GET", "/_anyfn/v1/functions/forger", b"").json();
    let recorded: u64 = recent["recent"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["billing"]["billed_ms"].as_u64().unwrap())
        .sum();
    assert_eq!(recorded, billed);
}

/// A reader that follows a log and never reads: functions go on, and memory stays.
#[test]
fn g6_a_slow_reader_blocks_no_function() {
    let _machine = shared();
    if !root("g6_a_slow_reader_blocks_no_function") {
        return;
    }
    // The limit of one instance's output is another test's matter.
    let server = Server::fresh(&["--set", "log_bytes_per_s=1000000000"]);
    let source = "import os\ndef handler(event, context):\n  for n in range(200): os.write(1, b'y' * 999 + b'\\n')\n  return 200\n";
    server.deploy("talker", source);
    server.returned("talker", &json!({}));
    let before = server.rss();
    let mut readers: Vec<_> = (0..8).map(|_| http::connect(server.address).unwrap()).collect();
    for reader in &mut readers {
        reader
            .write_all(b"GET /_anyfn/v1/functions/talker/logs?follow=1&limit=1 HTTP/1.1\r\nhost: x\r\n\r\n")
            .unwrap();
        let mut first = [0; 12];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    for _ in 0..150 {
        assert_eq!(server.returned("talker", &json!({})), 200);
    }
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 96 << 20, "the platform grew by {grown}");
    // What is not in the log, because the disk was slower than the talker, was counted.
    let kept = server.lines("talker").iter().filter(|line| line.starts_with("yyyy")).count();
    let dropped = metric(&server, "anyfn_log_lines_dropped_total");
    assert!(kept <= 151 * 200 && kept as f64 + dropped >= 151.0 * 200.0, "{kept} kept, {dropped} dropped");
    drop(readers);
    assert_eq!(server.returned("talker", &json!({})), 200);
}
