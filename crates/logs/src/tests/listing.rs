use std::collections::BTreeMap;

use super::*;
use crate::{ListGroups, ListStreams, OrderBy};

async fn groups(house: &House, request: ListGroups) -> (Vec<String>, Option<String>) {
    let page = house.logs.list_groups(&house.ns, &request).await.unwrap();
    (page.groups.into_iter().map(|group| group.name).collect(), page.next)
}

async fn streams(house: &House, mut request: ListStreams) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = house.logs.list_streams(&house.ns, GROUP, &request).await.unwrap();
        assert!(page.streams.len() <= request.limit);
        names.extend(page.streams.into_iter().map(|stream| stream.name));
        request.token = page.next;
        if request.token.is_none() {
            return names;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lists_groups_by_prefix_and_pattern_in_pages() {
    let house = House::plain();
    for name in ["/aws/lambda/a", "/aws/lambda/b", "/aws/lambda/c", "/ecs/a"] {
        house.logs.create_group(&house.ns, name, BTreeMap::new()).await.unwrap();
    }
    let ask = |prefix: Option<&str>, pattern: Option<&str>, limit, token| ListGroups {
        prefix: prefix.map(Into::into),
        pattern: pattern.map(Into::into),
        limit,
        token,
    };
    let (first, next) = groups(&house, ask(Some("/aws/"), None, 2, None)).await;
    assert_eq!(first, ["/aws/lambda/a", "/aws/lambda/b"]);
    let (second, next) = groups(&house, ask(Some("/aws/"), None, 2, next)).await;
    assert_eq!((second, next), (vec!["/aws/lambda/c".to_owned()], None));
    let (found, next) = groups(&house, ask(None, Some("/a"), 4, None)).await;
    assert_eq!((found.len(), next), (4, None));
    assert_eq!(groups(&house, ask(None, Some("cs"), 4, None)).await.0, ["/ecs/a"]);
}

#[tokio::test(start_paused = true)]
async fn lists_streams_by_name_and_by_last_event_in_pages() {
    let house = House::plain();
    house.made(&["empty"]).await;
    for name in ["c", "a", "b"] {
        house.print(name, &["x"]);
        house.logs.flush().await;
        house.wait(10).await;
    }
    let ask = |order, descending| ListStreams { order, descending, limit: 2, ..ListStreams::default() };
    assert_eq!(streams(&house, ask(OrderBy::Name, false)).await, ["a", "b", "c", "empty"]);
    assert_eq!(streams(&house, ask(OrderBy::Name, true)).await, ["empty", "c", "b", "a"]);
    assert_eq!(streams(&house, ask(OrderBy::LastEvent, false)).await, ["empty", "c", "a", "b"]);
    assert_eq!(streams(&house, ask(OrderBy::LastEvent, true)).await, ["b", "a", "c", "empty"]);
    let prefixed = ListStreams { prefix: Some("e".into()), limit: 50, ..ListStreams::default() };
    assert_eq!(streams(&house, prefixed).await, ["empty"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_its_times_and_sizes() {
    let house = House::plain();
    house.made(&["s"]).await;
    house.put("s", &[(START - 5000, "four"), (START + 1000, "x")]).await;
    let request = ListStreams { limit: 1, ..ListStreams::default() };
    let page = house.logs.list_streams(&house.ns, GROUP, &request).await.unwrap();
    let stream = &page.streams[0];
    assert_eq!((stream.first_event, stream.last_event), (Some(START - 5000), Some(START + 1000)));
    assert_eq!((stream.last_ingestion, stream.stored_bytes), (Some(START), 5 + 2 * 26));
    assert_eq!(stream.upload_token.len(), 56);
    assert_eq!(house.logs.get_group(&house.ns, GROUP).await.unwrap().stored_bytes, 57);
}

#[tokio::test(start_paused = true)]
async fn groups_and_streams_are_made_once_and_named_right() {
    let house = House::plain();
    house.made(&["s"]).await;
    let code = |result: Result<(), anyfn_types::Error>| result.unwrap_err().code;
    let (logs, ns) = (&house.logs, &house.ns);
    assert_eq!(code(logs.create_group(ns, GROUP, BTreeMap::new()).await), "log_group_exists");
    assert_eq!(code(logs.create_stream(ns, GROUP, "s").await), "log_stream_exists");
    assert_eq!(code(logs.create_stream(ns, "none", "s").await), "log_group_not_found");
    assert_eq!(code(logs.delete_stream(ns, GROUP, "none").await), "log_stream_not_found");
    assert_eq!(code(logs.delete_group(ns, "none").await), "log_group_not_found");
    for name in ["", "a b", "a:b", "a%00", "é", &"x".repeat(513)] {
        assert_eq!(code(logs.create_group(ns, name, BTreeMap::new()).await), "log_group_name_invalid");
    }
    for name in ["", "a:b", "a*", "a\0", "a\n", &"x".repeat(513)] {
        assert_eq!(code(logs.create_stream(ns, GROUP, name).await), "log_stream_name_invalid");
    }
}

#[tokio::test(start_paused = true)]
async fn g4_no_namespace_reaches_another() {
    let house = House::plain();
    house.print("s", &["secret"]);
    house.logs.flush().await;
    let other = Namespace::new("000000000000.us-east-2").unwrap();
    let read = house.logs.get_events(&other, GROUP, "s", &GetEvents::default()).await;
    assert_eq!(read.unwrap_err().code, "log_group_not_found");
    let found = house.logs.filter_events(&other, GROUP, &FilterEvents::default()).await;
    assert_eq!(found.unwrap_err().code, "log_group_not_found");
    assert!(house.logs.list_groups(&other, &ListGroups::default()).await.unwrap().groups.is_empty());
    // A namespace whose name is the beginning of another's sees none of its groups either.
    let shorter = Namespace::new("000000000000").unwrap();
    assert!(house.logs.list_groups(&shorter, &ListGroups::default()).await.unwrap().groups.is_empty());
}

#[tokio::test(start_paused = true)]
async fn tags_are_added_changed_taken_and_bounded() {
    let house = House::plain();
    house.made(&[]).await;
    let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    house.logs.tag_group(&house.ns, GROUP, tags(&[("a", "1"), ("b", "2")])).await.unwrap();
    house.logs.tag_group(&house.ns, GROUP, tags(&[("b", "3")])).await.unwrap();
    house.logs.untag_group(&house.ns, GROUP, &["a".into(), "none".into()]).await.unwrap();
    let many = (0..50).map(|n| (n.to_string(), String::new())).collect();
    assert_eq!(house.logs.tag_group(&house.ns, GROUP, many).await.unwrap_err().code, "log_tags_invalid");
    assert_eq!(house.logs.get_group(&house.ns, GROUP).await.unwrap().tags, tags(&[("b", "3")]));
}
