//! Streams from the server to servers inside.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
};

use anyfn_core::ports::{Inside, Sandbox};

use crate::house::{House, root, run, start};

/// Prints a line when it listens, answers once with what it got, in upper case, and stays.
const SERVER: &str = r"
import socket, sys, time
family, address, backlog, answer = eval(sys.argv[1])
s = socket.socket(family, socket.SOCK_STREAM)
s.bind(address); s.listen(backlog)
print('up', flush=True)
if answer:
    c, _ = s.accept(); c.sendall(c.recv(100).upper()); c.close()
time.sleep(1000)
";

async fn serve(sandbox: &dyn Sandbox, what: &str) -> OwnedFd {
    let (_, output) = start(sandbox, &["/usr/bin/python3", "-I", "-S", "-c", SERVER, what]).await;
    first_line(output).await
}

async fn first_line(output: OwnedFd) -> OwnedFd {
    tokio::task::spawn_blocking(move || {
        let mut file = File::from(output);
        let mut line = [0; 3];
        file.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"up\n");
        file.into()
    })
    .await
    .unwrap()
}

async fn talk(stream: OwnedFd) -> String {
    tokio::task::spawn_blocking(move || {
        rustix::io::ioctl_fionbio(&stream, false).unwrap();
        let mut stream = File::from(stream);
        stream.write_all(b"hello").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn streams_reach_servers_on_either_loopback_and_on_paths() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let mut held = Vec::new();
    for (what, to) in [
        ("(2, ('127.0.0.1', 8080), 5, True)", Inside::Tcp(8080)),
        ("(10, ('::1', 8081), 5, True)", Inside::Tcp(8081)),
        ("(1, '/tmp/s', 5, True)", Inside::Unix("/tmp/s".into())),
    ] {
        held.push(serve(&*sandbox, what).await);
        assert_eq!(talk(sandbox.connect(&to).await.unwrap()).await, "HELLO", "{to:?}");
    }
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn who_does_not_listen_is_named_with_the_kernel_s_word() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let long = format!("/tmp/{}", "x".repeat(200));
    for (to, word) in [
        (Inside::Tcp(9), "os error 111"),
        (Inside::Unix("/tmp/none".into()), "os error 2"),
        (Inside::Unix("/etc/passwd".into()), "os error 13"),
        (Inside::Unix("relative".into()), "absolute"),
        (Inside::Unix(long), "at most 107 bytes"),
        (Inside::Tcp(0), "port"),
    ] {
        let error = sandbox.connect(&to).await.unwrap_err();
        assert_eq!(error.code, "sandbox_refused", "{to:?}");
        assert!(error.public.contains(word), "{to:?}: {}", error.public);
    }
    // Sockets of the host are not there, whatever a guest's link says.
    let path = house.scratch.path().join("host.sock");
    let _host = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let link = format!("ln -s {} /tmp/link", path.display());
    run(&*sandbox, &["/bin/sh", "-c", &link]).await;
    let error = sandbox.connect(&Inside::Unix("/tmp/link".into())).await.unwrap_err();
    assert!(error.public.contains("os error 2"), "{}", error.public);
    sandbox.destroy().await.unwrap();
    house.close().await;
}

#[tokio::test]
async fn a_full_backlog_stops_neither_init_nor_the_caller() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let sandbox = house.sandbox().await;
    let _held = serve(&*sandbox, "(1, '/tmp/s', 0, False)").await;
    let mut streams = Vec::new();
    let error = loop {
        match sandbox.connect(&Inside::Unix("/tmp/s".into())).await {
            Ok(stream) => streams.push(stream),
            Err(e) => break e,
        }
        assert!(streams.len() < 10);
    };
    assert!(error.public.contains("os error 11"), "{}", error.public);
    // Init goes on.
    let (exit, _) = run(&*sandbox, &["/bin/true"]).await;
    assert!(exit.process.is_some());
    sandbox.destroy().await.unwrap();
    house.close().await;
}
