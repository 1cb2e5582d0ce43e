//! B4, B5, B12: who sends slowly, reads slowly or goes away.

use anyfn_gateway::Options;
use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::{
    frames::Two,
    support::{Client, Server, get, soon, statuses},
};

#[tokio::test]
async fn b4_five_hundred_slow_heads_are_closed_and_others_are_served() {
    let server = Server::start(Options { head_ms: 2_000, ..Options::default() }).await;
    let mut honest = server.connect().await;
    honest.get("/before").await;
    let slow = join_all((0..500).map(async |n| {
        let mut client = server.connect().await;
        // Some say nothing, some stop in the middle, some trickle until they are cut off.
        match n % 3 {
            0 => return client.rest().await,
            1 => drop(client.send("GET /slow HTTP/1.1\r\nx").await),
            _ => {
                client.send(get("/first")).await.until("/first:0").await;
                client.send("G").await;
            }
        }
        client.rest().await
    }));
    let served = async {
        let mut served = 0;
        for n in 0..200 {
            honest.get(&format!("/honest{n}")).await;
            served += 1;
        }
        served
    };
    let (slow, served) = tokio::join!(slow, served);
    assert_eq!(served, 200);
    for (n, said) in slow.iter().enumerate() {
        let expected: &[u16] = if n % 3 == 0 { &[] } else { &[408] };
        assert_eq!(statuses(said), expected, "{n}: {said}");
    }
    assert_eq!(server.metric("anyfn_http_refused_total{reason=\"head_timeout\"}"), 333);
    assert!(!server.paths().iter().any(|path| path == "/slow"));
}

#[tokio::test]
async fn b4_a_head_that_trickles_does_not_win_time() {
    let server = Server::start(Options { head_ms: 300, ..Options::default() }).await;
    let mut client = server.connect().await;
    let (mut from, mut to) = client.0.split();
    let trickle = async {
        use tokio::io::AsyncWriteExt as _;
        // A byte for each request that another connection has answered, until we are told off.
        loop {
            if to.write_all(b"x").await.is_err() {
                return;
            }
            server.connect().await.get("/pace").await;
        }
    };
    let mut said = Vec::new();
    let read = async {
        use tokio::io::AsyncReadExt as _;
        let mut byte = [0; 64];
        let read = from.read(&mut byte).await.unwrap();
        said.extend_from_slice(&byte[..read]);
    };
    soon(async {
        tokio::select! { () = trickle => {}, () = read => {} }
    })
    .await;
    assert!(said.starts_with(b"HTTP/1.1 408 "));
}

#[tokio::test]
async fn b5_a_reader_that_takes_nothing_is_cut_off() {
    let server = Server::start(Options { write_ms: 200, ..Options::default() }).await;
    let mut client = server.connect().await;
    client.send(get("/stream")).await;
    let give = server.stream().await;
    // The server's room for a reader who does not read is bounded: at some time nothing goes in, then all ends.
    let mut taken = 0_usize;
    let piece = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    soon(async {
        while give.send(piece.clone()).await.is_ok() {
            taken += piece.len();
        }
    })
    .await;
    assert!(taken < 64 << 20, "{taken}");
    drop(client);
}

#[tokio::test]
async fn b5_an_http2_reader_that_keeps_its_windows_shut_is_cut_off() {
    let server = Server::start(Options { write_ms: 200, ..Options::default() }).await;
    let mut two = Two::open(&server).await;
    two.request(1, "/stream").await;
    let give = server.stream().await;
    let piece = bytes::Bytes::from(vec![b'x'; 16 * 1024]);
    let mut taken = 0_usize;
    // PINGs are answered meanwhile: the caller is alive, it only takes nothing.
    let give = async {
        while give.send(piece.clone()).await.is_ok() {
            taken += piece.len();
        }
    };
    soon(async { tokio::join!(give, two.rest()) }).await;
    assert!(taken < 1 << 20, "{taken}");
    assert_eq!(server.metric("anyfn_http_refused_total{reason=\"stalled\"}"), 1);
}

#[tokio::test]
async fn b5_an_http2_stream_whose_function_is_silent_is_not_cut_off() {
    let server = Server::start(Options { write_ms: 300, idle_ms: 300, ..Options::default() }).await;
    let mut two = Two::open(&server).await;
    two.request(1, "/stream").await;
    let give = server.stream().await;
    for _ in 0..3 {
        let mut other = server.connect().await;
        other.get("/other").await;
        assert_eq!(other.rest().await, "", "idleness ended another connection meanwhile");
    }
    give.send("last".into()).await.unwrap();
    drop(give);
    assert!(two.rest().await.windows(4).any(|w| w == b"last"));
}

#[tokio::test]
async fn b12_streams_whose_readers_go_away_are_cleaned_up() {
    let server = Server::start(Options::default()).await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        let mut client = server.connect().await;
        client.send(get("/stream")).await.until("first\r\n").await;
        clients.push((client, server.stream().await));
    }
    assert_eq!(server.metric("anyfn_connections"), 200);
    for (client, give) in clients {
        drop(client);
        soon(give.closed()).await;
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_its_request_along() {
    let server = Server::start(Options::default()).await;
    let mut client = server.connect().await;
    client.send(get("/gate")).await;
    server.connect().await.get("/other").await;
    drop(client);
    // The connection's own task ends although its request never gets an answer.
    soon(async {
        while server.base.tasks.alive().contains_key("connection") {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn past_the_bound_connections_wait_in_the_kernel() {
    let server = Server::start(Options { connections: 2, ..Options::default() }).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    one.get("/one").await;
    two.get("/two").await;
    let mut three = server.connect().await;
    three.send(get("/three")).await;
    one.get("/again").await;
    assert_eq!(server.paths(), ["/one", "/two", "/again"]);
    assert_eq!(server.metric("anyfn_connections"), 2);
    drop(one);
    three.until("/three:0").await;
}

#[tokio::test]
async fn connections_that_reset_give_their_place_back() {
    let server = Server::start(Options { connections: 4, ..Options::default() }).await;
    for _ in 0..40 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut client = Client(stream);
        client.send("GET /half").await;
        client.0.set_zero_linger().unwrap();
    }
    server.connect().await.get("/after").await;
}
