use super::{Router, pairs};
use crate::schema::{Operation, Protocol, Service};

static OPERATIONS: [Operation; 7] = [
    Operation::new("Find", "GET", "/things?find=All"),
    Operation::new("Get", "GET", "/things/{Id}"),
    Operation::new("GetObject", "GET", "/{Bucket}/{Key+}"),
    Operation::new("GetTagging", "GET", "/{Bucket}/{Key+}?tagging"),
    Operation::new("List", "GET", "/things"),
    Operation::new("Special", "GET", "/things/special"),
    Operation::new("Tail", "GET", "/files/{Path+}/meta"),
];

static SERVICE: Service = Service {
    name: "things",
    version: "1",
    signing_name: "things",
    target_prefix: "",
    protocols: &[Protocol::RestJson],
    xml_namespace: "",
    query_compatible: false,
    validation_code: "ValidationException",
    bare_xml_errors: false,
    operations: &OPERATIONS,
    shapes: &[],
};

fn find(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Router::new(&SERVICE).find("GET", path, &pairs(query)).map_or_else(
        || "none".to_owned(),
        |found| {
            let labels: Vec<String> =
                found.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {}", found.operation.name, labels.join(" ")).trim().to_owned()
        },
    )
}

#[test]
fn the_most_specific_route_wins() {
    for (path, wanted) in [
        ("/things", "List"),
        ("/things/", "List"),
        ("/things?find=All", "Find"),
        ("/things?find=Some", "List"),
        ("/things/special", "Special"),
        ("/things/7", "Get Id=7"),
        ("/things/a%2Fb%3Ac", "Get Id=a/b:c"),
        ("/things/7/parts", "GetObject Bucket=things Key=7/parts"),
        ("/b/k?tagging", "GetTagging Bucket=b Key=k"),
        ("/b/k/", "GetObject Bucket=b Key=k/"),
        ("/files/a/b/meta", "Tail Path=a/b"),
        ("/files/meta", "GetObject Bucket=files Key=meta"),
        ("/", "none"),
        ("/b", "none"),
    ] {
        assert_eq!(find(path), wanted, "{path}");
    }
}

#[test]
fn other_methods_find_nothing() {
    assert!(Router::new(&SERVICE).find("POST", "/things", &[]).is_none());
}

#[test]
fn pairs_are_decoded_once() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        pairs("a=1+2&b=%2B%26&&c&d=e=f&a=2"),
        [pair("a", "1 2"), pair("b", "+&"), pair("c", ""), pair("d", "e=f"), pair("a", "2")]
    );
    assert_eq!(pairs("x=%2541"), [pair("x", "%41")]);
}
