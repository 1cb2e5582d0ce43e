use http::HeaderValue;

use super::*;

fn read_one(name: &'static str, value: &str) -> Option<TraceContext> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    read(&headers, &Random::seeded(1))
}

#[test]
fn both_forms_are_read() {
    let amazon = "Parent=53995c3f42cd8ad8;Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a:0";
    let got = read_one("x-amzn-trace-id", amazon).unwrap();
    assert_eq!((got.trace_id.as_str(), got.sampled), ("5759e988bd862e3fe1be46a994272793", true));
    assert_eq!(header(&got), "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
    let w3c = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let got = read_one("traceparent", w3c).unwrap();
    assert_eq!(header(&got), "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=0");
}

#[test]
fn a_root_alone_gets_a_parent() {
    let got = read_one("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793").unwrap();
    assert_eq!(got.parent_id.len(), 16);
    assert!(!got.sampled);
}

#[test]
fn g3_forged_and_oversized_contexts_are_ignored() {
    let long = format!("Root=1-5759e988-bd862e3fe1be46a994272793;Baggage={}", "x".repeat(64 * 1024));
    let cases = [
        ("x-amzn-trace-id", long.as_str()),
        ("x-amzn-trace-id", "Root=1-xyz-bd862e3fe1be46a994272793"),
        ("x-amzn-trace-id", "Root=2-5759e988-bd862e3fe1be46a994272793"),
        ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793-00"),
        ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=evil"),
        ("traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        ("traceparent", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"),
        ("traceparent", "00-short-b7ad6b7169203331-01"),
    ];
    for (name, value) in cases {
        assert_eq!(read_one(name, value), None, "{}", &value[..value.len().min(80)]);
    }
}

#[test]
fn a_fresh_trace_carries_the_time() {
    let trace = fresh(&Random::seeded(7), 0x6559_e988_u64 * 1000 + 5);
    assert_eq!(&trace.trace_id[..8], "6559e988");
    assert_eq!((trace.trace_id.len(), trace.parent_id.len()), (32, 16));
}
