//! Components that export `wasi:http/incoming-handler`.

use std::time::Duration;

use anyfn_core::{Frame, ReplyBody};
use anyfn_types::Mode;
use bytes::Bytes;

use crate::bench::{Bench, Spec, frames, get, guest};

#[tokio::test(flavor = "multi_thread")]
async fn a_component_answers_http() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    let got = up.get("/hello").await;
    assert_eq!((got.status, got.text().as_str()), (Some(200), "Hello, world!\n"));
    assert_eq!(got.headers, [("content-type".to_owned(), Bytes::from_static(b"text/plain"))]);
    let mut head = get("/head?q=1");
    head.headers.push(("x-one".to_owned(), Bytes::from_static(b"1")));
    let call = up.invocation(Some(head), b"");
    let got = up.call(&call, Duration::from_secs(20)).await.unwrap();
    assert_eq!(got.text(), "Method::Get /head?q=1 [\"1\"]");
    assert_eq!(up.get("/nowhere").await.status, Some(404));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_any_length_come_back() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    for len in [0, 1, 65_535, 65_536, 65_537, 1 << 20, 6 << 20] {
        let body: Vec<u8> = (0..len).map(|at: u32| (at % 251) as u8).collect();
        let mut head = get("/echo");
        head.method = "POST".to_owned();
        let call = up.invocation(Some(head), &body);
        let got = up.call(&call, Duration::from_secs(20)).await.unwrap();
        assert_eq!(got.status, Some(201), "{len}");
        assert!(got.result.unwrap() == body, "{len} bytes came back otherwise");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_piece_by_piece() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    let mut call = up.invocation(Some(get("/slow?5")), b"");
    call.mode = Mode::Stream;
    let deadline = up.base.clock.now() + Duration::from_secs(20);
    let reply = up.guest.invoke(&call, Some(deadline)).await.unwrap();
    assert_eq!(reply.head.unwrap().status, 200);
    let Ok(ReplyBody::Stream { frames: receiver, .. }) = reply.result else { panic!("no stream") };
    let (all, usable) = tokio::join!(frames(receiver), up.guest.settled());
    assert!(usable);
    let text: Vec<u8> = all
        .iter()
        .filter_map(|frame| if let Frame::Data(data) = frame { Some(data.to_vec()) } else { None })
        .flatten()
        .collect();
    assert_eq!(String::from_utf8(text).unwrap(), "part 0\npart 1\npart 2\npart 3\npart 4\n");
    assert!(all.len() > 2, "the parts came as one: {all:?}");
    assert!(matches!(all.last(), Some(Frame::End)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_http_is_a_post_with_the_body() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut up = bench.start(Spec::new(bytes)).await;
    let got = up.event(b"{}").await;
    assert_eq!(got.status, Some(404), "POST / reached the guest, which has no such path");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_and_the_log_are_the_functions_own() {
    let Some(bytes) = guest("http.wasm") else { return };
    let bench = Bench::new().await;
    let mut spec = Spec::new(bytes);
    spec.env = vec![("COLOUR", "green"), ("TZ", "Asia/Shanghai")];
    let mut up = bench.start(spec).await;
    let text = up.get("/env").await.text();
    let all: Vec<_> = text.lines().collect();
    assert!(all.contains(&"COLOUR=green"), "{text}");
    assert_eq!(all.iter().filter(|line| line.starts_with("TZ=")).collect::<Vec<_>>(), [&"TZ=Asia/Shanghai"]);
    let got = up.get("/log?3").await;
    let tail = got.tail.unwrap();
    let lines: Vec<_> =
        tail.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[..5], ["START RequestId:", "line 0", "line 1", "line 2", "END RequestId:"]);
    assert!(lines[5].starts_with("REPORT RequestId:"), "{tail}");
}
