//! Functions that are HTTP servers.

use anyfn_core::{
    Frame, Reply, ReplyBody,
    ports::{GuestEvent, InvokeError},
};
use anyfn_types::{Failure, HttpHead, Invocation, TraceContext};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde_json::json as value;

use crate::bench::{Bench, Spec, Up, collect, json};

/// Says what it is told to say: the body of `/raw` is the answer, byte for byte.
const SERVER: &str = r"
import os, socket, sys, threading, time
where = os.environ.get('ANYFN_SOCKET')
s = socket.socket(socket.AF_UNIX if where else socket.AF_INET)
s.bind(where or ('127.0.0.1', int(os.environ['PORT'])))
s.listen(64)
def answer(c, body, more=b''):
  c.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n%s\r\n' % (len(body), more) + body)
def serve(c, n):
  f = c.makefile('rb')
  while True:
    head, length = [f.readline()], 0
    if not head[0]: return
    while head[-1] not in (b'\r\n', b''):
      head.append(f.readline())
      if head[-1].lower().startswith(b'content-length:'): length = int(head[-1].split(b':')[1])
    path = head[0].split()[1]
    if path == b'/early':
      c.sendall(b'HTTP/1.1 413 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')
      return c.shutdown(socket.SHUT_WR)
    body = f.read(length)
    if path == b'/raw': c.sendall(body)
    elif path == b'/raw-close':
      c.sendall(body)
      return c.shutdown(socket.SHUT_RDWR)
    elif path == b'/close-after':
      answer(c, b'bye')
      return c.shutdown(socket.SHUT_RDWR)
    elif path == b'/hang': time.sleep(600)
    elif path == b'/die': os._exit(3)
    elif path == b'/log':
      print('printed', flush=True)
      answer(c, b'ok')
    elif path == b'/who': answer(c, b'%d %d' % (os.getpid(), n))
    elif path == b'/head': c.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n')
    elif path == b'/big':
      size = int(body)
      c.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n' % size)
      while size:
        piece = min(size, 1 << 16)
        c.sendall(b'x' * piece)
        size -= piece
    else: answer(c, b''.join(head) + body)
n = 0
while True:
  c, _ = s.accept()
  n += 1
  threading.Thread(target=serve, args=(c, n), daemon=True).start()
";

fn server(text: &str) -> Spec {
    Spec::new("http", "app.py", &[("app.py", text)])
}

fn asks(up: &mut Up, method: &str, target: &str, body: &[u8]) -> Invocation {
    let mut call = up.call("");
    call.body = Bytes::copy_from_slice(body);
    let headers = vec![("host".to_owned(), Bytes::from_static(b"f.example"))];
    call.http = Some(Box::new(HttpHead { method: method.into(), target: target.into(), headers }));
    call
}

async fn try_send(up: &mut Up, method: &str, target: &str, body: &[u8]) -> Result<Reply, InvokeError> {
    let (call, deadline) = (asks(up, method, target, body), up.deadline());
    up.guest.invoke(&call, deadline).await
}

/// Status, headers and the whole body; the lane must be ready again.
async fn send(up: &mut Up, method: &str, target: &str, body: &[u8]) -> (u16, Vec<(String, Bytes)>, Vec<u8>) {
    let reply = try_send(up, method, target, body).await.unwrap();
    let head = reply.head.unwrap();
    let bytes = match reply.result.unwrap() {
        ReplyBody::Whole(bytes) => bytes.to_vec(),
        ReplyBody::Stream { mut frames, .. } => {
            let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
            assert!(settled);
            assert_eq!(last, Some(Frame::End));
            return (head.status, head.headers, bytes);
        }
    };
    assert!(up.guest.settled().await);
    (head.status, head.headers, bytes)
}

