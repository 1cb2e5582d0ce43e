use super::*;

#[test]
fn quantiles_lie_between_the_nearest_ranks() {
    let sorted = [1.0, 2.0, 3.0, 4.0];
    let at = |share| quantile(&sorted, share);
    assert_eq!([at(0.0), at(0.5), at(0.9), at(1.0)], [1.0, 2.5, 3.7, 4.0]);
    assert_eq!(quantile(&[7.0], 0.99), 7.0);
    assert!(quantile(&[], 0.5).is_nan());
}

#[test]
fn a_summary_does_not_depend_on_the_order() {
    let summary = Summary::of((0..=100).rev().map(f64::from).collect()).unwrap();
    assert_eq!((summary.count, summary.min, summary.max), (101, 0.0, 100.0));
    assert_eq!([summary.p10, summary.median, summary.p90, summary.p99], [10.0, 50.0, 90.0, 99.0]);
    assert_eq!(summary.mean, 50.0);
}

#[test]
fn no_samples_and_no_numbers_give_no_summary() {
    assert_eq!(Summary::of(Vec::new()), None);
    assert_eq!(Summary::of(vec![1.0, f64::NAN]), None);
    assert_eq!(Summary::single(f64::INFINITY), None);
}

#[test]
fn a_histogram_gives_the_same_figures_within_its_three_digits() {
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    (1..=1000_u64).for_each(|micros| histogram.record(micros * 1000).unwrap());
    let summary = Summary::of_histogram(&histogram, 1e3).unwrap();
    for (found, exact) in
        [(summary.median, 500.0), (summary.p99, 990.0), (summary.p999, 999.0), (summary.mean, 500.5)]
    {
        assert!((found / exact - 1.0).abs() < 0.002, "{found} for {exact}");
    }
    assert_eq!(Summary::of_histogram(&hdrhistogram::Histogram::<u64>::new(3).unwrap(), 1.0), None);
}

#[test]
fn differences_are_taken_turn_by_turn() {
    assert_eq!(differences(&[5.0, 7.0, 9.0], &[1.0, 2.0]), [4.0, 5.0]);
}

#[test]
fn a_ratio_to_nothing_says_nothing() {
    assert_eq!(ratio(3.0, 2.0), Some(1.5));
    assert_eq!(ratio(3.0, 0.0), None);
    assert_eq!(ratio(-3.0, 2.0), None);
    assert_eq!(ratio(f64::NAN, 2.0), None);
}
