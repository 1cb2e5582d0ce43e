use std::{convert::Infallible, sync::Mutex};

use anyfn_base::Metrics;
use http_body_util::{BodyExt as _, Empty};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

use super::*;

const BOUNDS: Bounds = Bounds { bytes: 64 * 1024, headers: 100 };

/// What became of a stream: bytes that went on, heads among them, the refusal.
type Fate = (usize, usize, Option<Refusal>);

/// Shows the pieces one after the other, held bytes first, as the reader does.
fn follow<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Fate {
    let mut framing = Framing::new(BOUNDS);
    let (mut held, mut admitted, mut heads) = (Vec::new(), 0, 0);
    let clock = Clock::simulated(0);
    let now = clock.now();
    for piece in pieces {
        held.extend_from_slice(piece);
        let verdict = framing.admit(&held, || now);
        held.drain(..verdict.admitted);
        admitted += verdict.admitted;
        heads += verdict.heads;
        if verdict.refused.is_some() {
            return (admitted, heads, verdict.refused);
        }
    }
    (admitted, heads, None)
}

fn whole(stream: &[u8]) -> Fate {
    follow([stream])
}

#[track_caller]
fn refused(head: &str, status: u16, reason: &str) {
    let (admitted, heads, refusal) = whole(head.as_bytes());
    let refusal = refusal.unwrap_or_else(|| panic!("not refused: {head:?}"));
    assert_eq!((refusal.status, refusal.reason), (status, reason), "{head:?}");
    assert_eq!((admitted, heads), (0, 0), "{head:?}");
}

/// A request with one more header.
fn with(header: &str) -> String {
    format!("POST /a HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n")
}

