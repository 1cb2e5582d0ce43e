use std::sync::atomic::Ordering;

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_printed_can_be_read_after_flush() {
    let house = House::plain();
    house.print("s", &["one", "two"]);
    house.print("s", &["three"]);
    house.logs.flush().await;
    assert_eq!(house.all("s").await, ["one", "two", "three"]);
    assert_eq!(house.log.entries(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_stops_waiting_for_a_flush_loses_nothing() {
    use futures_util::FutureExt as _;
    let house = House::plain();
    house.print("s", &["one"]);
    assert!(house.logs.flush().now_or_never().is_none());
    house.logs.flush().await;
    assert_eq!(house.all("s").await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_put_that_is_cut_off_leaves_the_group_as_the_log_has_it() {
    use futures_util::FutureExt as _;
    let house = House::plain();
    house.made(&["s"]).await;
    house.put("s", &[(START, "one")]).await;
    let cut = vec![PutEvent { at: START, text: "cut".into() }];
    assert!(house.logs.put_events(&house.ns, GROUP, "s", cut).now_or_never().is_none());
    house.put("s", &[(START + 1, "two")]).await;
    assert_eq!(house.all("s").await, ["one", "two"]);
    let latest = GetEvents { limit: 9, ..GetEvents::default() };
    let page = house.logs.get_events(&house.ns, GROUP, "s", &latest).await.unwrap();
    assert_eq!(texts(&page.events), ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn the_writer_writes_by_itself_and_once_more_when_it_stops() {
    let house = House::plain();
    house.print("s", &["one"]);
    tokio::time::timeout(std::time::Duration::from_secs(1), async {
        while house.log.entries() == 0 {
            house.wait(10).await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    house.print("s", &["two"]);
    assert!(house.base.tasks.drain(std::time::Duration::from_secs(5)).await.left.is_empty());
    house.print("s", &["after the drain"]);
    house.logs.finish().await;
    let house = house.crash(Options::default());
    assert_eq!(house.all("s").await, ["one", "two", "after the drain"]);
}

#[tokio::test(start_paused = true)]
async fn g6_what_does_not_fit_is_dropped_counted_and_told() {
    let house = House::new(Options { stream_queue_bytes: 4096, ..Options::default() });
    for _ in 0..100 {
        house.print("s", &["x".repeat(952).as_str()]);
    }
    house.logs.flush().await;
    house.print("s", &["after"]);
    house.logs.flush().await;
    let all = house.all("s").await;
    // 512 for the stream and 48 for each line, so three lines of 952 bytes fit.
    assert_eq!(all.len(), 3 + 1 + 1);
    assert_eq!(
        all[3],
        "[anyfn] 97 log lines (92344 bytes) were dropped: they came faster than they could be stored"
    );
    assert_eq!(all[4], "after");
    assert_eq!(house.logs.0.dropped.get(), 97);
}

#[tokio::test(start_paused = true)]
async fn d6_a_flood_takes_nothing_from_its_neighbours() {
    let options = Options { stream_queue_bytes: 512 << 10, queue_bytes: 1 << 20, ..Options::default() };
    let house = House::new(options);
    let wide = "f".repeat(1000);
    for flood in 0..8 {
        for _ in 0..1000 {
            house.print(&format!("flood{flood}"), &[wide.as_str()]);
        }
    }
    for neighbour in 0..20 {
        house.print(&format!("quiet{neighbour}"), &["a", "b"]);
    }
    house.logs.flush().await;
    for neighbour in 0..20 {
        assert_eq!(house.all(&format!("quiet{neighbour}")).await, ["a", "b"]);
    }
}

#[tokio::test(start_paused = true)]
async fn d6_one_huge_line_is_cut_between_characters_and_marked() {
    let house = House::plain();
    let huge = format!("a{}", "é".repeat(10 << 20));
    house.print("s", &[huge.as_str()]);
    house.logs.flush().await;
    let all = house.all("s").await;
    assert!(all[0].ends_with("é [cut]") && all[0].len() <= 256 << 10, "{}", all[0].len());
}

#[tokio::test(start_paused = true)]
async fn d6_a_million_targets_do_not_pass_the_bound() {
    let house = House::new(Options { queue_bytes: 100 * 512, ..Options::default() });
    for number in 0..10_000 {
        house.print(&format!("s{number}"), &["x"]);
    }
    house.logs.flush().await;
    assert!(house.log.entries() <= 100);
    assert_eq!(house.logs.0.dropped.get(), 10_000 - house.log.entries() as u64);
}

#[tokio::test(start_paused = true)]
async fn h3_a_full_disk_drops_counts_and_heals() {
    let house = House::plain();
    house.print("s", &["kept"]);
    house.logs.flush().await;
    house.log.fail_appends.store(true, Ordering::Relaxed);
    house.print("s", &["lost", "lost too"]);
    house.logs.flush().await;
    house.log.fail_appends.store(false, Ordering::Relaxed);
    house.print("s", &["again"]);
    house.logs.flush().await;
    let all = house.all("s").await;
    assert_eq!(all[..2], ["kept", "again"]);
    assert!(all[2].starts_with("[anyfn] 2 log lines (12 bytes) were dropped"), "{}", all[2]);
    assert_eq!(house.logs.0.dropped.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn f5_names_that_no_group_may_have_are_dropped_and_counted() {
    let house = House::plain();
    house.print_in("no spaces", "s", &["x"]);
    house.print("a:b", &["x"]);
    house.logs.flush().await;
    assert_eq!((house.log.entries(), house.logs.0.dropped.get()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn d12_many_groups_and_streams_stay_within_the_caches() {
    let options = Options { groups_cached: 16, streams_cached: 8, ..Options::default() };
    let house = House::new(options);
    for number in 0..300 {
        house.print_in(&format!("g{number}"), "s", &["x"]);
        house.print(&format!("s{number}"), &["x"]);
        house.logs.flush().await;
        assert!(house.logs.open_groups() <= 17, "{}", house.logs.open_groups());
    }
    for number in [0, 150, 299] {
        assert_eq!(house.all(&format!("s{number}")).await, ["x"]);
    }
}
