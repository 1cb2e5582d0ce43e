use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;

/// Answers each request by `reply` of its number; gives its address and the count of requests.
fn server(reply: impl Fn(u64) -> &'static str + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let (reply, counted) = (Arc::new(reply), count.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, reply, counted) = (stream.unwrap(), reply.clone(), counted.clone());
            std::thread::spawn(move || {
                let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
                while let Ok(size @ 1..) = stream.read(&mut piece) {
                    seen.extend_from_slice(&piece[..size]);
                    while let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                        seen.drain(..end + 4);
                        let answer = reply(counted.fetch_add(1, Ordering::SeqCst));
                        if answer.is_empty() || stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    (address, count)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CLOSE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 429 No\r\ncontent-length: 4\r\n\r\nbusy";

fn get() -> Vec<Vec<u8>> {
    vec![b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()]
}

#[test]
fn the_open_schedule_is_even_and_does_not_drift() {
    let pace = Pace::Open(1_000_000.0 / 60.0);
    assert_eq!(pace.at(0), Some(Duration::ZERO));
    assert_eq!(pace.at(1), Some(Duration::from_micros(60)));
    assert_eq!(pace.at(1_000_000), Some(Duration::from_secs(60)));
    assert_eq!(pace.count(Duration::from_secs(60)), Some(1_000_000));
    assert_eq!((Pace::Closed.at(5), Pace::Closed.count(Duration::from_secs(1))), (None, None));
}

#[test]
fn an_open_run_sends_exactly_what_was_due() {
    let (address, count) = server(|_| OK);
    let (pace, span, requests) = (Pace::Open(2000.0), Duration::from_millis(100), get());
    let done = run(&Load { address, connections: 4, pace, span, requests: &requests, once: false }).unwrap();
    assert_eq!((done.due, done.ok, done.failed), (200, 200, 0));
    assert_eq!((done.latency.len(), count.load(Ordering::SeqCst)), (200, 200));
    assert_eq!(done.success(), 100.0);
}

#[test]
fn a_request_is_measured_from_when_it_should_have_left() {
    // The first answer waits until all later ones are due: with one connection nobody leaves meanwhile.
    let (address, _) = server(|n| {
        if n == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        OK
    });
    let (pace, span, requests) = (Pace::Open(100.0), Duration::from_millis(100), get());
    let done = run(&Load { address, connections: 1, pace, span, requests: &requests, once: false }).unwrap();
    assert_eq!((done.due, done.ok), (10, 10));
    // Request n was due at 10n ms and could not leave before 100 ms.
    assert!(done.latency.value_at_quantile(0.5) >= 40_000_000, "{}", done.latency.value_at_quantile(0.5));
}

#[test]
fn failures_are_counted_and_the_first_is_told() {
    let (address, _) = server(|n| if n % 2 == 0 { BUSY } else { OK });
    let (pace, span, requests) = (Pace::Open(1000.0), Duration::from_millis(20), get());
    let done = run(&Load { address, connections: 1, pace, span, requests: &requests, once: false }).unwrap();
    assert_eq!((done.due, done.ok, done.failed), (20, 10, 10));
    assert_eq!(done.first_failure.as_deref(), Some("429 busy"));
    assert_eq!(done.success(), 50.0);
}

#[test]
fn a_connection_that_ends_is_replaced() {
    let (address, _) = server(|n| if n % 5 == 4 { CLOSE } else { OK });
    let requests = vec![get().remove(0); 30];
    let (pace, span) = (Pace::Closed, Duration::from_secs(20));
    let done = run(&Load { address, connections: 2, pace, span, requests: &requests, once: true }).unwrap();
    assert_eq!((done.due, done.ok, done.failed), (30, 30, 0));
}

#[test]
fn a_connection_that_breaks_loses_only_its_request() {
    let (address, _) = server(|n| if n == 3 { "" } else { OK });
    let requests = vec![get().remove(0); 30];
    let (pace, span) = (Pace::Closed, Duration::from_secs(20));
    let done = run(&Load { address, connections: 2, pace, span, requests: &requests, once: true }).unwrap();
    assert_eq!((done.due, done.ok, done.failed), (30, 29, 1));
}