fn died(result: Result<Reply, InvokeError>) -> Failure {
    match result {
        Err(InvokeError::Died(died)) => died.failure,
        other => panic!("it did not die: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_goes_in_and_an_answer_comes_out() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    let mut call = asks(&mut up, "PUT", "/a/b?c=%20d", b"body");
    let head = call.http.as_mut().unwrap();
    for (name, text) in [
        ("x-one", "1"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
    ] {
        head.headers.push((name.to_owned(), Bytes::from_static(text.as_bytes())));
    }
    let trace_id = "0123456789abcdef0123456789abcdef".to_owned();
    call.trace = Some(TraceContext { trace_id, parent_id: "53995c3f42cd8ad8".to_owned(), sampled: true });
    let reply = up.guest.invoke(&call, up.deadline()).await.unwrap();
    let head = reply.head.unwrap();
    assert_eq!((head.status, &head.headers[0].1[..]), (200, &b"text/plain"[..]));
    let Ok(ReplyBody::Whole(body)) = reply.result else { panic!("no whole body") };
    assert_eq!(
        String::from_utf8(body.to_vec()).unwrap(),
        "PUT /a/b?c=%20d HTTP/1.1\r\nhost: f.example\r\nx-one: 1\r\nx-request-id: 00000000-0000-0000-0000-000000000001\r\n\
         traceparent: 00-0123456789abcdef0123456789abcdef-53995c3f42cd8ad8-01\r\ncontent-length: 4\r\n\r\nbody"
    );
    assert!(up.guest.settled().await);
}

#[tokio::test]
async fn a_call_without_http_is_a_post_and_its_failure_is_a_status() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    let reply = up.try_invoke("{}").await.unwrap();
    assert!(reply.head.is_none() && up.guest.settled().await);
    let Ok(ReplyBody::Whole(body)) = reply.result else { panic!("no whole body") };
    assert!(
        body.starts_with(b"POST / HTTP/1.1\r\nhost: localhost\r\n") && body.ends_with(b"\r\n\r\n{}"),
        "{body:?}"
    );
    let bench = Bench::new().await;
    let mut up = bench.up(server(&SERVER.replace("200 OK", "500 Bad"))).await;
    let reply = up.try_invoke("{}").await.unwrap();
    let failure = reply.result.unwrap_err();
    assert_eq!((failure.error_type.as_str(), failure.handled_by_runtime), ("Http.500", true));
    assert!(json(&failure)["errorMessage"].as_str().unwrap().starts_with("POST / HTTP/1.1"));
    assert!(up.guest.settled().await);
}

#[tokio::test]
async fn lanes_share_a_process_and_keep_their_connections() {
    let bench = Bench::new().await;
    let version = Some(anyfn_types::VersionId(1));
    let spec = || Spec { http: value!({"concurrency": 2}), version, ..server(SERVER) };
    let (mut one, mut two) = tokio::join!(bench.up(spec()), bench.up(spec()));
    let mut three = bench.up(spec()).await;
    let mut who = Vec::new();
    for (up, times) in [(&mut one, 2), (&mut two, 2), (&mut three, 1)] {
        for _ in 0..times {
            who.push(String::from_utf8(send(up, "GET", "/who", b"").await.2).unwrap());
        }
    }
    let pid = |at: usize| who[at].split(' ').next().unwrap().to_owned();
    assert_eq!((&who[0], &who[2]), (&who[1], &who[3]), "a lane keeps its connection");
    assert_eq!(pid(0), pid(2), "two lanes, one process");
    assert_ne!(who[0], who[2], "each has a connection of its own");
    assert_ne!(pid(0), pid(4), "the third has a process of its own");
    one.guest.retire("spindown").await;
    assert_eq!(send(&mut two, "GET", "/who", b"").await.0, 200, "the process lives as long as a lane");
    two.guest.pause().await.unwrap();
    two.guest.resume().await.unwrap();
    assert_eq!(send(&mut two, "GET", "/who", b"").await.0, 200);
}

#[tokio::test]
async fn answers_of_every_framing_come_through() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    let whole: [(&[u8], u16, &[u8]); 6] = [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-t: 1\r\n\r\n", 200, b"abcde"),
        (b"HTTP/1.1 204 No\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Same\r\ncontent-length: 10\r\n\r\n", 304, b""),
        (b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 404 Not here\r\ncontent-length: 1\r\n\r\n!", 404, b"!"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nold", 200, b"old"),
    ];
    for (raw, status, body) in whole {
        let (got, headers, bytes) = send(&mut up, "POST", "/raw", raw).await;
        assert_eq!((got, &bytes[..]), (status, body), "{}", String::from_utf8_lossy(raw));
        assert!(headers.iter().all(|(name, _)| !matches!(&**name, "connection" | "transfer-encoding")));
    }
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nto the end";
    assert_eq!(send(&mut up, "POST", "/raw-close", until_close).await.2, b"to the end");
    let (status, headers, body) = send(&mut up, "HEAD", "/head", b"").await;
    assert_eq!((status, &headers[0].1[..], body.len()), (200, &b"99"[..], 0));
    assert_eq!(send(&mut up, "POST", "/big", b"3000000").await.2.len(), 3_000_000);
    assert_eq!(send(&mut up, "POST", "/early", &vec![b'z'; 4_000_000]).await.0, 413, "it answered unread");
    assert_eq!(send(&mut up, "GET", "/close-after", b"").await.2, b"bye");
    assert_eq!(send(&mut up, "GET", "/again", b"").await.0, 200, "a fresh connection took its place");
}

#[tokio::test]
async fn b1_an_answer_that_could_be_read_in_two_ways_is_refused_and_its_process_gets_no_more_calls() {
    let bench = Bench::new().await;
    for raw in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nx: 1\r\n folded\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        b"garbage\r\n\r\n",
    ] {
        let mut up = bench.up(server(SERVER)).await;
        let failure = died(try_send(&mut up, "POST", "/raw", raw).await);
        assert_eq!(failure.error_type, "Http.Garbled", "{}", String::from_utf8_lossy(raw));
        assert!(!up.guest.settled().await);
        assert!(matches!(up.guest.idle().now_or_never(), Some(GuestEvent::Gone)));
        up.guest.retire("failure").await;
    }
}

