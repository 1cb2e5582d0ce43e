//! Packages that lie, over the API that strangers use.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    http,
    isolation::PROBE,
    world::{Server, listing, root, shared, skip},
    zips::{self, Archive, Entry, file},
};

const MIB: u64 = 1 << 20;

fn served(operation: &str) -> bool {
    anyfn_gateway::routes().iter().any(|route| route.operation == format!("lambda.{operation}"))
}

fn create(server: &Server, name: &str, zip: &[u8]) -> http::Answer {
    let body = json!({
        "FunctionName": name, "Runtime": "python3.12", "Handler": "app.handler",
        "Role": "arn:aws:iam::000000000000:role/x", "Code": { "ZipFile": STANDARD.encode(zip) },
    });
    server.ask("POST", "/2015-03-31/functions", body.to_string().as_bytes())
}

/// Refused by both APIs in their own words, and nothing is left of it.
fn refused(server: &Server, what: &str, zip: &[u8]) {
    let before = listing(&server.data);
    let native = server.try_deploy("bad", zip, &json!({}));
    assert!([400, 413].contains(&native.status), "{what}: {} {}", native.status, native.text());
    let code = native.json()["code"].as_str().unwrap().to_owned();
    assert!(["package_invalid", "package_too_large"].contains(&code.as_str()), "{what}: {}", native.text());
    let aws = create(server, "bad", zip);
    assert_eq!(aws.status, 400, "{what}: {}", aws.text());
    assert!(
        aws.header("x-amzn-errortype").starts_with("InvalidParameterValueException"),
        "{what}: {:?}",
        aws.headers
    );
    assert_eq!(server.ask("GET", "/_anyfn/v1/functions/bad", b"").status, 404, "{what}");
    let after = listing(&server.data);
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new(), "{what} left something");
}

fn named(name: &[u8], mode: u32) -> Vec<u8> {
    let entry = Entry { name: name.to_vec(), data: b"x = 1\n".to_vec(), mode, deflate: false };
    zips::zip(&[file("app.py", PROBE), entry])
}

#[test]
fn a1_names_that_lead_out_are_refused() {
    let _machine = shared();
    if !root("a1_names_that_lead_out_are_refused") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("first", PROBE);
    let names: [&[u8]; 12] = [
        b"../../x",
        b"/x",
        b"C:\\x",
        b"a\\..\\..\\x",
        b"a\0b",
        b"a/../../x",
        b"..",
        b"a/..",
        b"//x",
        b"\\\\host\\x",
        b"./../x",
        b"",
    ];
    for name in names {
        refused(&server, &String::from_utf8_lossy(name), &named(name, 0o100_644));
    }
    // A link out, and a file through a link.
    let link =
        |target: &str| Entry { name: b"link".to_vec(), data: target.into(), mode: 0o120_777, deflate: false };
    for target in ["/etc", "../..", "../../../../etc/shadow"] {
        let through =
            Entry { name: b"link/x".to_vec(), data: b"x".to_vec(), mode: 0o100_644, deflate: false };
        refused(&server, target, &zips::zip(&[file("app.py", PROBE), link(target), through]));
    }
}

#[test]
fn a3_bombs_stop_at_the_limit() {
    let _machine = shared();
    if !root("a3_bombs_stop_at_the_limit") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("first", PROBE);
    let before = server.rss();
    let honest = {
        let mut archive = Archive::default();
        archive.add_raw("zeros", &zips::zeros(300), 300 << 20);
        archive.finish()
    };
    let lying = {
        let mut archive = Archive::default();
        archive.add_raw("zeros", &zips::zeros(300), 1000);
        archive.finish()
    };
    let overlapping = {
        let mut archive = Archive::default();
        archive.add_raw("zeros", &zips::zeros(10), 10 << 20);
        let whole = Entry { name: Vec::new(), data: vec![0; 10 << 20], mode: 0o100_644, deflate: true };
        for nr in 0..40 {
            archive.overlap(&format!("again-{nr}"), &whole);
        }
        archive.finish()
    };
    for (what, zip) in [("honest", honest), ("lying", lying), ("overlapping", overlapping)] {
        assert!(zip.len() < 2 << 20, "{what} is {} bytes", zip.len());
        refused(&server, what, &zip);
    }
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "the platform grew by {grown}");
}

