use super::*;

#[test]
fn a_metric_is_the_sum_of_its_series() {
    let text =
        "# TYPE a_total counter\na_total{kind=\"x y\"} 2\na_total{kind=\"z\"} 3\na_total_b 9\nplain 1.5\n";
    assert_eq!(sum_of(text, "a_total"), Some(5.0));
    assert_eq!(sum_of(text, "plain"), Some(1.5));
    assert_eq!(sum_of(text, "a_tot"), None);
    assert_eq!(sum_of(text, "absent"), None);
}