#[test]
fn b1_lengths_that_two_servers_could_read_differently() {
    refused(&with("content-length: 3\r\ntransfer-encoding: chunked"), 400, "two_lengths");
    refused(&with("transfer-encoding: chunked\r\ncontent-length: 0"), 400, "two_lengths");
    refused(&with("content-length: 3\r\ncontent-length: 3"), 400, "content_length");
    refused(&with("content-length: 3\r\nContent-Length: 4"), 400, "content_length");
    for value in ["3, 3", "+3", "-3", "0x3", "3 3", "", "1e3", "3\t", "1234567890123456789"] {
        refused(&with(&format!("content-length: {value}")), 400, "content_length");
    }
    for value in [
        "xchunked",
        "chunked, identity",
        "identity, chunked",
        "identity",
        "Chunked",
        "chunked,",
        "",
        "\tchunked",
    ] {
        refused(&with(&format!("transfer-encoding: {value}")), 400, "transfer_encoding");
    }
    refused(&with("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), 400, "transfer_encoding");
    refused("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400, "transfer_encoding");
    refused(&with("transfer_encoding: chunked"), 400, "header_name");
    refused(&with("Content_Length: 3"), 400, "header_name");
}

#[test]
fn b1_lines_that_two_servers_could_cut_differently() {
    refused(&with("content-length : 3"), 400, "header_name");
    refused(&with(" folded: 3"), 400, "folded_line");
    refused(&with("a: b\r\n\tfolded"), 400, "folded_line");
    refused("GET / HTTP/1.1\nhost: a\r\n\r\n", 400, "line_end");
    refused("GET / HTTP/1.1\r\nhost: a\n\n", 400, "line_end");
    refused(&with("a: b\rc: d"), 400, "header_value");
    refused(&with("a: b\r\r"), 400, "header_value");
    refused(&with("no colon"), 400, "header_name");
    refused(&with(": nameless"), 400, "header_name");
    refused(&with("a\0b: c"), 400, "header_name");
    for control in (0..32_u8).chain([127]).filter(|b| !b"\t\n".contains(b)) {
        refused(&with(&format!("a: b{}c", char::from(control))), 400, "header_value");
    }
}

#[test]
fn b1_request_lines() {
    refused("\r\n\r\nGET / HTTP/1.1\r\n", 400, "request_line");
    refused("GET /\r\n", 400, "request_line");
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/11"] {
        let line = format!("GET / {version}\r\n");
        assert_eq!(whole(line.as_bytes()).2.map(|r| r.status), Some(400), "{line}");
    }
    for method in ["", "G(T", "G\0T", "GETGETGETGETGETGETGETGETGETGETGET", "\u{e9}"] {
        refused(&format!("{method} / HTTP/1.1\r\n"), 400, "method");
    }
    for target in [
        "",
        "a",
        "*",
        "/a b",
        "/a\tb",
        "/a#b",
        "/a\\b",
        "/\u{e9}",
        "/\x7f",
        "ftp://a/",
        "http:///",
        "http://u@a/",
        "a:80",
    ] {
        refused(&format!("GET {target} HTTP/1.1\r\n"), 400, "target");
    }
    refused("CONNECT a:80 HTTP/1.1\r\n", 400, "target");
    refused("PRI * HTTP/2.0\r\n\r\nXX", 400, "version");
}

#[test]
fn b1_exactly_one_host() {
    refused("GET / HTTP/1.1\r\n\r\n", 400, "host");
    refused("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, "host");
    refused("GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n", 400, "host");
    for host in ["a b", "a/b", "u@a", "a,b", "a\"", "a?b", "\u{e9}"] {
        refused(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"), 400, "host");
    }
    for accepted in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a:80\r\n\r\n",
        "GET HTTP://A:80/ HTTP/1.1\r\nhost: a:80\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nhost: \r\n\r\n",
    ] {
        assert_eq!(whole(accepted.as_bytes()), (accepted.len(), 1, None), "{accepted:?}");
    }
}

#[test]
fn b7_heads_have_bounds() {
    let many: String = (0..33_000).map(|n| format!("x{n}: 1\r\n")).collect();
    refused(&with(&many), 431, "headers");
    refused(&with(&format!("a: {}", "x".repeat(1 << 20))), 431, "head_too_large");
    refused(&with(&format!("{}: a", "x".repeat(300))), 431, "header_name");
    refused(&format!("GET /{} HTTP/1.1\r\n", "x".repeat(64 * 1024)), 414, "uri_too_long");
    refused(&format!("GET /{}", "x".repeat(64 * 1024)), 414, "uri_too_long");
    let fits = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(URL_BYTES - 1));
    assert_eq!(whole(fits.as_bytes()), (fits.len(), 1, None));
    refused(&fits.replacen('x', "xx", 1), 414, "uri_too_long");
}

fn chunks(body: &str) -> (usize, Option<&'static str>) {
    let head = with("transfer-encoding: chunked");
    let (admitted, heads, refusal) = whole(format!("{head}{body}").as_bytes());
    assert_eq!(heads, 1);
    (admitted - head.len(), refusal.map(|r| r.reason))
}

#[test]
fn b2_chunks() {
    let fine = "5;a=\"b\"\r\nhello\r\n00A\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n";
    assert_eq!(chunks(fine), (fine.len(), None));
    for (body, seen, reason) in [
        ("\r\n", 0, "chunk_size"),
        ("x\r\n", 0, "chunk_size"),
        (" 5\r\n", 0, "chunk_size"),
        ("5 \r\n", 1, "chunk_size"),
        ("5\n", 1, "chunk_size"),
        ("0x5\r\n", 1, "chunk_size"),
        ("-1\r\n", 0, "chunk_size"),
        ("FFFFFFFFFFFFFFFF\r\n", 15, "chunk_size"),
        ("0000000000000005\r\n", 15, "chunk_size"),
        ("5\rx", 2, "chunk_line_end"),
        ("5;a\nb", 3, "chunk_extension"),
        ("5;a\0", 3, "chunk_extension"),
        ("5\r\nhelloX", 8, "chunk_line_end"),
        ("5\r\nhello\n", 8, "chunk_line_end"),
        ("5\r\nhello\rX", 9, "chunk_line_end"),
        ("0\r\nX", 4, ""),
        ("0\r\n bad: 1\r\n", 3, "trailers"),
        ("0\r\nbad : 1\r\n", 6, "trailers"),
        ("0\r\na: b\n", 7, "trailers"),
        ("0\r\n\rX", 4, "chunk_line_end"),
    ] {
        let reason = (!reason.is_empty()).then_some(reason);
        assert_eq!(chunks(body), (seen, reason), "{body:?}");
    }
}

#[test]
fn b2_chunk_extensions_and_trailers_have_bounds() {
    let (seen, reason) = chunks(&format!("5;{}\r\nhello\r\n", "x".repeat(1 << 20)));
    assert_eq!((seen, reason), (2 + 256, Some("chunk_extension")));
    let (seen, reason) = chunks(&format!("1;{}\r\nx\r\n", "y".repeat(250)).repeat(1000));
    assert!(seen < 10_000, "{seen}");
    assert_eq!(reason, Some("chunk_extension"));
    assert_eq!(chunks(&format!("0\r\n{}", "a: b\r\n".repeat(33))).1, Some("trailers"));
    assert_eq!(chunks(&format!("0\r\na: {}", "b".repeat(1 << 20))).1, Some("trailers"));
}

#[test]
fn nothing_is_read_behind_the_last_message() {
    for first in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n",
        "POST / HTTP/1.0\r\ncontent-length: 1\r\n\r\nx",
    ] {
        let stream = format!("{first}GET /next HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(whole(stream.as_bytes()), (first.len(), 1, None), "{first:?}");
    }
    let kept = "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".repeat(2);
    assert_eq!(whole(kept.as_bytes()), (kept.len(), 2, None));
}

#[test]
fn b6_frames_without_a_use_are_counted() {
    let (clock, mut bytes) = (Clock::simulated(0), Vec::new());
    let now = clock.now();
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    bytes.extend_from_slice(&ping.repeat(1000));
    let mut frames = frames::Frames::new(now);
    for piece in bytes.chunks(7) {
        assert_eq!(frames.admit(piece, now), (piece.len(), None));
    }
    assert_eq!(frames.admit(&ping, now), (0, Some(Refusal::bad("frame_flood"))));
    let mut frames = frames::Frames::new(now);
    for second in 0..100 {
        let now = now + Duration::from_secs(second);
        assert_eq!(frames.admit(&ping.repeat(99), now).1, None, "a hundred each second are well");
    }
    // An honest download: two window updates for each 16 KiB that we sent.
    let update = [0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 64, 0];
    for _ in 0..100_000 {
        frames.sent(16 * 1024);
        assert_eq!(frames.admit(&update.repeat(2), now).1, None);
    }
}

/// Every byte that we let into a target is one that hyper's own type takes there.
#[test]
fn targets_that_pass_are_ones_that_hyper_takes() {
    for byte in 0..=255_u8 {
        for (before, after) in [("/a", "b"), ("/?a", "b"), ("/", "")] {
            let target = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            let head = [b"GET ", &target[..], b" HTTP/1.1\r\nhost: a\r\n\r\n"].concat();
            if whole(&head).2.is_none() {
                let uri = http::Uri::try_from(&target[..]).unwrap_or_else(|e| panic!("{byte:#x}: {e}"));
                assert_eq!(uri.to_string().as_bytes(), target, "{byte:#x}");
            }
        }
    }
}

/// Pieces of streams, sound and not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..40);
    let sound = prop_oneof![
        Just(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()),
        Just(b"\r\nGET /b?c=%20 HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nX: \xe9\r\n\r\n".to_vec()),
        body.clone().prop_map(|body| {
            [
                format!("PUT /p HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes(),
                body,
            ]
            .concat()
        }),
        prop::collection::vec(body, 0..4).prop_map(|bodies| {
            let mut out = b"POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for body in bodies.iter().filter(|body| !body.is_empty()) {
                out.extend_from_slice(format!("{:x};e=1\r\n", body.len()).as_bytes());
                out.extend_from_slice(body);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\nt: 1\r\n\r\n");
            out
        }),
    ];
    (sound, any::<prop::sample::Index>(), prop_oneof![8 => Just(None), 1 => any::<u8>().prop_map(Some)])
        .prop_map(|(mut bytes, at, change)| {
            if let Some(byte) = change {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 1..5).prop_map(|pieces| pieces.concat())
}

/// Bodies that hyper's own server read to their end from the stream.
async fn hyper_reads(stream: Vec<u8>) -> usize {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(&stream).await.unwrap();
    client.shutdown().await.unwrap();
    let read = Mutex::new(0);
    let service = service_fn(async |request: http::Request<hyper::body::Incoming>| {
        if request.into_body().collect().await.is_ok() {
            *read.lock().unwrap() += 1;
        }
        Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
    });
    let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service).await;
    read.into_inner().unwrap()
}

/// What comes out of the wrapper for a stream that arrives in the given pieces.
async fn passes(pieces: Vec<Vec<u8>>, room: usize) -> Vec<u8> {
    let (mut client, server) = tokio::io::duplex(1 << 16);
    let wait = Duration::from_secs(10);
    let patience = Patience { head: wait, idle: wait, write: wait };
    let watch = Arc::new(Watch::new(Metrics::new()));
    let mut strict = Strict::new(server, BOUNDS, patience, watch.clone(), Clock::system());
    let send = async move {
        for piece in pieces {
            let _ = client.write_all(&piece).await;
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        client
    };
    let receive = async {
        let (mut out, mut buf) = (Vec::new(), vec![0; room]);
        loop {
            let read = strict.read(&mut buf).await.unwrap();
            // Every request is answered as soon as it is read.
            drop(
                (0..watch.in_flight()).map(|_| crate::watch::Pending::of(watch.clone())).collect::<Vec<_>>(),
            );
            if read == 0 {
                return out;
            }
            out.extend_from_slice(&buf[..read]);
        }
    };
    tokio::join!(send, receive).1
}

fn cut(stream: &[u8], mut at: Vec<prop::sample::Index>) -> Vec<Vec<u8>> {
    let mut cuts: Vec<_> = at.drain(..).map(|i| i.index(stream.len())).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| stream[pair[0]..pair[1]].to_vec()).collect()
}

fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn b1_any_split_gives_the_same_fate(stream in streams(), at in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let pieces = cut(&stream, at);
        prop_assert_eq!(follow(pieces.iter().map(Vec::as_slice)), whole(&stream));
        prop_assert_eq!(follow(stream.chunks(1)), whole(&stream));
    }

    #[test]
    fn b1_the_parser_sees_what_was_admitted_and_nothing_else(
        stream in streams(),
        at in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        room in prop_oneof![Just(24_usize), Just(8192)],
    ) {
        let admitted = whole(&stream).0;
        let out = on_this_thread(passes(cut(&stream, at), room));
        prop_assert_eq!(&out[..], &stream[..admitted]);
    }

    /// The parser finds in the admitted bytes exactly the messages that we found: no more, no fewer.
    #[test]
    fn b1_hyper_and_we_read_the_same_messages(stream in streams()) {
        let (admitted, heads, _) = whole(&stream);
        // The last body may be unfinished: what went on is then the beginning of a message.
        let mut framing = Framing::new(BOUNDS);
        let now = Clock::simulated(0).now();
        framing.admit(&stream, || now);
        let ended = heads - usize::from(framing.in_body());
        let found = on_this_thread(hyper_reads(stream[..admitted].to_vec()));
        prop_assert_eq!(found, ended);
    }
}
