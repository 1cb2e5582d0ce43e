//! What must survive a crash, and what must be forgotten.

use super::*;
use crate::{ListStreams, Swept};

async fn stream_infos(house: &House) -> Vec<crate::StreamInfo> {
    let request = ListStreams { limit: 1000, ..ListStreams::default() };
    house.logs.list_streams(&house.ns, GROUP, &request).await.unwrap().streams
}

#[tokio::test(start_paused = true)]
async fn streams_are_rebuilt_from_the_log_after_a_crash() {
    let house = House::new(Options { streams_cached: 4, ..Options::default() });
    for turn in 0..5 {
        for stream in 0..9 {
            house.print(&format!("s{stream}"), &[&format!("{turn}")]);
        }
        house.logs.flush().await;
        if turn == 2 {
            house.logs.checkpoint().await.unwrap();
        }
        house.wait(1000).await;
    }
    let house = house.crash(Options { streams_cached: 4, ..Options::default() });
    for stream in 0..9 {
        assert_eq!(house.all(&format!("s{stream}")).await, ["0", "1", "2", "3", "4"]);
    }
    let infos = stream_infos(&house).await;
    assert_eq!(infos.len(), 9);
    for info in infos {
        assert_eq!((info.first_event, info.last_event), (Some(START), Some(START + 4000)));
        assert_eq!(info.stored_bytes, 5 * 27);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_stream_stays_deleted_and_a_new_one_starts_empty() {
    let house = House::plain();
    house.print("s", &["old"]);
    house.print("t", &["kept"]);
    house.logs.flush().await;
    house.logs.delete_stream(&house.ns, GROUP, "s").await.unwrap();
    let house = house.crash(Options::default());
    let gone = house.logs.get_events(&house.ns, GROUP, "s", &GetEvents::default()).await;
    assert_eq!(gone.unwrap_err().code, "log_stream_not_found");
    assert_eq!(house.find(FilterEvents::default()).await, ["kept"]);
    house.logs.create_stream(&house.ns, GROUP, "s").await.unwrap();
    assert!(house.all("s").await.is_empty());
    house.print("s", &["new"]);
    house.logs.flush().await;
    let house = house.crash(Options::default());
    assert_eq!(house.all("s").await, ["new"]);
    assert_eq!(house.find(FilterEvents::default()).await, ["kept", "new"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_group_leaves_nothing_and_comes_back_empty_when_printed_to() {
    let house = House::plain();
    house.print("s", &["old"]);
    house.logs.flush().await;
    house.logs.delete_group(&house.ns, GROUP).await.unwrap();
    assert_eq!((house.records.keys(), house.log.names()), (Vec::<String>::new(), Vec::<String>::new()));
    house.print("s", &["new"]);
    house.logs.flush().await;
    assert_eq!(house.all("s").await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn the_sweep_finishes_a_deletion_that_a_crash_cut() {
    use anyfn_core::ports::{Expect, Records as _};
    let house = House::plain();
    house.print("s", &["old"]);
    house.logs.finish().await;
    let id = house.logs.group(&house.ns, GROUP, None).await.unwrap().record.id.clone();
    let grave = crate::names::grave_key(&house.ns, &id);
    let name = serde_json::to_vec(GROUP).unwrap();
    // Cut before the group's record went: the group lives on.
    house.records.put(&grave, name.clone().into(), Expect::Any).await.unwrap();
    assert_eq!(house.logs.sweep().await.unwrap(), Swept::default());
    assert_eq!(house.all("s").await, ["old"]);
    // Cut after it.
    house.records.put(&grave, name.into(), Expect::Any).await.unwrap();
    house.records.delete(&crate::names::group_key(&house.ns, GROUP), Expect::Any).await.unwrap();
    let house = house.crash(Options::default());
    assert_eq!(house.logs.sweep().await.unwrap(), Swept { graves: 1, ..Swept::default() });
    assert_eq!((house.records.keys(), house.log.names()), (Vec::<String>::new(), Vec::<String>::new()));
}

#[tokio::test(start_paused = true)]
async fn retention_hides_at_once_and_the_sweep_trims() {
    // The sweep of the background would be there first.
    let never = std::time::Duration::from_secs(1_000_000_000);
    let house = House::new(Options { sweep_every: never, ..Options::default() });
    for day in 0..5 {
        house.print(&format!("day{day}"), &["x"]);
        house.print("every", &[&format!("{day}")]);
        house.logs.flush().await;
        house.wait(DAY).await;
    }
    house.logs.set_retention(&house.ns, GROUP, Some(3)).await.unwrap();
    assert_eq!(house.all("every").await, ["2", "3", "4"]);
    house.wait(3_600_000 * 3).await;
    assert_eq!(house.all("every").await, ["3", "4"]);
    let swept = house.logs.sweep().await.unwrap();
    assert_eq!(swept, Swept { entries: 6, streams: 3, graves: 0 });
    assert_eq!(house.all("every").await, ["3", "4"]);
    let latest = GetEvents { limit: 10, ..GetEvents::default() };
    assert_eq!(
        texts(&house.logs.get_events(&house.ns, GROUP, "every", &latest).await.unwrap().events),
        ["3", "4"]
    );
    assert_eq!(house.logs.get_group(&house.ns, GROUP).await.unwrap().stored_bytes, 4 * 27);
    assert_eq!(house.logs.sweep().await.unwrap(), Swept::default());
    house.wait(30 * DAY).await;
    house.logs.sweep().await.unwrap();
    assert!(house.all("every").await.is_empty());
    house.print("every", &["again"]);
    house.logs.flush().await;
    assert_eq!(house.all("every").await, ["again"]);
}

#[tokio::test(start_paused = true)]
async fn the_background_sweeps_by_itself() {
    let house = House::plain();
    house.print("s", &["old"]);
    house.print("t", &["old"]);
    house.logs.flush().await;
    house.logs.set_retention(&house.ns, GROUP, Some(1)).await.unwrap();
    assert_eq!(house.log.entries(), 2);
    for _ in 0..40 {
        house.wait(3_600_000).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(house.log.entries(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_the_known_numbers_of_days_are_taken() {
    let house = House::plain();
    house.made(&[]).await;
    for days in [0, 2, 4000] {
        let error = house.logs.set_retention(&house.ns, GROUP, Some(days)).await.unwrap_err();
        assert_eq!(error.code, "log_retention_invalid");
    }
    for days in [None, Some(1), Some(3653)] {
        house.logs.set_retention(&house.ns, GROUP, days).await.unwrap();
        assert_eq!(house.logs.get_group(&house.ns, GROUP).await.unwrap().retention_days, days);
    }
}

#[tokio::test(start_paused = true)]
async fn h11_a_clock_that_jumps_back_keeps_the_log_in_order() {
    let house = House::plain();
    house.print("s", &["one"]);
    house.logs.flush().await;
    house.base.clock.jump(-3_600_000);
    house.print("s", &["two"]);
    house.logs.flush().await;
    let request = GetEvents { from_head: true, limit: 9, ..GetEvents::default() };
    let page = house.logs.get_events(&house.ns, GROUP, "s", &request).await.unwrap();
    assert!(page.events.iter().all(|event| event.ingested == START));
    assert_eq!(texts(&page.events), ["two", "one"]);
}

#[tokio::test(start_paused = true)]
async fn puts_are_checked_as_documented() {
    let house = House::plain();
    house.made(&["s"]).await;
    let put = |events: Vec<(Millis, String)>| {
        let events = events.into_iter().map(|(at, text)| PutEvent { at, text: text.into() }).collect();
        house.logs.put_events(&house.ns, GROUP, "s", events)
    };
    let x = || "x".to_owned();
    for (events, code) in [
        (vec![], "log_events_invalid"),
        (vec![(START, String::new())], "log_events_invalid"),
        (vec![(START, x()), (START - 1, x())], "log_events_invalid"),
        (vec![(START - DAY - 1, x()), (START, x())], "log_events_invalid"),
        ((0..10_001).map(|_| (START, x())).collect(), "log_events_invalid"),
        (vec![(START, "x".repeat((256 << 10) - 25))], "log_events_too_large"),
        ((0..5).map(|_| (START, "x".repeat(250_000))).collect(), "log_events_too_large"),
    ] {
        assert_eq!(put(events).await.unwrap_err().code, code);
    }
    put(vec![(START, "x".repeat((256 << 10) - 26))]).await.unwrap();
    put((0..10_000).map(|_| (START, x())).collect()).await.unwrap();
    assert_eq!(house.find(FilterEvents::default()).await.len(), 10_000);
    let missing =
        house.logs.put_events(&house.ns, GROUP, "t", vec![PutEvent { at: START, text: "x".into() }]);
    assert_eq!(missing.await.unwrap_err().code, "log_stream_not_found");
}

#[tokio::test(start_paused = true)]
async fn puts_say_which_events_were_not_taken() {
    let house = House::plain();
    house.made(&["s"]).await;
    let old = START - 14 * DAY;
    let result = house.put("s", &[(old - 2, "a"), (old - 1, "b"), (old, "c")]).await;
    assert_eq!((result.too_old_end, result.expired_end, result.too_new_start), (Some(2), None, None));
    let ahead = START + 2 * 3_600_000;
    let result = house.put("s", &[(START, "d"), (ahead, "e"), (ahead + 1, "f")]).await;
    assert_eq!((result.too_old_end, result.expired_end, result.too_new_start), (None, None, Some(2)));
    assert_eq!(house.all("s").await, ["c", "d", "e"]);
    house.logs.set_retention(&house.ns, GROUP, Some(3)).await.unwrap();
    let result = house.put("s", &[(START - 3 * DAY - 1, "g"), (START - 3 * DAY, "h")]).await;
    assert_eq!((result.too_old_end, result.expired_end, result.too_new_start), (None, Some(1), None));
    assert_eq!(house.all("s").await, ["h", "d", "e"]);
    let none = house.put("s", &[(old - 1, "i")]).await;
    assert_eq!((none.too_old_end, none.expired_end), (Some(1), Some(1)));
}
