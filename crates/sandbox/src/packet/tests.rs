use std::{fs::File, io::Read as _};

use super::*;
use crate::proto::{Order, Report};

#[test]
fn values_and_descriptors_arrive_together_and_in_order() {
    let (ours, theirs) = pair().unwrap();
    let (read, write) = rustix::pipe::pipe().unwrap();
    send_value(&ours, &Report::Spawned { process: 1 }, &[]).unwrap();
    send_value(&ours, &Report::Ready { listener: true, tun: false }, &[write.as_fd()]).unwrap();
    drop(write);
    let mut buffer = vec![0; 1024];
    let (len, fds) = receive(theirs.as_fd(), &mut buffer).unwrap().unwrap();
    assert!(matches!(decode(&buffer[..len]).unwrap(), Report::Spawned { process: 1 }));
    assert_eq!(fds.len(), 0);
    let (len, mut fds) = receive(theirs.as_fd(), &mut buffer).unwrap().unwrap();
    assert!(matches!(decode(&buffer[..len]).unwrap(), Report::Ready { listener: true, tun: false }));
    let passed = fds.pop().unwrap();
    assert!(rustix::io::fcntl_getfd(&passed).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    rustix::io::write(&passed, b"x").unwrap();
    drop(passed);
    let mut text = String::new();
    File::from(read).read_to_string(&mut text).unwrap();
    assert_eq!(text, "x");
    drop(ours);
    assert!(receive(theirs.as_fd(), &mut buffer).unwrap().is_none());
}

#[test]
fn the_largest_frame_fits_and_a_larger_one_is_refused_before_it_is_sent() {
    let spawn = |len: usize| Order::Spawn {
        process: 1,
        argv: vec!["a".repeat(len)],
        env: vec![],
        cwd: "/".into(),
        fds: vec![],
    };
    let rest = encode(&spawn(0)).unwrap().len();
    let (ours, theirs) = pair().unwrap();
    send_value(&ours, &spawn(PACKET_MAX - rest), &[]).unwrap();
    let mut buffer = vec![0; PACKET_MAX];
    assert_eq!(receive(theirs.as_fd(), &mut buffer).unwrap().unwrap().0, PACKET_MAX);
    let error = send_value(&ours, &spawn(PACKET_MAX - rest + 1), &[]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_packet_that_does_not_fit_is_an_error_and_not_half_a_value() {
    let (ours, theirs) = pair().unwrap();
    send(ours.as_fd(), &[b' '; 100], &[]).unwrap();
    assert_eq!(receive(theirs.as_fd(), &mut [0; 99]).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_was_sent_before_an_abrupt_end_is_still_read() {
    let (ours, theirs) = pair().unwrap();
    // Unread by the other end, which makes its close a reset for us.
    send(theirs.as_fd(), b"unread", &[]).unwrap();
    send(ours.as_fd(), b"last words", &[]).unwrap();
    drop(ours);
    let mut buffer = [0; 64];
    assert_eq!(receive(theirs.as_fd(), &mut buffer).unwrap().unwrap().0, 10);
    assert!(receive(theirs.as_fd(), &mut buffer).unwrap().is_none());
}