#[tokio::test]
async fn b1_what_follows_an_answer_is_never_the_next_calls_answer() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    let two =
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    assert_eq!(send(&mut up, "POST", "/raw", two).await.2, b"a");
    let (_, _, body) = send(&mut up, "GET", "/who", b"").await;
    assert!(!body.ends_with(b"forged"), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test]
async fn a_request_that_could_become_two_is_not_sent() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    for (method, target, name, text) in [
        ("GET", "/x HTTP/1.1\r\nevil: 1", "a", "b"),
        ("GET\r\n", "/", "a", "b"),
        ("GET", "/", "a\r\nevil", "b"),
        ("GET", "/", "a", "b\r\nevil: 1"),
        ("CONNECT", "/", "a", "b"),
    ] {
        let mut call = asks(&mut up, method, target, b"");
        call.http.as_mut().unwrap().headers.push((name.to_owned(), Bytes::from_static(text.as_bytes())));
        let failure = died(up.guest.invoke(&call, up.deadline()).await);
        assert_eq!(failure.error_type, "Http.Unsendable");
    }
}

#[tokio::test]
async fn a_server_that_ends_or_hangs_is_the_calls_failure() {
    let bench = Bench::new().await;
    let mut up = bench.up(server(SERVER)).await;
    let failure = died(try_send(&mut up, "POST", "/die", b"").await);
    assert_eq!(failure.error_type, "Runtime.ExitError");
    assert!(json(&failure)["errorMessage"].as_str().unwrap().ends_with("exit status 3"));
    assert!(!up.guest.settled().await);
    up.guest.retire("failure").await;

    let timeout = std::time::Duration::from_millis(300);
    let version = Some(anyfn_types::VersionId(1));
    let mut up = bench.up(Spec { timeout, version, ..server(SERVER) }).await;
    let mut other = bench.up(Spec { timeout, version, ..server(SERVER) }).await;
    let failure = died(try_send(&mut up, "POST", "/hang", b"").await);
    assert_eq!(failure.error_type, "Sandbox.Timedout");
    assert!(
        matches!(other.guest.idle().now_or_never(), Some(GuestEvent::Gone)),
        "its neighbours take no more calls"
    );
    up.guest.retire("failure").await;
    other.guest.retire("failure").await;
}

#[tokio::test]
async fn a_long_answer_is_cut_at_the_limit_and_a_reader_who_leaves_ends_it() {
    let bench = Bench::new().await;
    let mut spec = server(SERVER);
    spec.limits.stream_bytes = 1_000_000;
    let mut up = bench.up(spec).await;
    let reply = try_send(&mut up, "POST", "/big", b"10000000000").await.unwrap();
    let Ok(ReplyBody::Stream { mut frames, .. }) = reply.result else { panic!("no stream") };
    let (settled, (bytes, last)) = tokio::join!(up.guest.settled(), collect(&mut frames));
    assert!(settled && bytes.len() <= 1_000_000);
    assert!(matches!(last, Some(Frame::Failed(_))), "{last:?}");
    let reply = try_send(&mut up, "POST", "/big", b"900000").await.unwrap();
    drop(reply);
    assert!(up.guest.settled().await);
    assert_eq!(send(&mut up, "GET", "/again", b"").await.0, 200);
}

#[tokio::test]
async fn a_unix_socket_serves_as_well_and_what_is_printed_is_logged() {
    let bench = Bench::new().await;
    let mut up = bench.up(Spec { http: value!({"socket": "/tmp/app.sock"}), ..server(SERVER) }).await;
    let call = asks(&mut up, "GET", "/log", b"");
    let reply = up.guest.invoke(&call, up.deadline()).await.unwrap();
    assert_eq!(reply.log_tail.unwrap(), "printed\n");
    assert_eq!(up.log(), ["printed"]);
}

#[tokio::test]
async fn a_server_that_does_not_come_up_fails_with_its_last_words() {
    let bench = Bench::new().await;
    let failure = bench.fails(server("import sys\nprint('no config')\nsys.exit(2)\n")).await;
    assert_eq!(failure.error_type, "Runtime.ExitError");
    let init_timeout = std::time::Duration::from_millis(300);
    let failure = bench.fails(Spec { init_timeout, ..server("import time\ntime.sleep(600)\n") }).await;
    assert_eq!(failure.error_type, "Sandbox.Timedout");
    let failure = bench.fails(Spec::new("http", "none", &[("other", "")])).await;
    assert_eq!(failure.error_type, "Runtime.InvalidEntrypoint");
}
