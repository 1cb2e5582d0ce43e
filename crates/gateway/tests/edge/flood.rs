//! B6: HTTP/2 that costs its sender nothing. 11 is ENHANCE_YOUR_CALM, 9 COMPRESSION_ERROR (RFC 9113 §7).

use anyfn_gateway::Options;

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, Two, field, fields,
        frame,
    },
    support::{Server, soon},
};

const CALM: u32 = 11;

async fn flooded(bytes: Vec<u8>) -> (Option<u32>, Server) {
    let server = Server::start(Options::default()).await;
    let code = Two::open(&server).await.flood(bytes).await;
    // Whoever came along at the same time is served.
    server.connect().await.get("/after").await;
    assert_eq!(Two::open(&server).await.get(1, "/two").await, (0x88, b"/two:0".to_vec()));
    soon(async {
        while server.base.tasks.alive().contains_key("stream") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    (code, server)
}

fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 2 * n + 1)
}

#[tokio::test]
async fn b6_rapid_reset() {
    let reset = |stream| {
        [
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields("/gate")),
            frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    };
    let (code, server) = flooded(streams(20_000).flat_map(reset).collect()).await;
    assert_eq!(code, Some(CALM));
    assert!(server.paths().len() < 1100, "{}", server.paths().len());
}

#[tokio::test]
async fn b6_rapid_reset_that_waits_for_each_request_to_be_taken_up() {
    let server = Server::start(Options::default()).await;
    let mut two = Two::open(&server).await;
    for stream in streams(5_000) {
        two.request(stream, "/gate").await;
        // The answer to a PING says that the server has read up to here.
        let mut both = frame(PING, 0, 0, &[0; 8]);
        both.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        two.0.send(both).await;
        loop {
            match two.next().await {
                Some((PING, 1, ..)) => break,
                Some((7, _, _, payload)) => {
                    assert_eq!(payload[4..8], CALM.to_be_bytes());
                    assert!(stream > 500, "an honest caller may take back some: {stream}");
                    assert!(server.paths().len() < 1100, "{}", server.paths().len());
                    return;
                }
                Some(_) => {}
                None => panic!("no GOAWAY"),
            }
        }
    }
    panic!("nobody minded");
}

#[tokio::test]
async fn b6_continuation_flood() {
    let mut bytes = frame(HEADERS, 0, 1, &fields("/a"));
    for n in 0..20_000 {
        bytes.extend(frame(CONTINUATION, 0, 1, &field(&format!("x{n}"), "y")));
    }
    let (code, server) = flooded(bytes).await;
    assert_eq!(code, Some(CALM));
    assert_eq!(server.paths(), ["/after", "/two"]);
}

#[tokio::test]
async fn b6_empty_continuation_flood() {
    let mut bytes = frame(HEADERS, 0, 1, &fields("/a"));
    bytes.extend(frame(CONTINUATION, 0, 1, &[]).repeat(100_000));
    assert_eq!(flooded(bytes).await.0, Some(CALM));
}

#[tokio::test]
async fn b6_ping_flood() {
    let (code, server) = flooded(frame(PING, 0, 0, &[0; 8]).repeat(100_000)).await;
    assert_eq!(code, Some(CALM));
    assert_eq!(server.metric("anyfn_http_refused_total{reason=\"frame_flood\"}"), 1);
}

#[tokio::test]
async fn b6_settings_flood() {
    assert_eq!(flooded(frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(100_000)).await.0, Some(CALM));
}

#[tokio::test]
async fn b6_empty_data_flood() {
    let mut bytes = frame(HEADERS, END_HEADERS, 1, &fields("/a"));
    bytes.extend(frame(DATA, 0, 1, &[]).repeat(100_000));
    assert_eq!(flooded(bytes).await.0, Some(CALM));
}

#[tokio::test]
async fn b6_hpack_bomb() {
    // One field of 4,000 bytes goes into the table; each further byte names it again.
    let mut bomb = fields("/a");
    bomb.push(0x40);
    bomb.extend_from_slice(&field("x", &"y".repeat(3900))[1..]);
    bomb.extend(std::iter::repeat_n(0x80 | 62, 12_000));
    let one = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &bomb);
    let (code, server) = flooded(streams(1_000).flat_map(one).collect()).await;
    assert!(code.is_some(), "no GOAWAY");
    assert_eq!(server.paths(), ["/after", "/two"], "no bomb reached a handler");
}

#[tokio::test]
async fn b7_http2_heads_have_bounds() {
    let server = Server::start(Options::default()).await;
    let mut two = Two::open(&server).await;
    let (status, body) = two.get(1, &format!("/{}", "x".repeat(16 * 1024 - 200))).await;
    assert_eq!((status, body.len()), (0x88, 16 * 1024 - 200 + 3));
    // A longer one needs two frames.
    let long = fields(&format!("/{}", "x".repeat(17_000)));
    two.0.send(frame(HEADERS, END_STREAM, 3, &long[..10_000])).await;
    two.0.send(frame(CONTINUATION, END_HEADERS, 3, &long[10_000..])).await;
    let many: Vec<u8> = (0..200).flat_map(|n| field(&format!("x{n}"), "y")).collect();
    two.0.send(frame(HEADERS, END_HEADERS | END_STREAM, 5, &[fields("/many"), many].concat())).await;
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        let (kind, _, stream, payload) = two.next().await.unwrap();
        if kind == DATA && !payload.is_empty() {
            bodies.push((stream, String::from_utf8(payload).unwrap()));
        }
    }
    bodies.sort();
    assert_eq!(bodies, [(3, "uri_too_long\n".to_owned()), (5, "headers\n".to_owned())]);
    assert_eq!(server.paths().len(), 1);
}

#[tokio::test]
async fn b12_http2_streams_that_are_taken_back_are_cleaned_up() {
    let server = Server::start(Options::default()).await;
    let mut two = Two::open(&server).await;
    let mut gives = Vec::new();
    for stream in streams(100) {
        two.request(stream, "/stream").await;
        gives.push(server.stream().await);
    }
    two.0.send(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).await;
    soon(gives[0].closed()).await;
    assert!(!gives[1].is_closed());
    drop(two);
    for give in &gives {
        soon(give.closed()).await;
    }
}
