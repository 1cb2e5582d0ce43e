use bytes::{Bytes, BytesMut};

use super::{FrameError, HeaderValue, Message};

#[test]
fn an_empty_frame_is_the_published_one() {
    let frame = Message::default().encode().expect("a frame");
    assert_eq!(frame[..], [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff]);
}

fn sample() -> Message {
    let mut message = Message::event("Chunk", "application/json", Bytes::from_static(b"{'foo':'bar'}"));
    for (name, value) in [
        ("bool", HeaderValue::Bool(true)),
        ("int", HeaderValue::Int(-4)),
        ("long", HeaderValue::Long(1 << 40)),
        ("blob", HeaderValue::Blob(Bytes::from_static(b"\0\xff"))),
        ("when", HeaderValue::Timestamp(1_700_000_000_000)),
    ] {
        message.headers.push((name.to_owned(), value));
    }
    message
}

#[test]
fn frames_come_back_byte_by_byte() {
    let frame = sample().encode().expect("a frame");
    let mut input = BytesMut::new();
    let mut found = Vec::new();
    for byte in frame.iter().chain(frame.iter()) {
        input.extend_from_slice(&[*byte]);
        found.extend(Message::decode(&mut input).expect("never wrong"));
    }
    assert_eq!(found, [sample(), sample()]);
    assert!(input.is_empty());
}

#[test]
fn every_flipped_bit_is_seen() {
    let frame = sample().encode().expect("a frame");
    for at in 0..frame.len() * 8 {
        let mut broken = BytesMut::from(&frame[..]);
        broken[at / 8] ^= 1 << (at % 8);
        assert_eq!(Message::decode(&mut broken), Err(FrameError::Checksum), "bit {at}");
    }
}

#[test]
fn limits_are_kept() {
    let payload = |len| Message::new(&[], Bytes::from(vec![0; len])).encode().map(|frame| frame.len());
    assert_eq!(payload(16 << 20), Ok((16 << 20) + 16));
    assert_eq!(payload((16 << 20) + 1), Err(FrameError::TooLong));
    assert_eq!(Message::new(&[(&"n".repeat(256), "")], Bytes::new()).encode(), Err(FrameError::TooLong));
    assert_eq!(Message::new(&[("n", &"v".repeat(1 << 15))], Bytes::new()).encode(), Err(FrameError::TooLong));
}
