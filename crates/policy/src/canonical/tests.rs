use super::{PathForm, encode, normalized, path, query};

#[test]
fn paths_are_spelled_as_each_family_signs_them() {
    let service = PathForm { twice: true, normal: true };
    let s3 = PathForm { twice: false, normal: false };
    for (raw, as_service, as_s3) in [
        ("", "/", "/"),
        ("/", "/", "/"),
        ("/a b", "/a%20b", "/a%20b"),
        ("/a%20b", "/a%2520b", "/a%20b"),
        ("/a%2fb", "/a%252fb", "/a/b"),
        ("/a//b/../c/", "/a/c/", "/a//b/../c/"),
        ("/a:b~c", "/a%3Ab~c", "/a%3Ab~c"),
        ("/%zz", "/%25zz", "/%25zz"),
    ] {
        assert_eq!((path(raw, service).as_str(), path(raw, s3).as_str()), (as_service, as_s3), "{raw}");
    }
    assert_eq!(normalized("/../.."), "/");
}

#[test]
fn queries_are_sorted_and_spelled_one_way() {
    assert_eq!(query("b=2&a=1&a=0&&c"), "a=0&a=1&b=2&c=");
    assert_eq!(query("x=%7e%2f&X-Amz-Signature=1"), "x=~%2F");
    assert_eq!(query("x=a+b=c%2B"), "x=a%20b%3Dc%2B");
    assert_eq!(encode("é".as_bytes(), false), "%C3%A9");
}
