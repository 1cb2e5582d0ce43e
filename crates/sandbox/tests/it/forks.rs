//! Templates are forked into sandboxes; the children are as isolated as processes that init spawned.

use std::{fs::File, io::Write as _, os::fd::OwnedFd, path::Path, sync::Arc};

use anyfn_core::ports::{Bind, Exit, ExitKind, Isolation as _, ProcessId, Sandbox, Template, TemplateSpec};

use crate::house::{House, MIB, read_all, root};

/// Runs in its children what they are given on descriptor 5.
const PYTHON: &str = r#"
import ctypes, gc, os, random, ssl, tempfile, uuid, secrets
native = ctypes.PyDLL("/var/runtime/template.so")
fd = int(os.environ["ANYFN_TEMPLATE_FD"])
gc.collect(); gc.freeze()
if native.template_ready(fd) < 0: os._exit(70)
while (order := native.template_next(fd)) == 1:
    try: pid = os.fork()
    except OSError as e: pid = -(e.errno or 11)
    if pid == 0:
        if native.template_become() < 0: os._exit(71)
        break
    if native.template_forked(pid) < 0: os._exit(72)
else: os._exit(0 if order == 0 else 73)
with open(5) as f: script = f.read()
exec(compile(script, "<given>", "exec"), {"__name__": "__main__"})
"#;

pub(crate) fn python_spec(house: &House) -> TemplateSpec {
    spec(house.scratch.path(), &["/usr/bin/python3", "-I", "-S", "/var/runtime/template.py"])
}

fn spec(scratch: &Path, argv: &[&str]) -> TemplateSpec {
    let folder = scratch.join("runtime");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("template.so"), anyfn_zygote::PYTHON).unwrap();
    std::fs::write(folder.join("template.node"), anyfn_zygote::NODE).unwrap();
    std::fs::write(folder.join("template.py"), PYTHON).unwrap();
    TemplateSpec {
        name: "test".into(),
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        binds: vec![Bind { source: folder, target: "/var/runtime".into() }],
        memory_bytes: 256 * MIB,
    }
}

pub(crate) async fn python_template(house: &House) -> Arc<dyn Template> {
    house.processes.template(python_spec(house)).await.unwrap()
}

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

/// Forks a child that runs a script; gives what it prints on 1 and 2.
pub(crate) async fn start_fork(
    sandbox: &dyn Sandbox,
    template: &dyn Template,
    script: &str,
) -> (ProcessId, OwnedFd) {
    let (output, write) = pipe();
    let copy = write.try_clone().unwrap();
    let (read, mut input) = {
        let (r, w) = pipe();
        (r, File::from(w))
    };
    let process = sandbox.fork(template.id(), vec![(write, 1), (copy, 2), (read, 5)]).await.unwrap();
    input.write_all(script.as_bytes()).unwrap();
    (process, output)
}

pub(crate) async fn forked(sandbox: &dyn Sandbox, template: &dyn Template, script: &str) -> (Exit, String) {
    let (process, output) = start_fork(sandbox, template, script).await;
    let text = read_all(output).await;
    let exit = sandbox.next_exit().await.unwrap();
    assert_eq!(exit.process, Some(process), "{exit:?} {text}");
    (exit, text)
}

const NODE: &str = r#"
const fs = require("fs"), { serve, leave } = require("/var/runtime/template.node");
require("crypto"); require("net"); require("http"); require("zlib");
const left = serve(Number(process.env.ANYFN_TEMPLATE_FD));
if (left !== 0) process.exit(left === 1 ? 0 : 70);
// Node's own way out waits for threads that are not there.
process.reallyExit = leave;
const emit = process.emit;
process.emit = function (name, code) {
  const said = emit.apply(this, arguments);
  if (name === "exit") leave(process.exitCode ?? code ?? 0);
  return said;
};
new Function("require", fs.readFileSync(5, "utf8"))(require);
"#;

pub(crate) async fn node_template(house: &House) -> Arc<dyn Template> {
    let script = ["/usr/bin/node", "--single-threaded", "--v8-pool-size=0", "/var/runtime/template.cjs"];
    let spec = spec(house.scratch.path(), &script);
    std::fs::write(house.scratch.path().join("runtime/template.cjs"), NODE).unwrap();
    house.processes.template(spec).await.unwrap()
}

