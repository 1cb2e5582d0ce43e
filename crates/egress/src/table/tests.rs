use std::net::SocketAddrV4;

use super::*;
use crate::packet::Protocol;

fn key(port: u16) -> Key {
    Key { protocol: Protocol::Tcp, guest_port: port, to: SocketAddrV4::new([8, 8, 8, 8].into(), 443) }
}

#[test]
fn d15_flows_are_limited_per_instance_and_per_host() {
    let (host, open) = (Arc::new(Semaphore::new(15)), Gauge::default());
    let first = Table::new(10, host.clone(), open.clone());
    let second = Table::new(10, host.clone(), open.clone());
    let held: Vec<_> = (1..=50_000_u16).filter_map(|port| first.open(key(port), 1).ok()).collect();
    assert_eq!((held.len(), first.len()), (10, 10));
    let more: Vec<_> = (1..=50_000_u16).filter_map(|port| second.open(key(port), 1).ok()).collect();
    assert_eq!((more.len(), open.get()), (5, 15));
    assert_eq!(first.open(key(9), 1).unwrap_err(), Full::Instance);
    assert_eq!(second.open(key(9), 1).unwrap_err(), Full::Host);
    drop((held, more));
    assert_eq!((first.len(), second.len(), open.get(), host.available_permits()), (0, 0, 0, 15));
}

#[test]
fn a_slow_flow_loses_packets_and_holds_no_more_than_its_depth() {
    let table = Table::new(1, Arc::new(Semaphore::new(1)), Gauge::default());
    let (_place, mut inbox) = table.open(key(1), 3).unwrap();
    assert!((0..100).all(|i| table.deliver(&key(1), &[i])));
    let got: Vec<_> = std::iter::from_fn(|| inbox.try_recv().ok()).collect();
    assert_eq!(got, [vec![0], vec![1], vec![2]]);
    assert!(!table.deliver(&key(2), &[0]));
}
