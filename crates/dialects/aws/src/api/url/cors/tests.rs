use serde_json::json;

use super::*;

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in all {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    map
}

fn show(map: &HeaderMap) -> Vec<String> {
    let mut all: Vec<_> = map.iter().map(|(k, v)| format!("{k}={}", v.to_str().unwrap())).collect();
    all.sort();
    all
}

fn cors(origins: &[&str], credentials: bool) -> Cors {
    let settings = json!({ "AllowOrigins": origins, "AllowMethods": ["GET", "POST"], "AllowHeaders": ["x-a"],
        "ExposeHeaders": ["x-b"], "MaxAge": 60, "AllowCredentials": credentials });
    Cors::of(Some(&settings)).unwrap()
}

#[test]
fn preflights_of_allowed_origins_and_methods_are_granted() {
    let asked = headers(&[("origin", "https://a.example"), ("access-control-request-method", "POST")]);
    assert!(Cors::is_preflight(&Method::OPTIONS, &asked));
    assert!(!Cors::is_preflight(&Method::GET, &asked));
    assert_eq!(
        show(&cors(&["https://a.example"], true).preflight(&asked)),
        [
            "access-control-allow-credentials=true",
            "access-control-allow-headers=x-a",
            "access-control-allow-methods=GET,POST",
            "access-control-allow-origin=https://a.example",
            "access-control-max-age=60",
            "vary=Origin",
        ]
    );
    assert!(cors(&["https://b.example"], true).preflight(&asked).is_empty());
    let delete = headers(&[("origin", "https://a.example"), ("access-control-request-method", "DELETE")]);
    assert!(cors(&["*"], false).preflight(&delete).is_empty());
}

#[test]
fn f7_every_origin_never_comes_with_credentials() {
    let asked = headers(&[("origin", "https://evil.example")]);
    let mut answer = headers(&[
        ("access-control-allow-origin", "https://evil.example"),
        ("access-control-allow-credentials", "true"),
    ]);
    cors(&["*"], true).apply(&asked, &mut answer);
    assert_eq!(show(&answer), ["access-control-allow-origin=*", "access-control-expose-headers=x-b"]);
}

#[test]
fn the_settings_replace_what_the_function_says() {
    let asked = headers(&[("origin", "https://evil.example")]);
    let mut answer = headers(&[("access-control-allow-origin", "*"), ("x-b", "1")]);
    cors(&["https://a.example"], false).apply(&asked, &mut answer);
    assert_eq!(show(&answer), ["x-b=1"]);
}
