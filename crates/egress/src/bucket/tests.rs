use super::*;

fn taken(bucket: &mut Bucket, tries: usize, now: Instant) -> usize {
    (0..tries).filter(|_| bucket.take(now).is_ok()).count()
}

#[test]
fn d15_a_burst_then_the_rate() {
    let start = anyfn_base::Clock::system().now();
    let mut bucket = Bucket::new(100, 500, start);
    assert_eq!(taken(&mut bucket, 50_000, start), 500);
    assert_eq!(taken(&mut bucket, 50_000, start + Duration::from_secs(1)), 100);
    assert_eq!(taken(&mut bucket, 50_000, start + Duration::from_secs(3600)), 500);
}

#[test]
fn an_empty_bucket_says_when() {
    let start = anyfn_base::Clock::system().now();
    let mut bucket = Bucket::new(10, 1, start);
    assert_eq!(bucket.take(start), Ok(()));
    let wait = bucket.take(start).unwrap_err();
    assert!(wait <= Duration::from_millis(100) && wait > Duration::from_millis(99));
    assert_eq!(bucket.take(start + Duration::from_millis(101)), Ok(()));
}
