//! Connections that are kept, and their end at shutdown.

use std::time::Duration;

use anyfn_gateway::Options;
use tokio::net::TcpStream;

use crate::{
    frames::Two,
    support::{Server, get, soon, statuses},
};

#[tokio::test]
async fn an_idle_connection_is_closed_in_silence() {
    let server = Server::start(Options { idle_ms: 500, ..Options::default() }).await;
    let mut client = server.connect().await;
    client.get("/a").await;
    client.get("/b").await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_request_in_flight_is_not_idle() {
    let server = Server::start(Options { idle_ms: 300, ..Options::default() }).await;
    let mut client = server.connect().await;
    client.send(get("/stream")).await;
    let give = server.stream().await;
    // Another connection lives and dies of idleness meanwhile, twice over.
    for _ in 0..2 {
        let mut other = server.connect().await;
        other.get("/other").await;
        assert_eq!(other.rest().await, "");
    }
    give.send("last".into()).await.unwrap();
    drop(give);
    client.until("last\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn an_idle_http2_connection_is_told_and_closed() {
    let server = Server::start(Options { idle_ms: 500, ..Options::default() }).await;
    let mut two = Two::open(&server).await;
    two.get(1, "/a").await;
    assert_eq!(two.goaway().await, Some(0));
}

#[tokio::test]
async fn drain_lets_requests_finish_closes_the_rest_and_takes_no_more() {
    let server = Server::start(Options::default()).await;
    let (mut busy, mut idle, mut half) =
        (server.connect().await, server.connect().await, server.connect().await);
    let mut two = Two::open(&server).await;
    idle.get("/idle").await;
    half.send("GET /half HTTP/1.1\r\n").await;
    busy.send(get("/stream")).await.until("first\r\n").await;
    let give = server.stream().await;
    two.request(1, "/stream").await;
    let give_two = server.stream().await;

    server.base.tasks.stop();
    assert_eq!(idle.rest().await, "");
    assert_eq!(half.rest().await, "");
    assert_eq!(two.goaway_frame().await, 0);
    // The accept loop has ended, and with it the listener.
    soon(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;

    give.send("last".into()).await.unwrap();
    give_two.send("last".into()).await.unwrap();
    drop((give, give_two));
    assert!(busy.rest().await.ends_with("last\r\n0\r\n\r\n"));
    assert!(two.rest().await.windows(4).any(|w| w == b"last"));
    let left = server.base.tasks.drain(Duration::from_secs(10)).await;
    assert!(left.left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_answer_that_begins_while_draining_says_close() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    client.send(get("/gate")).await;
    server.connect().await.get("/other").await;
    server.base.tasks.stop();
    server.seen.gate.add_permits(1);
    let answer = client.rest().await;
    assert_eq!(statuses(&answer), [200]);
    assert!(answer.contains("connection: close"), "{answer}");
}
