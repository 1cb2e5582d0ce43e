use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::{Body, Credential, Family, Payload, Refusal, Request, Signed};
use crate::{canonical::PathForm, keys::Secret, moment};

mod botocore;
mod published;

/// A request as text, for tests.
#[derive(Clone, Debug)]
struct Owned {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Owned {
    fn request(&self) -> Request<'_> {
        Request { method: &self.method, path: &self.path, query: &self.query, headers: &self.headers }
    }

    fn header(&mut self, name: &str, value: &str) {
        let name: HeaderName = name.parse().unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.headers.insert(name, value.parse().unwrap());
    }

    fn verify(&self, family: Family, now: u64) -> Result<super::Verified, Refusal> {
        let signed = Signed::parse(&self.request())?;
        signed.verify(&self.request(), &Secret::new(SECRET), family, Body::of(&self.body), now)
    }
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const NOW: u64 = 1_440_938_160_000; // 2015-08-30T12:36:00Z

/// AWS's first test vector (`get-vanilla`), with the signature that AWS printed.
fn vanilla() -> Owned {
    let mut request = Owned {
        method: "GET".into(),
        path: "/".into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    };
    request.header("host", "example.amazonaws.com");
    request.header("x-amz-date", "20150830T123600Z");
    request.header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    );
    request
}

#[test]
fn the_first_vector_is_verified() {
    let verified = vanilla().verify(Family::Json, NOW).unwrap();
    assert_eq!((&*verified.credential.access_key, &*verified.credential.service), ("AKIDEXAMPLE", "service"));
    assert!(verified.chunks.is_none());
}

#[test]
fn whatever_is_signed_cannot_be_changed() {
    type Change = fn(&mut Owned);
    let changes: [(&str, Change); 8] = [
        ("method", |r| r.method = "POST".into()),
        ("path", |r| r.path = "/x".into()),
        ("query", |r| r.query = "a".into()),
        ("host", |r| r.set("host", "other")),
        ("body", |r| r.body = b"x".to_vec()),
        ("date", |r| r.set("x-amz-date", "20150830T123601Z")),
        ("second host", |r| r.header("host", "other")),
        ("unsigned operation", |r| r.header("x-amz-target", "Evil")),
    ];
    for (what, change) in changes {
        let mut request = vanilla();
        change(&mut request);
        let refusal = request.verify(Family::Json, NOW).unwrap_err();
        assert!(matches!(refusal, Refusal::Mismatch | Refusal::Incomplete(_)), "{what}: {refusal:?}");
    }
    let wrong = Secret::new("another");
    let request = vanilla();
    let signed = Signed::parse(&request.request()).unwrap();
    let refusal = signed.verify(&request.request(), &wrong, Family::Json, Body::of(b""), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Mismatch);
    assert_eq!(refusal.code(Family::Json), "InvalidSignatureException");
    assert_eq!(refusal.code(Family::S3), "SignatureDoesNotMatch");
}

#[test]
fn the_clock_may_be_off_by_15_minutes() {
    let minutes = |m: i64| NOW.saturating_add_signed(m * 60_000);
    for m in [-15, 0, 15] {
        assert!(vanilla().verify(Family::Json, minutes(m)).is_ok(), "{m}");
    }
    let late = vanilla().verify(Family::Json, minutes(15) + 1000).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
    );
    assert_eq!(
        (late.code(Family::Json), late.code(Family::S3)),
        ("InvalidSignatureException", "RequestTimeTooSkewed")
    );
    let early = vanilla().verify(Family::Json, minutes(-15) - 1000).unwrap_err();
    assert!(early.to_string().starts_with("Signature not yet current: 20150830T123600Z"));
    assert!(vanilla().verify(Family::Json, 0).is_err());
    assert!(vanilla().verify(Family::Json, u64::MAX).is_err());
}

