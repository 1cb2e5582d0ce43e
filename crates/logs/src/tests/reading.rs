use std::sync::atomic::Ordering;

use super::*;
use crate::{EventPage, Pattern, Streams};

async fn page(house: &House, request: GetEvents) -> EventPage {
    house.logs.get_events(&house.ns, GROUP, "s", &request).await.unwrap()
}

fn token(limit: usize, token: &str) -> GetEvents {
    GetEvents { limit, token: Some(token.into()), ..GetEvents::default() }
}

/// Twelve events of `s` in six entries, with another stream's entries in between.
async fn twelve() -> House {
    let house = House::plain();
    for turn in 0..6_u64 {
        house.print("other", &["x"]);
        house.print("s", &[&format!("e{}", 2 * turn), &format!("e{}", 2 * turn + 1)]);
        house.logs.flush().await;
        house.wait(1000).await;
    }
    house
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("e{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn pages_forward_and_the_token_stays_at_the_end() {
    let house = twelve().await;
    let mut at = page(&house, GetEvents { from_head: true, limit: 5, ..GetEvents::default() }).await;
    assert_eq!(texts(&at.events), numbered(0..5));
    at = page(&house, token(5, &at.forward)).await;
    assert_eq!(texts(&at.events), numbered(5..10));
    at = page(&house, token(5, &at.forward)).await;
    assert_eq!(texts(&at.events), numbered(10..12));
    let end = page(&house, token(5, &at.forward)).await;
    assert_eq!((end.events.len(), &end.forward), (0, &at.forward));
    house.print("other", &["y"]);
    house.logs.flush().await;
    assert_eq!(page(&house, token(5, &end.forward)).await.forward, end.forward);
    house.print("s", &["e12"]);
    house.logs.flush().await;
    assert_eq!(texts(&page(&house, token(5, &end.forward)).await.events), ["e12"]);
}

#[tokio::test(start_paused = true)]
async fn pages_backward_from_the_end_and_back_again() {
    let house = twelve().await;
    let last = page(&house, GetEvents { limit: 5, ..GetEvents::default() }).await;
    assert_eq!(texts(&last.events), numbered(7..12));
    let middle = page(&house, token(5, &last.backward)).await;
    assert_eq!(texts(&middle.events), numbered(2..7));
    let first = page(&house, token(5, &middle.backward)).await;
    assert_eq!(texts(&first.events), numbered(0..2));
    let none = page(&house, token(5, &first.backward)).await;
    assert_eq!((none.events.len(), &none.backward), (0, &first.backward));
    assert_eq!(texts(&page(&house, token(5, &middle.forward)).await.events), numbered(7..12));
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_gives_more_pages_and_the_same_events() {
    let house = twelve().await.crash(Options { scan_entries: 1, ..Options::default() });
    for from_head in [true, false] {
        let mut at = page(&house, GetEvents { from_head, limit: 4, ..GetEvents::default() }).await;
        let (mut seen, mut pages) = (texts(&at.events), 1);
        loop {
            let given = if from_head { at.forward } else { at.backward };
            at = page(&house, token(4, &given)).await;
            if given == if from_head { at.forward.clone() } else { at.backward.clone() } {
                break;
            }
            pages += 1;
            if from_head {
                seen.extend(texts(&at.events))
            } else {
                seen.splice(0..0, texts(&at.events)).for_each(drop)
            }
        }
        assert_eq!(seen, numbered(0..12));
        assert!(pages >= 6, "{pages}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_ranges_start_at_and_end_before() {
    let house = twelve().await;
    let range = |from_head| GetEvents {
        start: Some(START + 1000),
        end: Some(START + 3000),
        from_head,
        limit: 100,
        ..GetEvents::default()
    };
    assert_eq!(texts(&page(&house, range(true)).await.events), numbered(2..6));
    assert_eq!(texts(&page(&house, range(false)).await.events), numbered(2..6));
}

#[tokio::test(start_paused = true)]
async fn a_late_start_is_found_by_halving() {
    let house = House::plain();
    for _ in 0..512 {
        house.print("s", &["x"]);
        house.logs.flush().await;
        house.wait(60 * 60 * 1000).await;
    }
    let before = house.log.reads.load(Ordering::Relaxed);
    let start = Some(house.base.clock.wall() - 10 * 3_600_000);
    let found = page(&house, GetEvents { start, from_head: true, limit: 100, ..GetEvents::default() }).await;
    assert_eq!(found.events.len(), 10);
    let reads = house.log.reads.load(Ordering::Relaxed) - before;
    assert!(reads <= 12, "{reads} reads for one of 512 entries");
}

#[tokio::test(start_paused = true)]
async fn events_of_one_page_stand_by_time() {
    let house = House::plain();
    house.made(&["s"]).await;
    house.put("s", &[(START + 50, "late")]).await;
    house.put("s", &[(START + 10, "early"), (START + 60, "last")]).await;
    assert_eq!(house.all("s").await, ["early", "late", "last"]);
}

#[tokio::test(start_paused = true)]
async fn filters_by_stream_time_and_pattern() {
    let house = twelve().await;
    let named = |names: &[&str]| Streams::Named(names.iter().map(ToString::to_string).collect());
    let ask = |streams, pattern: &str| FilterEvents {
        streams,
        pattern: Pattern::parse(pattern).unwrap(),
        ..FilterEvents::default()
    };
    assert_eq!(house.find(ask(Streams::All, "")).await.len(), 18);
    assert_eq!(house.find(ask(Streams::All, "?e3 ?e11")).await, ["e3", "e11"]);
    assert_eq!(house.find(ask(named(&["other"]), "")).await, ["x"; 6]);
    assert_eq!(house.find(ask(Streams::Prefix("o".into()), "-x")).await.len(), 0);
    let timed = FilterEvents { start: Some(START + 1000), end: Some(START + 1000), ..ask(named(&["s"]), "") };
    assert_eq!(house.find(timed).await, numbered(2..4));
}

#[tokio::test(start_paused = true)]
async fn filter_pages_cover_everything_once_with_unique_ids() {
    for scan_entries in [1, 8192] {
        let house = twelve().await.crash(Options { scan_entries, ..Options::default() });
        let mut request = FilterEvents { limit: 5, ..FilterEvents::default() };
        let (mut seen, mut ids) = (Vec::new(), std::collections::BTreeSet::new());
        loop {
            let page = house.logs.filter_events(&house.ns, GROUP, &request).await.unwrap();
            seen.extend(texts(&page.events));
            ids.extend(page.events.iter().map(Event::id));
            assert!(ids.iter().all(|id| id.len() == 56));
            request.token = page.next;
            if request.token.is_none() {
                break;
            }
        }
        seen.retain(|text| text != "x");
        assert_eq!((seen, ids.len()), (numbered(0..12), 18));
    }
}

#[tokio::test(start_paused = true)]
async fn strange_tokens_are_refused() {
    let house = twelve().await;
    for strange in
        ["", "f/", "f/1", "x/000000000000000000000000000000", "b/é", "f/+0000000000000000000000000000"]
    {
        let error = house.logs.get_events(&house.ns, GROUP, "s", &token(1, strange)).await.unwrap_err();
        assert_eq!(error.code, "log_token_invalid", "{strange}");
    }
    let far = format!("f/{}{}", u64::MAX, u32::MAX);
    assert_eq!(page(&house, token(1, &far)).await.events.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn h4_damaged_entries_are_an_error_and_never_served() {
    let house = twelve().await;
    house.log.damage();
    let request = GetEvents { from_head: true, limit: 5, ..GetEvents::default() };
    let error = house.logs.get_events(&house.ns, GROUP, "s", &request).await.unwrap_err();
    assert_eq!(error.code, "log_damaged");
    assert_eq!(error.public, "an internal error occurred");
}
