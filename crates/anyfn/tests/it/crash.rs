//! `kill -9` under load. What was acknowledged is accounted for by a witness outside of the server: every run of the
//! function tells it, and returns only when it has written that down.
//!
//! A guest reaches public addresses only, so the witness has one, in a network namespace of its own, and server and test
//! live in another; nothing of it touches the machine's network.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::world::{Leftovers, Server, pause, root, shared, skip, until};

const ROUNDS: u64 = 50;
const INSIDE: &str = "ANYFN_TEST_INSIDE";
const WITNESS: &str = "9.9.9.2";

const FUNCTION: &str = r"
import socket, time
def handler(event, context):
    for _ in range(100):
        try:
            with socket.create_connection(('9.9.9.2', 7000), 5) as s:
                s.sendall(f'{event} {context.aws_request_id}\n'.encode())
                if s.recv(3) == b'ok\n': return
        except OSError: time.sleep(0.05)
    raise RuntimeError('no witness')
";

const LISTEN: &str = r"
import socketserver, sys, threading
out, lock = open(sys.argv[1], 'a'), threading.Lock()
class One(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline().decode()
        if not line.endswith('\n'): return
        with lock: out.write(line); out.flush()
        self.wfile.write(b'ok\n')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.request_queue_size = 128
server = socketserver.ThreadingTCPServer(('0.0.0.0', 7000), One)
open(sys.argv[1] + '.ready', 'w').close()
server.serve_forever()
";

fn ip(args: &str) {
    let status = Command::new("ip").args(args.split(' ')).status().unwrap();
    assert!(status.success(), "ip {args}");
}

/// The process that writes down what ran, and its namespace.
struct Witness {
    child: Child,
    name: String,
}

impl Witness {
    fn start(file: &Path) -> Self {
        let name = format!("anyfn-witness-{}", std::process::id());
        ip("link set lo up");
        ip(&format!("netns add {name}"));
        ip(&format!("link add to-witness type veth peer name eth0 netns {name}"));
        ip("addr add 9.9.9.1/30 dev to-witness");
        ip("link set to-witness up");
        ip(&format!("-n {name} addr add {WITNESS}/30 dev eth0"));
        ip(&format!("-n {name} link set eth0 up"));
        let child = Command::new("ip")
            .args(["netns", "exec", &name, "/usr/bin/python3", "-c", LISTEN])
            .arg(file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let ready = file.with_extension("txt.ready");
        until("the witness listens", || ready.exists().then_some(()));
        Self { child, name }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Seeded, so that a failing run can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn crash_h1_every_acknowledged_event_runs_after_50_kills() {
    const NAME: &str = "crash_h1_every_acknowledged_event_runs_after_50_kills";
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if !root(NAME) {
        return;
    }
    let there =
        |program: &str, arg: &str| Command::new(program).arg(arg).output().is_ok_and(|o| o.status.success());
    if !there("ip", "-V") || !there("unshare", "-V") || !Path::new("/usr/bin/python3").exists() {
        return skip(NAME, "it needs ip, unshare and python3");
    }
    let me = std::env::current_exe().unwrap();
    let _machine = shared();
    let output = Command::new("unshare")
        .arg("--net")
        .arg(me)
        .args(["--exact", &format!("crash::{NAME}"), "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (_, summary) = said.split_once("crash_h1: ").unwrap_or_else(|| panic!("it was not run: {said}"));
    println!("crash_h1: {}", summary.lines().next().unwrap_or_default());
}

/// What the rounds have seen.
#[derive(Default)]
struct Book {
    /// Events by their number, with the id that the server gave.
    accepted: Mutex<BTreeMap<u64, String>>,
    deployed: Mutex<BTreeSet<String>>,
    next: AtomicU64,
    retries: AtomicU64,
}

fn inside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("witness.txt");
    let witness = Witness::start(&file);
    let book = Book::default();
    let mut dice = Dice(0x5eed_2026);
    for round in 0..ROUNDS {
        let end = dice.below(300);
        let mut server = start(folder.path());
        if round == 0 {
            server.deploy("count", FUNCTION);
        }
        healthy(&server, &book);
        load(&mut server, &book, round, Duration::from_millis(end));
    }
    let server = start(folder.path());
    healthy(&server, &book);
    for name in book.deployed.lock().unwrap().iter() {
        let found = server.ask("GET", &format!("/_anyfn/v1/functions/{name}"), b"");
        assert_eq!(found.status, 200, "{name} was acknowledged: {}", found.text());
    }
    drained(&server);
    account(&book, &fs::read_to_string(&file).unwrap());
    let family = server.family();
    let data = server.data.clone();
    drop(server);
    Leftovers::gone(&data, &family);
    drop(witness);
}

/// Few starts at once: each kill shall meet some, and two cores shall get to the end of others.
fn start(folder: &Path) -> Server {
    Server::on(folder, &["--set", "starts_at_once=3", "--set", "retire_after_ms=2000", "--log", "warn"])
}

fn healthy(server: &Server, book: &Book) {
    until("healthz", || match server.send("GET", "/healthz", b"") {
        Ok(answer) if answer.status == 200 => Some(()),
        _ => {
            book.retries.fetch_add(1, Ordering::Relaxed);
            None
        }
    });
}

/// Three senders and a deployer until the kill; only what was acknowledged is written into the book.
fn load(server: &mut Server, book: &Book, round: u64, end: Duration) {
    let over = AtomicBool::new(false);
    let family = std::thread::scope(|scope| {
        let running: &Server = server;
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let n = book.next.fetch_add(1, Ordering::Relaxed);
                    let target = "/_anyfn/v1/functions/count/invoke?mode=queue";
                    let Ok(answer) = running.send("POST", target, n.to_string().as_bytes()) else { break };
                    assert_eq!(answer.status, 202, "{}", answer.text());
                    book.accepted.lock().unwrap().insert(n, answer.header("anyfn-invocation").to_owned());
                    std::thread::sleep(Duration::from_millis(4));
                }
            });
        }
        scope.spawn(|| {
            let name = format!("kept-{round}");
            let zip = crate::zips::python(&format!("def handler(event, context):\n  return {round}\n"));
            let body = json!({ "zip": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, zip), "runtime": "python3.12", "handler": "app.handler" });
            let target = format!("/_anyfn/v1/functions/{name}");
            if running.send("PUT", &target, body.to_string().as_bytes()).is_ok_and(|a| a.status == 200) {
                book.deployed.lock().unwrap().insert(name);
            }
        });
        std::thread::sleep(end);
        let family = running.family();
        running.signal(rustix::process::Signal::KILL);
        over.store(true, Ordering::Relaxed);
        family
    });
    server.kill();
    Leftovers::gone(&server.data, &family);
}

