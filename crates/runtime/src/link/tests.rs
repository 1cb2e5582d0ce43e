//! Frames over a real socket pair.

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use super::{Answer, Heard, Link};
use crate::answer::Call;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap();
    [&length.to_le_bytes()[..], &[kind], payload].concat()
}

fn pair(limit: u64) -> (Link, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Link::new(ours, limit), theirs)
}

/// What the link hears of these bytes, as Debug text.
async fn heard(bytes: &[u8]) -> Vec<String> {
    let (mut link, mut guest) = pair(100);
    guest.write_all(bytes).await.unwrap();
    drop(guest);
    let mut all = Vec::new();
    loop {
        match link.hear().await {
            Heard::Closed => return all,
            Heard::Garbled => {
                all.push("Garbled".to_owned());
                return all;
            }
            other => all.push(format!("{other:?}")),
        }
    }
}

#[tokio::test]
async fn every_frame_is_understood() {
    let table: [(u8, &[u8], &str); 8] = [
        (16, b"", "Answer(Next)"),
        (18, b"{}", r#"AnswerAndNext(Whole(b"{}"))"#),
        (18, b"", r#"AnswerAndNext(Whole(b""))"#),
        (20, b"a/b", r#"Answer(StreamHead { content_type: Some("a/b") })"#),
        (20, b"", "Answer(StreamHead { content_type: None })"),
        (21, b"x", r#"Answer(Chunk(b"x"))"#),
        (22, b"", "Answer(StreamEnd)"),
        (
            19,
            b"\x02\0Ab{}",
            r#"AnswerAndNext(Failed(Failure { handled_by_runtime: true, error_type: "Ab", payload: b"{}" }))"#,
        ),
    ];
    for (kind, payload, expected) in table {
        assert_eq!(heard(&frame(kind, payload)).await, [expected]);
    }
}

#[tokio::test]
async fn frames_that_come_together_or_in_pieces_are_the_same() {
    let bytes = [frame(21, b"one"), frame(21, b"two"), frame(22, b"")].concat();
    let expected = [r#"Answer(Chunk(b"one"))"#, r#"Answer(Chunk(b"two"))"#, "Answer(StreamEnd)"];
    assert_eq!(heard(&bytes).await, expected);
    let (mut link, mut guest) = pair(100);
    let feed = async {
        for byte in bytes {
            guest.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let listen =
        async { [link.hear().await, link.hear().await, link.hear().await].map(|heard| format!("{heard:?}")) };
    let ((), all) = tokio::join!(feed, listen);
    assert_eq!(all, expected);
}

#[tokio::test]
async fn nonsense_is_garbled_and_never_allocates_what_it_claims() {
    let bytes: [&[u8]; 6] = [
        b"\0\0\0\0\0",
        b"\x01\0\0\0\x07",
        b"\xff\xff\xff\xff\x15",
        b"\xff\xff\xff\x7f\x13xxxx",
        &frame(19, b""),
        &frame(19, b"\xff\xffshort"),
    ];
    for bytes in bytes {
        assert_eq!(heard(bytes).await, ["Garbled"], "{bytes:?}");
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_skipped_and_the_next_frame_is_read() {
    let bytes =
        [frame(18, &[b'x'; 101]), frame(18, &[b'y'; 100]), frame(18, &vec![b'z'; 1_000_000]), frame(16, b"")]
            .concat();
    let (mut link, mut guest) = pair(100);
    let feed = async { guest.write_all(&bytes).await.unwrap() };
    let listen = async {
        assert!(matches!(link.hear().await, Heard::AnswerAndNext(Answer::TooLarge(101))));
        assert!(matches!(link.hear().await, Heard::AnswerAndNext(Answer::Whole(body)) if body.len() == 100));
        assert!(matches!(link.hear().await, Heard::AnswerAndNext(Answer::TooLarge(1_000_000))));
        assert!(matches!(link.hear().await, Heard::Answer(Answer::Next)));
        assert!(link.buffer.capacity() < 200_000, "{}", link.buffer.capacity());
    };
    tokio::join!(feed, listen);
}

#[tokio::test]
async fn a_call_is_one_frame_whatever_its_size() {
    for size in [0, 10, 16 * 1024, 16 * 1024 + 1, 3_000_000] {
        let (mut link, mut guest) = pair(100);
        let call = Call {
            id: "i".to_owned(),
            body: Bytes::from(vec![7; size]),
            deadline_ms: 0x0102,
            arn: "ar".to_owned(),
            trace: String::new(),
            client_context: "{}".to_owned(),
        };
        let send = async {
            link.invoke(&call).await.unwrap();
            drop(link);
        };
        let mut bytes = Vec::new();
        let read = async { guest.read_to_end(&mut bytes).await.unwrap() };
        tokio::join!(send, read);
        let head = b"\x01\x02\x01\0\0\0\0\0\0\x01\0i\x02\0ar\0\0\x02\0{}\0\0";
        let length = u32::try_from(head.len() + size).unwrap().to_le_bytes();
        assert_eq!(&bytes[..4], length);
        assert_eq!(&bytes[4..4 + head.len()], head);
        assert_eq!(bytes.len(), 4 + head.len() + size);
    }
}
