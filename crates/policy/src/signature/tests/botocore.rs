//! Signatures as a real client makes them: botocore, where python3 has it.

use std::process::Command;

use http::HeaderMap;

use super::{Family, Owned, Refusal, SECRET, Signed};

const SCRIPT: &str = r#"
import json, sys
from botocore.auth import SigV4Auth, SigV4QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
keys = Credentials("123456789012", sys.argv[1])
temporary = Credentials("123456789012", sys.argv[1], "the/token+=")
host = "https://host.example:9000"
def emit(auth, family, method, path, body=b"", headers=None, params=None):
    request = AWSRequest(method=method, url=host + path, data=body, headers=headers or {}, params=params or {})
    auth.add_auth(request)
    sent = request.prepare()
    path, _, query = sent.url[len(host):].partition("?")
    lines = [(k, v.decode() if isinstance(v, bytes) else v) for k, v in sent.headers.items()]
    print(json.dumps({"family": family, "method": method, "path": path, "query": query, "headers": lines, "body": body.decode()}))
arn = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Ahello/invocations"
for k in (keys, temporary):
    emit(SigV4Auth(k, "lambda", "eu-west-1"), "json", "POST", arn, b'{"a": 1}', {"X-Amz-Invocation-Type": "Event"})
    emit(SigV4Auth(k, "lambda", "eu-west-1"), "json", "GET", "/2015-03-31/functions/", params={"MaxItems": "5", "Marker": "a b/c+d=~e\u00e9"})
    emit(SigV4Auth(k, "dynamodb", "eu-west-1"), "json", "POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"})
    emit(SigV4Auth(k, "sts", "eu-west-1"), "query", "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"})
    emit(SigV4QueryAuth(k, "lambda", "eu-west-1", expires=60), "json", "GET", "/a%20b/c", params={"x": "1 2"})
    emit(S3SigV4Auth(k, "s3", "eu-west-1"), "s3", "PUT", "/bucket/a%20b//../%C3%A9%2Bx", b"content", {"X-Amz-Meta-A": "  two   words "})
    emit(S3SigV4QueryAuth(k, "s3", "eu-west-1", expires=60), "s3", "GET", "/bucket/key%20x", params={"versionId": "3/L4+k"})
"#;

#[test]
fn signatures_of_botocore_are_verified() {
    let done = Command::new("python3").args(["-c", SCRIPT, SECRET]).output();
    let output = match done {
        Ok(done) if done.status.success() => String::from_utf8(done.stdout).unwrap(),
        Ok(done) if !String::from_utf8_lossy(&done.stderr).contains("No module named 'botocore'") => {
            panic!("{}", String::from_utf8_lossy(&done.stderr))
        }
        _ => {
            println!("SKIPPED: python3 with botocore is not here");
            return;
        }
    };
    assert_eq!(output.lines().map(check).count(), 14);
}

fn check(line: &str) {
    let case: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| case[name].as_str().unwrap().to_owned();
    let mut request = Owned {
        method: text("method"),
        path: text("path"),
        query: text("query"),
        headers: HeaderMap::new(),
        body: text("body").into_bytes(),
    };
    for pair in case["headers"].as_array().unwrap() {
        request.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    if !request.headers.contains_key("host") {
        request.header("host", "host.example:9000");
    }
    let family = match &*text("family") {
        "s3" => Family::S3,
        "query" => Family::Query,
        _ => Family::Json,
    };
    let at = Signed::parse(&request.request()).unwrap_or_else(|e| panic!("{e}: {line}")).at;
    let verified = request.verify(family, at).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(verified.credential.account(), Some("123456789012"));
    if request.query.contains("X-Amz-Expires") {
        assert!(request.verify(family, at + 59_000).is_ok());
        assert_eq!(request.verify(family, at + 60_000).unwrap_err(), Refusal::Expired);
    }
    // The same request with one more byte in the path is another request.
    request.path.push('x');
    assert_eq!(request.verify(family, at).unwrap_err(), Refusal::Mismatch, "{line}");
}
