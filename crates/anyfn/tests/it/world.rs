//! Servers as processes: started, spoken to, killed, and looked for afterwards.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use anyfn_base::{Clock, Instant};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    http::{self, Answer},
    zips,
};

/// Measurements take the machine for themselves, everything else shares it.
static MACHINE: RwLock<()> = RwLock::new(());

pub(crate) fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Says loudly by name why a test proves nothing here.
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether sandboxes can be made here.
pub(crate) fn root(test: &str) -> bool {
    let there = rustix::process::geteuid().is_root();
    if !there {
        skip(test, "it needs root");
    }
    there
}

pub(crate) fn now() -> Instant {
    Clock::system().now()
}

/// A pause between two looks; never what a test relies on.
pub(crate) fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(5));
}

/// Looks until something is there, at most 6,000 times (half a minute and more).
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6000 {
        if let Some(found) = look() {
            return found;
        }
        pause();
    }
    panic!("still waiting: {what}");
}

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    /// Sent with every request.
    pub(crate) bearer: Option<String>,
    /// The folder, if it is ours.
    _own: Option<tempfile::TempDir>,
}

impl Server {
    /// On a folder of its own and an address of loopback.
    pub(crate) fn fresh(args: &[&str]) -> Self {
        let own = tempfile::tempdir().unwrap();
        let mut server = Self::on(own.path(), args);
        server._own = Some(own);
        server
    }

    pub(crate) fn on(folder: &Path, args: &[&str]) -> Self {
        Self::listening(folder, "127.0.0.1:0", args)
    }

    pub(crate) fn listening(folder: &Path, listen: &str, args: &[&str]) -> Self {
        Self::start(folder, listen, args)
            .unwrap_or_else(|(status, text)| panic!("no server: {status}\n{text}"))
    }

    /// The error is how it ended and what it said.
    pub(crate) fn start(folder: &Path, listen: &str, args: &[&str]) -> Result<Self, (ExitStatus, String)> {
        let data = folder.join("data");
        let log = folder.join("server.log");
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_anyfn"))
            .args(["up", "--listen", listen, "--drain", "20", "--data"])
            .arg(&data)
            .args(args)
            .env_remove("ANYFN_DATA")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("anyfn ready http://") else {
            let status = child.wait().unwrap();
            return Err((status, fs::read_to_string(&log).unwrap()));
        };
        let address = address.split(' ').next().unwrap().parse().unwrap();
        Ok(Self { child, address, data, log, bearer: None, _own: None })
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn send(&self, method: &str, target: &str, body: &[u8]) -> io::Result<Answer> {
        let key = self.bearer.as_ref().map(|key| format!("Bearer {key}")).unwrap_or_default();
        let headers: &[_] = if key.is_empty() { &[] } else { &[("authorization", key.as_str())] };
        http::send(self.address, method, target, headers, body)
    }

    pub(crate) fn ask(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.send(method, target, body).unwrap_or_else(|e| panic!("{method} {target}: {e}\n{}", self.said()))
    }

    /// The last of what the server logged.
    pub(crate) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn try_deploy(&self, name: &str, zip: &[u8], change: &Value) -> Answer {
        let mut body = json!({ "zip": STANDARD.encode(zip), "runtime": "python3.12", "handler": "app.handler", "timeout_ms": 20_000 });
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.ask("PUT", &format!("/_anyfn/v1/functions/{name}"), body.to_string().as_bytes())
    }

    /// A python function with this source as module `app`.
    pub(crate) fn deploy(&self, name: &str, source: &str) {
        self.deploy_with(name, source, &json!({}));
    }

    pub(crate) fn deploy_with(&self, name: &str, source: &str, change: &Value) {
        let answer = self.try_deploy(name, &zips::python(source), change);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["state"], "active", "{}", answer.text());
    }

    pub(crate) fn invoke(&self, name: &str, event: &Value) -> Answer {
        self.ask("POST", &format!("/_anyfn/v1/functions/{name}/invoke"), event.to_string().as_bytes())
    }

    /// The function must return; gives what.
    pub(crate) fn returned(&self, name: &str, event: &Value) -> Value {
        let answer = self.invoke(name, event);
        assert_eq!(answer.header("anyfn-outcome"), "returned", "{name}: {}\n{}", answer.text(), self.said());
        answer.json()
    }

    /// The text of every line of a function's log.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let answer = self.ask("GET", &format!("/_anyfn/v1/functions/{name}/logs?limit=100000"), b"");
        let text = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["text"].as_str()?.to_owned());
        answer.text().lines().filter_map(text).collect()
    }

    /// Resident bytes of the server.
    pub(crate) fn rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Everything that runs because of this server, and itself.
    pub(crate) fn family(&self) -> BTreeSet<i32> {
        family(self.pid())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the server ends", || self.child.try_wait().unwrap())
    }

    /// `kill -9`; what was running is looked for afterwards with `Leftovers`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ends by itself where a test has ended it; a failed test must leave nothing either.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and all below it.
pub(crate) fn family(root: i32) -> BTreeSet<i32> {
    let mut all = BTreeSet::from([root]);
    let parents: Vec<(i32, i32)> =
        processes().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    loop {
        let before = all.len();
        all.extend(
            parents.iter().filter(|(_, up)| all.contains(up)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if all.len() == before {
            return all;
        }
    }
}

pub(crate) fn processes() -> Vec<i32> {
    let names = fs::read_dir("/proc").unwrap().flatten().map(|e| e.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// What a server leaves outside of its data folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    processes: Vec<i32>,
    cgroups: Vec<PathBuf>,
    loops: Vec<String>,
    mounts: Vec<String>,
}

impl Leftovers {
    /// Looks for what belongs to a data folder, and for processes that were there.
    pub(crate) fn of(data: &Path, family: &BTreeSet<i32>) -> Self {
        let data = data.canonicalize().unwrap();
        let alive = |pid: &&i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
        };
        let text = data.to_str().unwrap();
        let backing = |e: fs::DirEntry| fs::read_to_string(e.path().join("loop/backing_file")).ok();
        let loops = fs::read_dir("/sys/block").unwrap().flatten().filter_map(backing);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        Self {
            processes: family.iter().filter(alive).copied().collect(),
            cgroups: cgroups(&data),
            loops: loops.filter(|file| file.starts_with(text)).collect(),
            mounts: mounts.lines().filter(|line| line.contains(text)).map(str::to_owned).collect(),
        }
    }

    /// Waits until the kernel has given back everything; names what stays.
    pub(crate) fn gone(data: &Path, family: &BTreeSet<i32>) {
        for _ in 0..6000 {
            if Self::of(data, family) == Self::default() {
                return;
            }
            pause();
        }
        panic!("left behind: {:#?}", Self::of(data, family));
    }
}

/// The name that the server gives to what it makes outside of its folder.
pub(crate) fn name_of(data: &Path) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = data.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, fold);
    format!("anyfn-{hash:016x}")
}

/// The groups of a data folder, in every hierarchy.
pub(crate) fn cgroups(data: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, depth: u8, name: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_str() == Some(name) {
                found.push(entry.path());
            } else if depth > 0 {
                walk(&entry.path(), depth - 1, name, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("/sys/fs/cgroup"), 3, &name_of(data), &mut found);
    found
}

/// Every path below a folder with its size.
pub(crate) fn listing(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            found.insert(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            if kind.is_dir() {
                open.push(entry.path());
            }
        }
    }
    found
}
