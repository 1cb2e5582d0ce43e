use super::*;

#[test]
fn the_stock_follows_demand_and_goes_to_zero() {
    let start = anyfn_base::Clock::system().now();
    let mut demand = Demand::new(start);
    for n in 0..100 {
        demand.count(start + Duration::from_millis(n * 10));
    }
    let of = |seconds: u64| share([demand].iter(), start + Duration::from_secs(seconds), 1000)[0];
    assert!((90..=100).contains(&of(1)), "{}", of(1));
    assert!((30..=40).contains(&of(11)), "{}", of(11));
    assert_eq!(of(50), LEAST);
    assert_eq!(of(62), 0);
}

#[test]
fn all_shapes_together_stay_within_the_bound() {
    let start = anyfn_base::Clock::system().now();
    let mut old = Demand::new(start);
    let mut new = Demand::new(start);
    for _ in 0..10 {
        old.count(start);
    }
    for _ in 0..6 {
        new.count(start + Duration::from_millis(1));
    }
    let now = start + Duration::from_millis(1);
    assert_eq!(share([old, new].iter(), now, 8), [2, 6]);
    assert_eq!(share([old, new].iter(), now, 0), [0, 0]);
}
