use http::Request;

use super::*;

fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).unwrap();
    pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn b10_forged_headers_go_and_parameters_stay() {
    let said = [
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-host", "evil"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("anyfn-internal-account", "1"),
        ("x-amz-date", "now"),
        ("content-encoding", "gzip"),
    ];
    let mut headers = map(&said);
    clean(&mut headers, false);
    assert_eq!(names(&headers), ["content-encoding", "x-amz-date"]);
    let mut headers = map(&said);
    clean(&mut headers, true);
    assert_eq!(headers.len(), said.len());
}

#[test]
fn g3_traces_over_their_bounds_are_dropped() {
    for (name, most) in [("traceparent", 512), ("tracestate", 512), ("baggage", 8192)] {
        let mut headers = map(&[(name, &"a".repeat(most))]);
        clean(&mut headers, true);
        assert_eq!(headers.len(), 1, "{name}");
        headers.append(name, HeaderValue::from_static("b"));
        clean(&mut headers, true);
        assert_eq!(headers.len(), 0, "{name}: many lines count together");
    }
}

#[test]
fn b7_http2_heads_have_the_same_bounds() {
    let check = |uri: &str, pairs: &[(&'static str, &str)]| {
        let mut request = Request::builder().version(Version::HTTP_2).uri(uri).body(()).unwrap();
        *request.headers_mut() = map(pairs);
        check_two(&request.into_parts().0, 3).map_err(|refusal| refusal.status)
    };
    assert_eq!(check("http://a/", &[]), Ok(()));
    assert_eq!(check("http://a/", &[("host", "A")]), Ok(()));
    assert_eq!(check("http://a/", &[("host", "b")]), Err(400));
    assert_eq!(check("http://a/", &[("host", "a"), ("host", "a")]), Err(400));
    assert_eq!(check("/", &[]), Err(400));
    assert_eq!(check(&format!("http://a/{}", "x".repeat(URL_BYTES)), &[]), Err(414));
    assert_eq!(check("http://a/", &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]), Err(431));
}
