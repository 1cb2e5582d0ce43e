use super::*;
use crate::{FollowRequest, Pattern, Streams};

fn request(house: &House, pattern: &str) -> FollowRequest {
    FollowRequest {
        namespace: house.ns.clone(),
        groups: vec![GROUP.into()],
        streams: Streams::Prefix("s".into()),
        pattern: Pattern::parse(pattern).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn follows_what_matches_from_now_on() {
    let house = House::plain();
    house.print("s", &["before"]);
    house.logs.flush().await;
    let mut follow = house.logs.follow(request(&house, "-skip")).unwrap();
    house.print("s", &["one", "skip", "two"]);
    house.print("other", &["x"]);
    house.print_in("another-group", "s", &["x"]);
    house.logs.flush().await;
    let seen = follow.next().await.unwrap();
    assert_eq!((texts(&seen.events), seen.missed), (vec!["one".to_owned(), "two".into()], 0));
    let request = GetEvents { limit: 1, ..GetEvents::default() };
    let read = house.logs.get_events(&house.ns, GROUP, "s", &request);
    assert_eq!(read.await.unwrap().events[0], seen.events[1]);
    assert!(follow.try_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn g6_a_slow_follower_misses_events_and_is_told_how_many() {
    let house = House::new(Options { follow_queue: 2, ..Options::default() });
    let mut follow = house.logs.follow(request(&house, "")).unwrap();
    for turn in 0..5 {
        house.print("s", &[&format!("{turn}a"), &format!("{turn}b")]);
        house.logs.flush().await;
    }
    let first = follow.next().await.unwrap();
    assert_eq!((texts(&first.events), first.missed), (vec!["0a".to_owned(), "0b".into()], 6));
    assert_eq!(follow.next().await.unwrap().missed, 0);
    assert!(follow.try_next().is_none());
    assert_eq!(house.all("s").await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn g4_followers_see_only_their_namespace_and_are_bounded() {
    let house = House::new(Options { followers: 1, ..Options::default() });
    let foreign = FollowRequest { namespace: Namespace::new("other").unwrap(), ..request(&house, "") };
    let mut follow = house.logs.follow(foreign).unwrap();
    house.print("s", &["x"]);
    house.logs.flush().await;
    assert!(follow.try_next().is_none());
    assert_eq!(house.logs.follow(request(&house, "")).unwrap_err().code, "log_followers_too_many");
    drop(follow);
    house.logs.follow(request(&house, "")).unwrap();
}