fn drained(server: &Server) {
    let mut last = json!(null);
    for _ in 0..24_000 {
        let now = server.ask("GET", "/_anyfn/v1/functions/count", b"").json();
        let count = |name: &str| now[name].as_u64().unwrap();
        assert_eq!(count("events_dead"), 0, "set aside: {now}");
        if count("events_ready") + count("events_delayed") + count("events_leased") == 0 {
            return;
        }
        last = now;
        pause();
    }
    panic!("events stay: {last}");
}

fn account(book: &Book, written: &str) {
    let mut runs = BTreeMap::<u64, Vec<&str>>::new();
    for line in written.lines() {
        let (n, id) = line.split_once(' ').unwrap();
        runs.entry(n.parse().unwrap()).or_default().push(id);
    }
    let accepted = book.accepted.lock().unwrap();
    assert!(accepted.len() > 100, "hardly any load: {}", accepted.len());
    let lost: Vec<_> = accepted.keys().filter(|n| !runs.contains_key(n)).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "acknowledged and never run, of {}", accepted.len());
    for (n, id) in accepted.iter() {
        assert!(runs[n].iter().all(|ran| ran == id), "event {n} ran as {:?}, was accepted as {id}", runs[n]);
    }
    let again: usize = runs.values().map(|ids| ids.len() - 1).sum();
    let silent = runs.keys().filter(|n| !accepted.contains_key(n)).count();
    println!(
        "crash_h1: {ROUNDS} kills, {} events acknowledged, 0 lost, {again} runs more than once, {silent} run whose acknowledgement was cut, {} deploys kept, {} retries of healthz",
        accepted.len(),
        book.deployed.lock().unwrap().len(),
        book.retries.load(Ordering::Relaxed),
    );
}
