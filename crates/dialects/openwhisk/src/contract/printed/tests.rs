use std::sync::Mutex;

use anyfn_base::Base;
use anyfn_types::Namespace;

use super::*;

#[derive(Default)]
struct Sink(Mutex<Vec<Bytes>>);

impl LogSink for Sink {
    fn write(&self, _: &LogTarget, lines: Vec<LogLine>) {
        self.0.lock().unwrap().extend(lines.into_iter().map(|line| line.text));
    }
}

fn printed(allowed: u64) -> (Printed, Arc<Sink>) {
    let sink = Arc::new(Sink::default());
    let namespace = Namespace::new("n").unwrap();
    let target = LogTarget { namespace, group: "g".into(), stream: "s".into() };
    let base = Base::simulated(0, 1);
    (Printed::new(base.clock, sink.clone(), target, allowed), sink)
}

#[test]
fn lines_carry_their_stream_and_sentinels_end_both() {
    let (mut printed, sink) = printed(1000);
    printed.feed(Stream::Out, b"one\ntw");
    printed.feed(Stream::Err, b"bad\nXXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n");
    assert!(!printed.ended());
    printed.feed(Stream::Out, b"o\nXXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\nrest");
    assert!(printed.ended());
    let at = "1970-01-01T00:00:00.000Z      ";
    let lines = ["stdout: one", "stderr: bad", "stdout: two", "stdout: rest"].map(|l| format!("{at} {l}"));
    assert_eq!(printed.take(), lines);
    assert!(!printed.ended());
    assert_eq!(sink.0.lock().unwrap().len(), 4);
}

#[test]
fn a_flood_is_cut_and_said_once() {
    let (mut printed, sink) = printed(100);
    for _ in 0..1000 {
        printed.feed(Stream::Out, b"123456789\n");
    }
    let lines = printed.take();
    assert_eq!(lines.len(), 11);
    assert!(lines[10].contains("exceeds the limit of 100 bytes"), "{}", lines[10]);
    assert_eq!(sink.0.lock().unwrap().len(), 11);
    printed.feed(Stream::Out, b"next\n");
    assert_eq!(printed.take().len(), 1);
}

#[test]
fn a_line_without_an_end_stays_small() {
    let (mut printed, _) = printed(10 << 20);
    for _ in 0..100 {
        printed.feed(Stream::Out, &[b'x'; 10_000]);
    }
    assert!(printed.take()[0].len() < LINE_BYTES + 100);
}
