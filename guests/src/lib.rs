//! A component of the world `wasi:http/proxy` that does as its path says.

use wasi::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::io::streams::StreamError;

static mut CALLS: u32 = 0;

struct Component;

wasi::http::proxy::export!(Component);

fn send(out: ResponseOutparam, status: u16, body: &[u8]) {
    let headers = Fields::new();
    headers.append("content-type", b"text/plain").unwrap();
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).unwrap();
    let outgoing = response.body().unwrap();
    ResponseOutparam::set(out, Ok(response));
    write(&outgoing, body);
    OutgoingBody::finish(outgoing, None).unwrap();
}

fn write(outgoing: &OutgoingBody, body: &[u8]) {
    let stream = outgoing.write().unwrap();
    for piece in body.chunks(4096) {
        stream.blocking_write_and_flush(piece).unwrap();
    }
}

fn read(request: &IncomingRequest) -> Vec<u8> {
    let body = request.consume().unwrap();
    let mut all = Vec::new();
    {
        let stream = body.stream().unwrap();
        loop {
            match stream.blocking_read(65536) {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(StreamError::Closed) => break,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    IncomingBody::finish(body);
    all
}

/// More stack than there is.
#[inline(never)]
fn deep(n: u64) -> u64 {
    let mut room = [n; 32];
    std::hint::black_box(&mut room);
    if n == u64::MAX { 0 } else { deep(n + 1) + room[7] }
}

impl wasi::exports::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, argument) = target.split_once('?').unwrap_or((&target, ""));
        let number = argument.parse::<usize>().unwrap_or(0);
        match path {
            "/hello" => send(out, 200, b"Hello, world!\n"),
            "/echo" => {
                let body = read(&request);
                send(out, 201, &body);
            }
            "/count" => {
                let calls = unsafe {
                    CALLS += 1;
                    CALLS
                };
                send(out, 200, calls.to_string().as_bytes());
            }
            "/env" => {
                let text = wasi::cli::environment::get_environment()
                    .into_iter()
                    .map(|(name, value)| format!("{name}={value}\n"))
                    .collect::<String>();
                send(out, 200, text.as_bytes());
            }
            "/head" => {
                let headers = request.headers();
                let text = format!(
                    "{:?} {target} {:?}",
                    request.method(),
                    headers
                        .get("x-one")
                        .iter()
                        .map(|v| String::from_utf8_lossy(v).into_owned())
                        .collect::<Vec<_>>()
                );
                send(out, 200, text.as_bytes());
            }
            "/log" => {
                for at in 0..number {
                    println!("line {at}");
                }
                send(out, 200, b"logged");
            }
            "/flood" => {
                let line = "x".repeat(1023);
                for _ in 0..number {
                    println!("{line}");
                }
                send(out, 200, b"flooded");
            }
            "/big" => send(out, 200, &vec![b'b'; number]),
            "/slow" => {
                let response = OutgoingResponse::new(Fields::new());
                let outgoing = response.body().unwrap();
                ResponseOutparam::set(out, Ok(response));
                let stream = outgoing.write().unwrap();
                for at in 0..number {
                    stream.blocking_write_and_flush(format!("part {at}\n").as_bytes()).unwrap();
                    wasi::clocks::monotonic_clock::subscribe_duration(1_000_000).block();
                }
                drop(stream);
                OutgoingBody::finish(outgoing, None).unwrap();
            }
            "/sleep" => {
                wasi::clocks::monotonic_clock::subscribe_duration(number as u64 * 1_000_000).block();
                send(out, 200, b"slept");
            }
            "/loop" => loop {
                std::hint::black_box(number);
            },
            "/memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(vec![1_u8; 1 << 20]);
                    std::hint::black_box(&all);
                }
            }
            "/deep" => send(out, 200, deep(0).to_string().as_bytes()),
            "/panic" => panic!("as asked"),
            "/silent" => {}
            "/handles" => {
                let all: Vec<_> = (0..number).map(|_| Fields::new()).collect();
                send(out, 200, all.len().to_string().as_bytes());
            }
            "/fields" => {
                let headers = Fields::new();
                for at in 0..number {
                    if headers.append(&format!("x-{at}"), b"value").is_err() {
                        return send(out, 200, format!("refused after {at}").as_bytes());
                    }
                }
                send(out, 200, b"all taken");
            }
            "/random" => {
                let bytes = wasi::random::random::get_random_bytes(16);
                let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                send(out, 200, text.as_bytes());
            }
            "/files" => {
                let found: Vec<_> = std::fs::read_dir("/").map(|all| all.count()).into_iter().collect();
                let passwd =
                    std::fs::read("/../../etc/passwd").is_ok() || std::fs::read("../etc/passwd").is_ok();
                send(out, 200, format!("{found:?} {passwd}").as_bytes());
            }
            _ => send(out, 404, b"no such path"),
        }
    }
}
