use std::sync::{Arc, Mutex};

use anyfn_base::Clock;
use anyfn_core::ports::{LogLine, LogSink, LogTarget};
use anyfn_types::Namespace;

use super::CallLog;

#[derive(Default)]
struct Seen(Mutex<Vec<Vec<String>>>);

impl LogSink for Seen {
    fn write(&self, _target: &LogTarget, lines: Vec<LogLine>) {
        let lines = lines.into_iter().map(|line| String::from_utf8(line.text.to_vec()).unwrap()).collect();
        self.0.lock().unwrap().push(lines);
    }
}

fn log(line_max: usize, tail: bool) -> (Arc<Seen>, CallLog) {
    let seen = Arc::new(Seen::default());
    let target = LogTarget {
        namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
        group: "g".into(),
        stream: "s".into(),
    };
    (seen.clone(), CallLog::new(Clock::system(), (seen, Arc::new(target)), line_max, tail))
}

#[test]
fn bytes_become_lines_and_go_out_once() {
    let (seen, log) = log(100, true);
    log.line("START".into());
    for piece in ["a", "b\nc\n\n", "d", "\ne"] {
        log.bytes(piece.as_bytes());
    }
    log.bytes(&[0xff, b'\n']);
    log.bytes(b"last");
    log.line("END".into());
    let tail = log.finish().unwrap();
    let lines = seen.0.lock().unwrap().clone();
    assert_eq!(lines.len(), 1, "one write for one call");
    assert_eq!(lines[0][..3], ["START", "ab", "c"]);
    assert_eq!(lines[0][4..], ["e\u{fffd}", "last", "END"]);
    assert_eq!(tail, lines[0].join("\n") + "\n");
}

#[test]
fn d6_long_lines_are_cut_and_marked_and_tails_are_short() {
    let (seen, log) = log(10, true);
    for _ in 0..1000 {
        log.bytes(b"0123456789abcdef");
        log.bytes(b"more\n");
    }
    let tail = log.finish().unwrap();
    let lines: Vec<_> = seen.0.lock().unwrap().concat();
    assert_eq!(lines.len(), 1000);
    assert!(lines.iter().all(|line| line == "0123456789 [line cut]"), "{}", lines[0]);
    assert_eq!(tail.len(), 4096);
}

#[test]
fn no_tail_unless_wanted() {
    let (_, log) = log(10, false);
    log.bytes(b"x\n");
    assert_eq!(log.finish(), None);
}
