use super::*;

#[test]
fn the_rate_is_read_from_what_wrk_prints() {
    let text = "Running 1s test\n  100 requests in 1.00s\nRequests/sec:  52412.33\nTransfer/sec: 1MB\n";
    assert_eq!(told(text).unwrap(), 52412.33);
}

#[test]
fn a_run_with_failures_is_no_figure() {
    let refused = "  Non-2xx or 3xx responses: 7\nRequests/sec:  5.00\n";
    assert!(told(refused).unwrap_err().to_string().contains('7'));
    assert!(told("  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec: 5\n").is_err());
    assert!(told("unable to connect").is_err());
}