#[test]
fn what_is_incomplete_is_named() {
    let with = |change: &dyn Fn(&str) -> String| -> Refusal {
        let mut request = vanilla();
        let text = change(request.headers["authorization"].to_str().unwrap());
        request.set("authorization", &text);
        request.verify(Family::Json, NOW).unwrap_err()
    };
    let mut bare = vanilla();
    bare.headers.remove("authorization");
    let missing = bare.verify(Family::Json, NOW).unwrap_err();
    assert_eq!(missing, Refusal::Missing);
    assert_eq!(missing.code(Family::Query), "MissingAuthenticationToken");
    type Change<'c> = &'c dyn Fn(&str) -> String;
    let all: [(&str, Change<'_>); 11] = [
        ("no signature", &|t| t.split(", Signature").next().unwrap().into()),
        ("no names", &|t| t.replace("SignedHeaders=host;x-amz-date, ", "")),
        ("no credential", &|t| t.replace("Credential", "Other")),
        ("other algorithm", &|t| t.replace("SHA256", "SHA1")),
        ("basic", &|_| "Basic eA==".into()),
        ("short scope", &|t| t.replace("/aws4_request", "")),
        ("other day", &|t| t.replace("20150830", "20150831")),
        ("host not signed", &|t| t.replace("host;", "")),
        ("unsorted", &|t| t.replace("host;x-amz-date", "x-amz-date;host")),
        ("twice", &|t| format!("{t}, Signature=00")),
        ("header that is not there", &|t| t.replace("host;", "absent;host;")),
    ];
    for (what, change) in all {
        let refusal = with(change);
        assert!(matches!(refusal, Refusal::Incomplete(_)), "{what}: {refusal:?}");
        assert_eq!(refusal.code(Family::Json), "IncompleteSignatureException");
    }
    let mut dateless = vanilla();
    dateless.headers.remove("x-amz-date");
    assert!(matches!(dateless.verify(Family::Json, NOW), Err(Refusal::Incomplete(_))));
    assert_eq!(Refusal::UnknownKey.code(Family::Json), "UnrecognizedClientException");
    assert_eq!(Refusal::UnknownKey.code(Family::Query), "InvalidClientTokenId");
}

#[test]
fn a_credential_is_read_without_proof() {
    let credential = Credential::of(&vanilla().request()).unwrap();
    assert_eq!((&*credential.region, credential.account()), ("us-east-1", None));
    let local = Credential::parse("123456789012/20150830/eu-west-1/lambda/aws4_request").unwrap();
    assert_eq!(local.account(), Some("123456789012"));
    assert_eq!(Credential::parse("a/b/c/20150830/r/s/aws4_request").unwrap().access_key, "a/b/c");
    for bad in [
        "",
        "k/20150830/r/s",
        "k/2015083/r/s/aws4_request",
        "/20150830/r/s/aws4_request",
        "k/20150830//s/aws4_request",
    ] {
        assert_eq!(Credential::parse(bad), None, "{bad}");
    }
}

#[test]
fn an_unsigned_body_is_for_s3_only() {
    let mut request = vanilla();
    request.header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let text =
        request.headers["authorization"].to_str().unwrap().replace("host;", "host;x-amz-content-sha256;");
    request.set("authorization", &text);
    let signed = Signed::parse(&request.request()).unwrap();
    assert_eq!(signed.payload, Payload::Unsigned);
    assert!(signed.payload_line(false, Body::of(b"")).is_err());
    assert_eq!(signed.payload_line(true, Body::Later).unwrap().0, "UNSIGNED-PAYLOAD");
    request.set("x-amz-content-sha256", "nonsense");
    assert!(matches!(Signed::parse(&request.request()), Err(Refusal::Incomplete(_))));
}

proptest! {
    #[test]
    fn arbitrary_headers_and_queries_never_panic(header in "\\PC{0,80}", query in "[ -~]{0,120}", path in "\\PC{0,40}") {
        let mut request = vanilla();
        request.query = query;
        request.path = path;
        if let Ok(value) = HeaderValue::from_str(&header) {
            request.headers.insert("authorization", value);
        }
        prop_assert!(request.verify(Family::Json, NOW).is_err());
    }

    #[test]
    fn arbitrary_fields_never_panic(fields in "(Credential|SignedHeaders|Signature|=|,| |;|/|[a-z0-9]){0,30}") {
        let mut request = vanilla();
        request.set("authorization", &format!("AWS4-HMAC-SHA256 {fields}"));
        prop_assert!(request.verify(Family::Json, NOW).is_err());
    }
}

/// The folder `parts` of cargo's target folder, which setup fills with what comes from registries.
fn parts() -> Vec<PathBuf> {
    let me = std::env::current_exe().unwrap();
    me.ancestors().map(|dir| dir.join("parts")).filter(|dir| dir.is_dir()).collect()
}
