use anyfn_types::HttpHead;
use bytes::{BufMut as _, Bytes, BytesMut};

use super::{CallHead, Fault, Garbled, Kind, Stats, Why, put, put_reply, take, take_reply};

fn head() -> CallHead {
    CallHead {
        function: 7,
        left_ms: 3000,
        answer_max: 6 << 20,
        log_max: 1,
        body_len: 4,
        id: "0f0e0d0c-0b0a-0908-0706-050403020100".into(),
        http: Some(HttpHead {
            method: "PUT".into(),
            target: "/a?b=c".into(),
            headers: vec![
                ("host".into(), Bytes::from_static(b"example.com")),
                ("x".into(), Bytes::from_static(&[0xff, 0])),
            ],
        }),
    }
}

#[test]
fn frames_come_back_however_they_are_cut() {
    let mut out = BytesMut::new();
    put(&mut out, Kind::Call, 1, |out| {
        head().put(out);
        out.put_slice(b"body");
    });
    put(&mut out, Kind::Cancel, 2, |_| {});
    let fault = Fault { why: Why::Memory, stats: Stats { memory_bytes: 9 }, text: "é".into() };
    put(&mut out, Kind::Failed, u32::MAX, |out| fault.put(out));
    for cut in 0..=out.len() {
        let mut buffer = BytesMut::from(&out[..cut]);
        let mut found = Vec::new();
        while let Some(frame) = take(&mut buffer).unwrap() {
            found.push(frame);
        }
        buffer.extend_from_slice(&out[cut..]);
        while let Some(frame) = take(&mut buffer).unwrap() {
            found.push(frame);
        }
        assert_eq!(
            found.iter().map(|f| (f.0, f.1)).collect::<Vec<_>>(),
            [(Kind::Call, 1), (Kind::Cancel, 2), (Kind::Failed, u32::MAX)]
        );
        let mut payload = found[0].2.clone();
        assert_eq!(CallHead::take(&mut payload).unwrap(), head());
        assert_eq!(&payload[..], b"body");
        assert_eq!(Fault::take(&mut found[2].2.clone()).unwrap(), fault);
    }
}

#[test]
fn heads_of_answers_come_back() {
    let mut out = BytesMut::new();
    put_reply(&mut out, Some((204, [(&b"a"[..], &b"1"[..]), (b"a", b"2")].into_iter())));
    let (status, headers) = take_reply(&mut out.freeze()).unwrap().unwrap();
    assert_eq!((status, headers.len(), &*headers[1].0, &headers[1].1[..]), (204, 2, "a", &b"2"[..]));
    let mut none = BytesMut::new();
    put_reply(&mut none, None::<(u16, std::iter::Empty<(&[u8], &[u8])>)>);
    assert_eq!(take_reply(&mut none.freeze()), Ok(None));
}

/// A host that was broken into may send anything.
#[test]
fn what_is_malformed_is_an_error_and_never_a_panic() {
    let whole = {
        let mut out = BytesMut::new();
        head().put(&mut out);
        out.freeze()
    };
    for cut in 0..whole.len() {
        assert_eq!(CallHead::take(&mut whole.slice(..cut)), Err(Garbled), "{cut}");
    }
    let mut long = BytesMut::new();
    long.put_u32_le(u32::MAX);
    long.put_slice(&[0; 5]);
    assert!(matches!(take(&mut long), Err(Garbled)));
    let mut strange = BytesMut::from(&[0, 0, 0, 0, 99, 0, 0, 0, 0][..]);
    assert!(matches!(take(&mut strange), Err(Garbled)));
    for bytes in [&[7, 0, 0][..], &[200, 0, 0xff, 0xff], &[200, 0, 1, 0, 9, 0]] {
        assert_eq!(take_reply(&mut Bytes::copy_from_slice(bytes)), Err(Garbled), "{bytes:?}");
    }
    assert_eq!(Fault::take(&mut Bytes::from_static(&[99])), Err(Garbled));
}