#[test]
fn a4_entries_are_counted() {
    let _machine = shared();
    if !root("a4_entries_are_counted") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("first", PROBE);
    let many = |folder: bool| {
        let mut archive = Archive::default();
        for nr in 0..100_001 {
            let (name, mode) =
                if folder { (format!("{nr}/"), 0o040_755) } else { (nr.to_string(), 0o100_644) };
            archive.add(&Entry { name: name.into(), data: Vec::new(), mode, deflate: false });
        }
        archive.finish()
    };
    refused(&server, "files", &many(false));
    refused(&server, "folders", &many(true));
    refused(&server, "a long name", &named(&[b'n'; 65_000], 0o100_644));
    refused(&server, "a deep name", &named(&b"d/".repeat(30_000), 0o040_755));
    refused(&server, "no zip", b"PK\x05\x06 and then nothing of the kind");
    refused(&server, "cut", &named(b"x", 0o100_644)[..60]);
}

#[test]
fn a6_odd_kinds_and_modes_come_to_nothing() {
    let _machine = shared();
    if !root("a6_odd_kinds_and_modes_come_to_nothing") {
        return;
    }
    let server = Server::fresh(&[]);
    let look =
        "import stat\nout = {f: oct(os.lstat('/var/task/' + f).st_mode) for f in os.listdir('/var/task')}";
    let kinds = [
        ("fifo", 0o010_644),
        ("char", 0o020_666),
        ("block", 0o060_666),
        ("socket", 0o140_777),
        ("none", 0o100_000),
        ("all", 0o107_777),
    ];
    for (what, mode) in kinds {
        let answer = server.try_deploy("odd", &named(what.as_bytes(), mode), &json!({}));
        if answer.status != 200 {
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &json!("package_invalid")),
                "{what}: {}",
                answer.text()
            );
            continue;
        }
        let said = server.returned("odd", &json!({ "code": look }));
        for (name, mode) in said.as_object().unwrap() {
            let mode = u32::from_str_radix(mode.as_str().unwrap().trim_start_matches("0o"), 8).unwrap();
            assert!([0o100_000, 0o040_000].contains(&(mode & 0o170_000)), "{what} {name}: {mode:o}");
            assert_eq!(mode & 0o7_022, 0, "{what} {name}: {mode:o}");
            assert_eq!(mode & 0o444, 0o444, "{what} {name} can be read: {mode:o}");
        }
    }
}

