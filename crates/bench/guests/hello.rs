//! A native hello: speaks the Runtime API 2018-06-01 over one kept connection. `--once` prints one answer and ends. The same
//! handler behind plain HTTP: `--serve` on a port of its own, which it prints; `--serve-unix PATH` on a socket; without
//! arguments on `$ANYFN_SOCKET` or `$PORT` where nobody speaks the Runtime API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

fn handler(event: &[u8]) -> Vec<u8> {
    let name = std::str::from_utf8(event).ok().and_then(|e| e.split("\"name\":\"").nth(1)?.split('"').next());
    format!("{{\"hello\":\"{}\"}}", name.unwrap_or("world")).into_bytes()
}

/// The request id (if any) and the body of one message.
fn read(stream: &mut BufReader<impl Read>) -> Option<(String, Vec<u8>)> {
    let (mut line, mut length, mut chunked, mut id) = (String::new(), 0, false, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = true;
        } else if name.eq_ignore_ascii_case("lambda-runtime-aws-request-id") {
            id = value.trim().to_owned();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    if chunked {
        body = chunks(stream)?;
    }
    Some((id, body))
}

fn chunks(stream: &mut BufReader<impl Read>) -> Option<Vec<u8>> {
    let (mut body, mut line) = (Vec::new(), String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut piece = vec![0; size + 2];
        stream.read_exact(&mut piece).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&piece[..size]);
    }
}

fn answer_all<S: Read + Write>(stream: S) {
    let mut stream = BufReader::new(stream);
    while let Some((_, event)) = read(&mut stream) {
        let body = handler(&event);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut answer = head.into_bytes();
        answer.extend(body);
        if stream.get_mut().write_all(&answer).is_err() {
            return;
        }
    }
}

fn serve(address: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        std::thread::spawn(move || answer_all(stream));
    }
    Ok(())
}

fn serve_unix(path: &str) -> std::io::Result<()> {
    let listener = UnixListener::bind(path)?;
    println!("0");
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || answer_all(stream));
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--once") => {
            println!("{}", String::from_utf8_lossy(&handler(arguments[2].as_bytes())));
            return Ok(());
        }
        Some("--serve") => return serve("127.0.0.1:0"),
        Some("--serve-unix") => return serve_unix(&arguments[2]),
        _ => {}
    }
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else {
        if let Ok(path) = std::env::var("ANYFN_SOCKET") {
            return serve_unix(&path);
        }
        let port = std::env::var("PORT").expect("the Runtime API's address, a socket or a port");
        return serve(&format!("0.0.0.0:{port}"));
    };
    let stream = TcpStream::connect(&api)?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {api}\r\n\r\n");
    loop {
        stream.get_mut().write_all(next.as_bytes())?;
        let Some((id, event)) = read(&mut stream) else { return Ok(()) };
        let body = handler(&event);
        let head = format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: {api}\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut answer = head.into_bytes();
        answer.extend(body);
        stream.get_mut().write_all(&answer)?;
        if read(&mut stream).is_none() {
            return Ok(());
        }
    }
}
