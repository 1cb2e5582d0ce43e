//! B1, B2, B7, B10, B11, G3 over a real connection.

use anyfn_gateway::Options;

use crate::support::{Server, get, statuses};

/// Sends a sound request, the bad head and a smuggled request in one go.
async fn refused(bad: &str, status: u16) {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    let answers = client.send(format!("{}{bad}{}", get("/first"), get("/smuggled"))).await.rest().await;
    assert_eq!(statuses(&answers), [200, status], "{bad:.80?}: {answers}");
    assert!(answers.contains("connection: close"), "{bad:.80?}: {answers}");
    assert_eq!(server.paths(), ["/first"], "{bad:.80?}");
}

#[tokio::test]
async fn b1_an_ambiguous_head_is_answered_in_its_turn_and_ends_the_connection() {
    let with = |header: &str| format!("POST /bad HTTP/1.1\r\nhost: a\r\n{header}\r\n\r\n");
    for bad in [
        with("content-length: 5\r\ntransfer-encoding: chunked"),
        with("content-length: 5\r\ncontent-length: 5"),
        with("transfer-encoding: xchunked"),
        with("transfer-encoding: chunked, identity"),
        with("content-length : 5"),
        with("x: y\r\n z"),
        with("x: y\nz: 1"),
        with("x: y\0"),
        "GET /bad HTTP/1.1\n\n".to_owned(),
        "GET /bad HTTP/1.1\r\n\r\n".to_owned(),
        "GET /bad HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
        "GET /bad HTTP/3.0\r\nhost: a\r\n\r\n".to_owned(),
        "\x16\x03\x01\n\r\n".to_owned(),
    ] {
        refused(&bad, 400).await;
    }
}

#[tokio::test]
async fn b1_an_ambiguous_head_comes_first() {
    let server = Server::start(Options::default()).await;
    let answers = server.connect().await.send("GET /bad HTTP/1.1\r\nhost : a\r\n\r\n").await.rest().await;
    assert_eq!(statuses(&answers), [400]);
    assert!(answers.ends_with("\r\n\r\nheader_name\n"), "{answers}");
    assert_eq!(server.metric("anyfn_http_refused_total{reason=\"header_name\"}"), 1);
    assert!(server.paths().is_empty());
}

#[tokio::test]
async fn b1_what_came_before_is_answered_first_however_long_it_takes() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    client.send(get("/gate")).await.send(get("/second")).await.send("BAD\r\n").await;
    // Another connection's whole life shows that the first one is still waiting.
    server.connect().await.get("/other").await;
    server.seen.gate.add_permits(1);
    let answers = client.rest().await;
    assert_eq!(statuses(&answers), [200, 200, 400], "{answers}");
    let order: Vec<_> =
        ["/gate:0", "/second:0", "request_line"].iter().map(|text| answers.find(text).unwrap()).collect();
    assert!(order.is_sorted(), "{answers}");
}

#[tokio::test]
async fn b7_heads_have_bounds() {
    let many: String = (0..33_000).map(|n| format!("x{n}: 1\r\n")).collect();
    refused(&format!("GET /bad HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431).await;
    refused(&format!("GET /bad HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(1 << 20)), 431).await;
    refused(&format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(64 * 1024)), 414).await;
}

#[tokio::test]
async fn b7_the_last_words_reach_a_caller_who_is_still_talking() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    let words = client.send("GET / HTTP/1.1\r\nhost : a\r\n").await.until("header_name\n").await;
    assert_eq!(statuses(&words), [400]);
    // A reset would fail the second piece, and with it a caller who reads only when it has said everything.
    for _ in 0..100 {
        client.send([b'x'; 1024]).await;
        server.connect().await.get("/other").await;
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn b2_a_broken_chunk_breaks_its_own_request_and_nothing_follows() {
    for chunk in [
        "FFFFFFFFFFFFFFFFF\r\n",
        "5 \r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhelloX",
        &format!("5;{}", "x".repeat(1 << 20)),
    ] {
        let server = Server::start(Options::default()).await;
        let mut client = server.connect().await;
        let head = "POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n";
        let answers =
            client.send(format!("{head}{chunk}\r\n0\r\n\r\n{}", get("/smuggled"))).await.rest().await;
        assert_eq!(statuses(&answers), [400], "{chunk:.40?}: {answers}");
        assert!(answers.ends_with("body_broken"), "{answers}");
        assert_eq!(server.paths(), ["/body"]);
    }
}

#[tokio::test]
async fn b1_sound_requests_of_all_kinds_share_a_connection() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    client.get("/a").await;
    let chunked = "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\nt: 1\r\n\r\n";
    client.send(chunked).await.until("/b:5").await;
    let body = "x".repeat(3_000_000);
    let sized = format!("PUT /c HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.send(sized).await.until("/c:3000000").await;
    let slow: Vec<_> = get("/d").bytes().collect();
    for byte in slow {
        client.send([byte]).await;
    }
    client.until("/d:0").await;
    let pipelined: String = (0..50).map(|n| get(&format!("/p{n}"))).collect();
    client.send(pipelined).await.until("/p49:0").await;
    assert_eq!(server.paths().len(), 54);
    let last = client.send("GET /e HTTP/1.0\r\n\r\n").await.rest().await;
    assert!(last.ends_with("/e:0"), "{last}");
}

#[tokio::test]
async fn expect_100_continue_works() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    let head = "POST /e HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    assert_eq!(client.send(head).await.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello").await.until("/e:5").await;
}

#[tokio::test]
async fn b10_b11_g3_what_a_handler_sees_of_a_strangers_headers() {
    let said = format!(
        "GET /headers HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.1.1.1\r\nAnyfn-Internal-Account: 1\r\n\
         x-amz-target: T\r\ncontent-encoding: gzip\r\nbaggage: {}\r\ntraceparent: {}\r\ntracestate: a=b\r\nconnection: close\r\n\r\n",
        "b".repeat(9000),
        "t".repeat(513),
    );
    let server = Server::start(Options::default()).await;
    let answer = server.connect().await.send(&said).await.rest().await;
    assert!(
        answer.ends_with("\r\n\r\nconnection=5,content-encoding=4,host=1,tracestate=3,x-amz-target=1"),
        "{answer}"
    );
    let trusting = Options { trusted: vec!["127.0.0.1".parse().unwrap()], ..Options::default() };
    let server = Server::start(trusting).await;
    let answer = server.connect().await.send(&said).await.rest().await;
    assert!(
        answer.contains("\r\n\r\nanyfn-internal-account=1,") && answer.contains(",x-forwarded-for=7"),
        "{answer}"
    );
    assert!(!answer.contains("baggage"), "{answer}");
}