#[test]
fn a7_a_broken_upload_makes_no_version_and_can_be_sent_again() {
    let _machine = shared();
    if !root("a7_a_broken_upload_makes_no_version_and_can_be_sent_again") {
        return;
    }
    let server = Server::fresh(&[]);
    server.deploy("first", PROBE);
    let before = listing(&server.data);
    let zip = STANDARD.encode(zips::python(PROBE));
    let body = json!({ "zip": zip, "runtime": "python3.12", "handler": "app.handler" }).to_string();
    for part in [0, 10, body.len() / 2, body.len() - 1] {
        let mut stream = http::connect(server.address).unwrap();
        let head = format!(
            "PUT /_anyfn/v1/functions/cut HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body.as_bytes()[..part]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{part}: {said}");
    }
    for zip in [&zip[..zip.len() - 8], "!!!!", &zip[4..]] {
        let body = json!({ "zip": zip, "runtime": "python3.12", "handler": "app.handler" });
        let answer = server.ask("PUT", "/_anyfn/v1/functions/cut", body.to_string().as_bytes());
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    assert_eq!(server.ask("GET", "/_anyfn/v1/functions/cut", b"").status, 404);
    assert_eq!(listing(&server.data).difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    server.deploy("cut", PROBE);
    if !served("PublishVersion") {
        return skip(
            "a7_a_broken_upload_makes_no_version_and_can_be_sent_again",
            "the part with PublishVersion: it is not served",
        );
    }
    let wrong = json!({ "CodeSha256": STANDARD.encode([7; 32]) });
    let answer = server.ask("POST", "/2015-03-31/functions/cut/versions", wrong.to_string().as_bytes());
    assert_eq!(answer.status, 400, "{}", answer.text());
    let described = server.ask("GET", "/_anyfn/v1/functions/cut", b"").json();
    assert_eq!(described["published"], json!([]));
    let right = json!({ "CodeSha256": described["code_sha256"] });
    let answer = server.ask("POST", "/2015-03-31/functions/cut/versions", right.to_string().as_bytes());
    assert_eq!((answer.status, &answer.json()["Version"]), (201, &json!("1")), "{}", answer.text());
}

#[test]
fn a8_concurrent_publishes_give_dense_versions_with_their_own_code() {
    const NAME: &str = "a8_concurrent_publishes_give_dense_versions_with_their_own_code";
    let _machine = shared();
    if !root(NAME) {
        return;
    }
    if !served("UpdateFunctionCode") || !served("PublishVersion") {
        return skip(NAME, "UpdateFunctionCode and PublishVersion are not served");
    }
    let server = Server::fresh(&[]);
    server.deploy("many", PROBE);
    let publish = |nr: usize| {
        let zip = STANDARD.encode(zips::python(&format!("def handler(event, context):\n  return {nr}\n")));
        let body = json!({ "ZipFile": zip, "Publish": true }).to_string();
        // Another update may be under way; AWS's clients try again then, too.
        for _ in 0..20 {
            let answer = server.ask("PUT", "/2015-03-31/functions/many/code", body.as_bytes());
            if answer.status == 200 {
                let said = answer.json();
                let text = |key: &str| said[key].as_str().unwrap().to_owned();
                return (text("Version").parse::<u64>().unwrap(), (nr, text("CodeSha256")));
            }
            assert!([409, 429].contains(&answer.status), "{} {}", answer.status, answer.text());
            crate::world::pause();
        }
        panic!("{nr} was never published");
    };
    let published: BTreeMap<u64, (usize, String)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..100).map(|nr| scope.spawn(move || publish(nr))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(published.keys().copied().collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    for (version, (nr, sha)) in published.iter().step_by(9) {
        let target = format!("/2015-03-31/functions/many/configuration?Qualifier={version}");
        assert_eq!(server.ask("GET", &target, b"").json()["CodeSha256"], json!(sha), "version {version}");
        let target = format!("/_anyfn/v1/functions/many/invoke?qualifier={version}");
        assert_eq!(server.ask("POST", &target, b"{}").json(), json!(nr), "version {version}");
    }
}

#[test]
fn a9_names_that_look_alike_are_kept_apart() {
    let _machine = shared();
    if !root("a9_names_that_look_alike_are_kept_apart") {
        return;
    }
    let server = Server::fresh(&[]);
    let names = ["Same.txt", "same.txt", "caf\u{e9}.txt", "cafe\u{301}.txt", "\u{202e}txt.exe"];
    let mut entries = vec![file("app.py", PROBE)];
    entries.extend(names.iter().enumerate().map(|(nr, name)| file(name, nr.to_string())));
    let answer = server.try_deploy("alike", &zips::zip(&entries), &json!({}));
    if answer.status == 200 {
        let code = "out = {f: open('/var/task/' + f).read() for f in os.listdir('/var/task') if not f.endswith('.py') and os.path.isfile('/var/task/' + f)}";
        let said = server.returned("alike", &json!({ "code": code }));
        for (nr, name) in names.iter().enumerate() {
            assert_eq!(said[*name], json!(nr.to_string()), "{name}: {said}");
        }
    } else {
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    let twice = zips::zip(&[file("app.py", PROBE), file("x", "first"), file("x", "second")]);
    let answer = server.try_deploy("twice", &twice, &json!({}));
    if answer.status == 200 {
        let said: Value = server.returned("twice", &json!({ "code": "out = open('/var/task/x').read()" }));
        assert!(["first", "second"].contains(&said.as_str().unwrap()), "one of them, whole: {said}");
    } else {
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("package_invalid")));
    }
}
