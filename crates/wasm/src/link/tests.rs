use std::sync::{Arc, Mutex};

use anyfn_base::Base;
use anyfn_core::ports::{LogLine, LogSink, LogTarget};
use anyfn_types::Namespace;
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use tokio_util::sync::CancellationToken;

use super::{Event, Link};
use crate::{
    lines::CallLog,
    wire::{self, CHUNK, CallHead, FRAME_COST, Kind, Stats, WINDOW},
};

struct Nowhere;

impl LogSink for Nowhere {
    fn write(&self, _target: &LogTarget, _lines: Vec<LogLine>) {}
}

fn log(base: &Base) -> Arc<CallLog> {
    let target = LogTarget {
        namespace: Namespace::new("123456789012.eu-west-1").unwrap(),
        group: "g".into(),
        stream: "s".into(),
    };
    Arc::new(CallLog::new(base.clock.clone(), (Arc::new(Nowhere), Arc::new(target)), 100, false))
}

fn head(body: &Bytes) -> CallHead {
    CallHead {
        function: 1,
        left_ms: 0,
        answer_max: 1,
        log_max: 1,
        body_len: body.len() as u64,
        id: "i".into(),
        http: None,
    }
}

/// A link, and the host's end of it.
struct Both {
    base: Base,
    link: Arc<Link>,
    host: UnixStream,
    buffer: Mutex<BytesMut>,
    gone: CancellationToken,
}

impl Both {
    fn new() -> Self {
        let base = Base::system();
        let (ours, host) = UnixStream::pair().unwrap();
        let gone = CancellationToken::new();
        let link = Link::start(&base, ours, gone.clone());
        Self { base, link, host, buffer: Mutex::default(), gone }
    }

    async fn heard(&mut self) -> (Kind, u32, Bytes) {
        let mut buffer = std::mem::take(&mut *self.buffer.lock().unwrap());
        loop {
            if let Some(frame) = wire::take(&mut buffer).unwrap() {
                *self.buffer.lock().unwrap() = buffer;
                return frame;
            }
            assert!(self.host.read_buf(&mut buffer).await.unwrap() > 0);
        }
    }

    async fn say(&mut self, kind: Kind, call: u32, payload: &[u8]) {
        let mut out = BytesMut::new();
        wire::put(&mut out, kind, call, |out| out.put_slice(payload));
        self.host.write_all(&out).await.unwrap();
    }
}

fn answer(text: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    Stats::default().put(&mut out);
    out.put_u16_le(0);
    out.put_slice(text);
    out.to_vec()
}

#[tokio::test]
async fn answers_find_their_calls_in_any_order() {
    let mut both = Both::new();
    let body = Bytes::from(vec![7; 3 * CHUNK + 1]);
    let mut first = both.link.begin(&head(&body), &body, log(&both.base));
    let mut second = both.link.begin(&head(&Bytes::new()), &Bytes::new(), log(&both.base));
    let (kind, one, _) = both.heard().await;
    assert_eq!(kind, Kind::Call);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let (kind, call, piece) = both.heard().await;
        assert_eq!((kind, call), (Kind::Body, one));
        lengths.push(piece.len());
    }
    assert_eq!(lengths, [CHUNK, CHUNK, 1]);
    let (_, two, _) = both.heard().await;
    assert_eq!(both.link.running(), 2);
    both.say(Kind::Answer, two, &answer(b"two")).await;
    both.say(Kind::Answer, one, &answer(b"one")).await;
    for (call, text) in [(&mut first, "one"), (&mut second, "two")] {
        assert!(matches!(call.next().await, Some(Event::Answer(_, None, body)) if body == text));
    }
    drop((first, second));
    assert_eq!(both.link.running(), 0);
}

#[tokio::test]
async fn i3_who_goes_away_cancels_and_a_late_answer_is_nobodys() {
    let mut both = Both::new();
    let call = both.link.begin(&head(&Bytes::new()), &Bytes::new(), log(&both.base));
    let (_, number, _) = both.heard().await;
    drop(call);
    assert_eq!(both.heard().await, (Kind::Cancel, number, Bytes::new()));
    both.say(Kind::Answer, number, &answer(b"late")).await;
    let mut next = both.link.begin(&head(&Bytes::new()), &Bytes::new(), log(&both.base));
    let (_, number, _) = both.heard().await;
    both.say(Kind::Answer, number, &answer(b"mine")).await;
    assert!(matches!(next.next().await, Some(Event::Answer(_, None, body)) if body == "mine"));
}

#[tokio::test]
async fn d7_a_host_that_ignores_its_window_is_left() {
    let mut both = Both::new();
    let mut call = both.link.begin(&head(&Bytes::new()), &Bytes::new(), log(&both.base));
    let (_, number, _) = both.heard().await;
    let piece = vec![0; CHUNK];
    for _ in 0..WINDOW / (CHUNK + FRAME_COST) + 1 {
        both.say(Kind::Data, number, &piece).await;
    }
    both.gone.cancelled().await;
    let mut pieces = 0;
    while let Some(Event::Data(_)) = call.next().await {
        pieces += 1;
    }
    assert_eq!(pieces, WINDOW / (CHUNK + FRAME_COST));
}

#[tokio::test]
async fn a_host_that_speaks_otherwise_ends_all_its_calls() {
    for bytes in [&[0; 4][..], &[0xff; 64], &[0, 0, 0, 0, 0, 1, 0, 0, 0]] {
        let mut both = Both::new();
        let mut call = both.link.begin(&head(&Bytes::new()), &Bytes::new(), log(&both.base));
        both.heard().await;
        both.host.write_all(bytes).await.unwrap();
        both.host.shutdown().await.unwrap();
        assert!(call.next().await.is_none());
        both.gone.cancelled().await;
    }
}