#[tokio::test]
async fn a_python_template_is_forked_into_a_sandbox() {
    if !root() {
        return;
    }
    let house = House::open().await;
    let template = python_template(&house).await;
    let sandbox = house.sandbox().await;
    let script = "import os\nprint(os.getuid(), os.getgid(), os.getgroups(), os.uname().nodename, os.getcwd(), flush=True)\nos._exit(7)";
    let (exit, text) = forked(&*sandbox, &*template, script).await;
    assert_eq!(text, "993 990 [] fn /\n");
    assert_eq!((exit.kind, exit.out_of_memory), (ExitKind::Code(7), false));
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}

#[tokio::test]
async fn a_node_template_is_forked_and_its_event_loop_lives() {
    if !root() {
        return;
    }
    if !Path::new("/usr/bin/node").exists() {
        eprintln!("skipped: there is no node");
        return;
    }
    let house = House::open().await;
    let template = node_template(&house).await;
    let sandbox = house.sandbox().await;
    // The loop, the thread pool, sockets, timers, signals and worker threads: everything that lives in descriptors or threads.
    let script = r#"
const fs = require("fs"), http = require("http"), crypto = require("crypto"), zlib = require("zlib");
const { Worker } = require("worker_threads");
async function main() {
  console.log(process.getuid(), os_host(), JSON.stringify(fs.readdirSync("/proc").filter((n) => /^\d+$/.test(n))));
  await fs.promises.writeFile("/tmp/x", "written");
  console.log(await fs.promises.readFile("/tmp/x", "utf8"));
  console.log((await new Promise((done) => crypto.pbkdf2("a", "b", 10, 8, "sha1", (_, key) => done(key)))).length);
  console.log(zlib.gunzipSync(zlib.gzipSync("zipped")).toString());
  const server = http.createServer((_, answer) => answer.end("served"));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const text = await new Promise((done) => http.get(server.address(), (r) => r.on("data", (d) => done(String(d)))));
  console.log(text);
  await new Promise((done) => { process.once("SIGUSR2", done); process.kill(Number(fs.readlinkSync("/proc/self")), "SIGUSR2"); });
  console.log("signalled");
  await new Promise((done) => setTimeout(done, 1));
  console.log(await new Promise((done) => new Worker("require('worker_threads').parentPort.postMessage('worked')", { eval: true }).on("message", done)));
  const child = require("child_process").spawnSync("/bin/echo", ["spawned"]);
  console.log(String(child.stdout).trim());
  process.exit(3);
}
function os_host() { return require("os").hostname(); }
main().catch((e) => { console.log(e.stack); process.exit(99); });
"#;
    let (exit, text) = forked(&*sandbox, &*template, script).await;
    assert_eq!(text, "993 fn [\"2\"]\nwritten\n8\nzipped\nserved\nsignalled\nworked\nspawned\n");
    assert_eq!(exit.kind, ExitKind::Code(3));
    // All ways to end are as in a program that was started.
    let ends = [
        ("1", 0),
        ("process.exitCode = 4", 4),
        ("throw new Error('x')", 1),
        ("process.on('exit', () => process.exit(6))", 6),
    ];
    for (script, code) in ends {
        let (exit, text) = forked(&*sandbox, &*template, script).await;
        assert_eq!(exit.kind, ExitKind::Code(code), "{script}: {text}");
    }
    let fds = r"
const fs = require('fs');
const to = (n) => { try { return fs.readlinkSync('/proc/self/fd/' + n); } catch { return 'listing'; } };
console.log(fs.readdirSync('/proc/self/fd').map(to).map((l) => l.replace(/\d+/, '')).join(' '));
";
    let (_, text) = forked(&*sandbox, &*template, fds).await;
    // No socket, no file, nothing that is shared with the template.
    let own =
        ["/dev/null", "pipe:[]", "listing", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "/proc//fd"];
    assert!(text.split_whitespace().all(|to| own.contains(&to)), "{text}");
    sandbox.destroy().await.unwrap();
    drop(template);
    house.close().await;
}
